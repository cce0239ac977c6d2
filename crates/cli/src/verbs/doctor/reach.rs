//! Whether the gateway runs here, and whether browsers would reach it under its public URLs.

use super::finding::Findings;
use crate::settings::Settings;
use kernel::{Environment, Origin};
use outbound::{Allow, Client, Limits, Request};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;
use url::Url;

/// Time for one look.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) async fn examine(settings: &Settings, findings: &mut Findings) {
    let address = near(settings.listen);
    // Closed again at once: a program that serves one at a time could not answer the next look.
    let knocked = matches!(tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await, Ok(Ok(_)));
    if !knocked {
        findings.good("running", format!("not on {address} just now, so its public URLs are not tried"));
        return;
    }
    // With TLS the certificate is made out to the public name, so only that can be tried.
    if settings.tls.is_none() {
        match live(&format!("http://{address}"), &address.to_string()).await {
            Ok(()) => findings.good("running", format!("on {address}")),
            Err(seen) => {
                findings.error(
                    "running",
                    format!("something on {address} is not the gateway: {seen}"),
                    "end it, or set `listen` to another address",
                );
                return;
            }
        }
    }
    for environment in Environment::ALL {
        if let Some(origin) = settings.environments.origin(environment) {
            public(environment, origin, findings).await;
        }
    }
}

async fn public(environment: Environment, origin: &Origin, findings: &mut Findings) {
    let Some(authority) = authority(origin) else { return };
    match live(origin.as_str(), &authority).await {
        Ok(()) => findings.good("public URL", format!("{environment} is reached at {origin}")),
        Err(seen) => findings.warning(
            "public URL",
            format!("{environment} is not reached at {origin} from this machine: {seen}"),
            "check the name, the proxy and the certificate; from outside it may be reachable all the same",
        ),
    }
}

/// Where to knock for an address that is listened on: a wildcard stands for this machine.
fn near(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// `host:port`, as the list of allowed addresses wants it.
fn authority(origin: &Origin) -> Option<String> {
    let url = Url::parse(origin.as_str()).ok()?;
    Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
}

/// Whether the gateway lives there.
async fn live(base: &str, allowed: &str) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let allow = Allow::parse(&[allowed]).map_err(|error| text(&error))?;
    let limits = Limits { timeout: PATIENCE, connect_timeout: PATIENCE, max_body: 1024, ..Limits::default() };
    let client = Client::new(limits, allow).map_err(|error| text(&error))?;
    let url = Url::parse(&format!("{base}/health/live")).map_err(|error| text(&error))?;
    let answer = client.send(Request::get(url)).await.map_err(|error| text(&error))?;
    if answer.status == 200 && &*answer.body == b"live\n" {
        Ok(())
    } else {
        Err(format!("it answers {}, but not as a gateway does", answer.status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_this_machine() {
        assert_eq!(near("0.0.0.0:80".parse().unwrap()).to_string(), "127.0.0.1:80");
        assert_eq!(near("[::]:80".parse().unwrap()).to_string(), "[::1]:80");
        assert_eq!(near("192.0.2.1:80".parse().unwrap()).to_string(), "192.0.2.1:80");
        assert_eq!(authority(&Origin::parse("https://a.example").unwrap()).unwrap(), "a.example:443");
        assert_eq!(authority(&Origin::parse("http://localhost:8080").unwrap()).unwrap(), "localhost:8080");
    }
}
