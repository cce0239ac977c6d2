//! Addresses for programs that make their own connections, judged as our own calls are.

use super::Client;
use crate::call_error::{CallError, Unreached};
use crate::guard::{Blocked, GuardedNames, Rule};
use reqwest::dns::{Name, Resolve as _};
use std::net::IpAddr;
use url::{Host, Url};

impl Client {
    /// The addresses that may be called for this URL. Whoever is given them must connect to no other: a second look-up
    /// of the name could answer differently (lesson 23).
    ///
    /// # Errors
    /// [`CallError::Refused`] where the operator's rules allow none, [`CallError::Unreachable`] where the name has none.
    pub async fn addresses(&self, url: &Url) -> Result<Vec<IpAddr>, CallError> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let refused = |rule: Rule| CallError::Refused { host: host.clone(), rule };
        let lane = self.guard.check(url).map_err(refused)?;
        let name = match url.host() {
            Some(Host::Ipv4(address)) => return Ok(vec![address.into()]),
            Some(Host::Ipv6(address)) => return Ok(vec![address.into()]),
            Some(Host::Domain(name)) => name.to_owned(),
            None => return Err(refused(Rule::Scheme)),
        };
        let names = GuardedNames { guard: self.guard.clone(), lane };
        let Ok(name) = name.parse::<Name>() else { return Err(refused(Rule::Scheme)) };
        match names.resolve(name).await {
            Ok(found) => Ok(found.map(|address| address.ip()).collect()),
            Err(error) => match error.downcast_ref::<Blocked>() {
                Some(Blocked(rule)) => Err(refused(*rule)),
                None => Err(CallError::Unreachable { host: host.clone(), why: Unreached::Name }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Allow, Limits};

    #[tokio::test]
    async fn only_what_may_be_called_is_found() {
        let client = Client::new(Limits::default(), Allow::parse(&["127.0.0.1:9000"]).unwrap()).unwrap();
        let of = |text: &str| Url::parse(text).unwrap();
        let found = client.addresses(&of("http://127.0.0.1:9000/repository.git")).await.unwrap();
        assert_eq!(found, ["127.0.0.1".parse::<IpAddr>().unwrap()]);
        let found = client.addresses(&of("http://git.localhost:9000/repository.git")).await.unwrap();
        assert_eq!(found, ["127.0.0.1".parse::<IpAddr>().unwrap()], "the IPv6 loopback is not on the list");
        for (text, expected) in [
            ("http://127.0.0.1:9001/", Rule::Loopback),
            ("https://git.localhost/", Rule::Loopback),
            ("https://169.254.169.254/", Rule::LinkLocal),
            ("file:///etc/passwd", Rule::Scheme),
            ("ssh://git@example.com/x", Rule::Scheme),
        ] {
            let answer = client.addresses(&of(text)).await;
            assert!(
                matches!(answer, Err(CallError::Refused { rule, .. }) if rule == expected),
                "{text}: {answer:?}"
            );
        }
    }
}
