//! Which addresses may be called. Judged twice: as a literal in the parsed URL, and after every look-up of a
//! name, inside the connection that uses the answer.

use crate::allow::Allow;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use url::{Host, Url};

/// The rule that refused a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Neither http nor https.
    Scheme,
    /// Plain http to an address that the operator's list does not name.
    PlainHttp,
    /// A user name or password in the URL.
    UserInfo,
    Unspecified,
    Loopback,
    Private,
    /// 100.64.0.0/10, behind a carrier's NAT.
    Shared,
    /// Also the metadata service of clouds.
    LinkLocal,
    Multicast,
    Documentation,
    Reserved,
    /// An IPv6 address that carries an IPv4 one: NAT64 of a refused address, 6to4, Teredo.
    Embedded,
    /// A redirect that would carry a request's body to another origin.
    BodyToAnotherOrigin,
}

impl Rule {
    /// What the rule says, for the person who gave the address.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Scheme => "only https addresses are called",
            Self::PlainHttp => "plain http is used only for addresses in outbound.allow",
            Self::UserInfo => "the address carries a user name or password",
            Self::Unspecified => "the address is the unspecified one",
            Self::Loopback => "the address is this machine's own",
            Self::Private => "the address is in a private network",
            Self::Shared => "the address is behind a carrier's translation",
            Self::LinkLocal => "the address is link-local",
            Self::Multicast => "the address is a multicast one",
            Self::Documentation => "the address is reserved for documentation",
            Self::Reserved => "the address is in a reserved range",
            Self::Embedded => "the address wraps another address",
            Self::BodyToAnotherOrigin => "it redirects a request with a body to another origin",
        }
    }
}

/// A look-up under way.
pub type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Where the addresses of a name come from.
pub trait Names: Send + Sync + fmt::Debug {
    /// `host` is lower-case and without a dot at its end. Names below `localhost` never get here.
    fn look_up(&self, host: String) -> Looking;
}

/// The operating system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

impl Names for SystemNames {
    fn look_up(&self, host: String) -> Looking {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// The calls of one kind: those of plain http or of TLS, to one port that an exact entry of the list names or
/// to any other port. A resolver is asked for a name without a port, so each lane has a resolver of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Lane {
    pub(crate) plain: bool,
    pub(crate) port: Option<u16>,
}

#[derive(Debug, Clone)]
pub(crate) struct Guard {
    pub(crate) allow: Arc<Allow>,
    pub(crate) names: Arc<dyn Names>,
}

impl Guard {
    /// Judges all that can be seen without a look-up. The WHATWG parser has already read decimal, octal,
    /// hexadecimal and full-width spellings of an address as that address.
    pub(crate) fn check(&self, url: &Url) -> Result<Lane, Rule> {
        let plain = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => return Err(Rule::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Rule::UserInfo);
        }
        let port = url.port_or_known_default().filter(|port| self.allow.exact_ports().contains(port));
        let lane = Lane { plain, port };
        match url.host() {
            None => return Err(Rule::Scheme),
            Some(Host::Domain(_)) => {}
            Some(Host::Ipv4(address)) => self.judge(None, address.into(), lane)?,
            Some(Host::Ipv6(address)) => self.judge(None, address.into(), lane)?,
        }
        Ok(lane)
    }

    fn judge(&self, host: Option<&str>, address: IpAddr, lane: Lane) -> Result<(), Rule> {
        if self.allow.names(host, address, lane.port) {
            return Ok(());
        }
        match refused(address) {
            Some(rule) => Err(rule),
            None if lane.plain => Err(Rule::PlainHttp),
            None => Ok(()),
        }
    }
}

/// What the resolver answers where the guard refuses every address of a name.
#[derive(Debug, thiserror::Error)]
#[error("refused: {}", .0.text())]
pub(crate) struct Blocked(pub(crate) Rule);

/// The resolver of one lane. It is the address that the connection is made to which is judged, so a name whose
/// second answer differs from its first (lesson 23) gains nothing.
#[derive(Debug)]
pub(crate) struct GuardedNames {
    pub(crate) guard: Guard,
    pub(crate) lane: Lane,
}

impl Resolve for GuardedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().trim_end_matches('.').to_ascii_lowercase();
        let (guard, lane) = (self.guard.clone(), self.lane);
        Box::pin(async move {
            let found = if is_local_name(&host) {
                // RFC 6761, section 6.3: these names are loopback, whatever a name server says.
                vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
            } else {
                guard.names.look_up(host.clone()).await?
            };
            let mut blocked = None;
            let mut open = Vec::with_capacity(found.len());
            for address in found {
                match guard.judge(Some(&host), address, lane) {
                    Ok(()) => open.push(SocketAddr::new(address, 0)),
                    Err(rule) => blocked = blocked.or(Some(rule)),
                }
            }
            match (open.is_empty(), blocked) {
                (true, Some(rule)) => Err(Blocked(rule).into()),
                (true, None) => Err(io::Error::from(io::ErrorKind::NotFound).into()),
                (false, _) => Ok(Box::new(open.into_iter()) as Addrs),
            }
        })
    }
}

fn is_local_name(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

/// Why an address is not a public one; `None` for public addresses.
fn refused(address: IpAddr) -> Option<Rule> {
    match address.to_canonical() {
        IpAddr::V4(address) => refused_v4(address),
        IpAddr::V6(address) => refused_v6(address),
    }
}

/// After the IANA IPv4 Special-Purpose Address Registry.
fn refused_v4(address: Ipv4Addr) -> Option<Rule> {
    match address.octets() {
        [0, ..] => Some(Rule::Unspecified),
        [127, ..] => Some(Rule::Loopback),
        [10, ..] | [192, 168, ..] | [172, 16..=31, ..] => Some(Rule::Private),
        [100, 64..=127, ..] => Some(Rule::Shared),
        [169, 254, ..] => Some(Rule::LinkLocal),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Some(Rule::Documentation),
        [192, 0, 0, _] | [192, 88, 99, _] | [198, 18..=19, ..] | [240..=255, ..] => Some(Rule::Reserved),
        [224..=239, ..] => Some(Rule::Multicast),
        _ => None,
    }
}

/// After the IANA IPv6 Special-Purpose Address Registry: only 2000::/3 is public, and not all of it.
fn refused_v6(address: Ipv6Addr) -> Option<Rule> {
    let [_, _, _, _, _, _, high, low] = address.segments();
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some(Rule::Unspecified),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(Rule::Loopback),
        // NAT64 (RFC 6052): what is behind it is the IPv4 address, so that one is judged. In a network
        // without IPv4 every public host looks like this.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => refused_v4(Ipv4Addr::new(a, b, c, d)).map(|_| Rule::Embedded),
        // RFC 8215 NAT64 for local use, IPv4-compatible, 6to4 and Teredo.
        [0x64, 0xff9b, ..] | [0, 0, 0, 0, 0, 0, ..] | [0x2002, ..] | [0x2001, 0, ..] => Some(Rule::Embedded),
        [0xfc00..=0xfdff, ..] => Some(Rule::Private),
        [0xfe80..=0xfeff, ..] => Some(Rule::LinkLocal),
        [0xff00..=0xffff, ..] => Some(Rule::Multicast),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some(Rule::Documentation),
        [0x2001, 0..=0x1ff, ..] => Some(Rule::Reserved),
        [0x2000..=0x3fff, ..] => None,
        _ => Some(Rule::Reserved),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str]) -> Guard {
        Guard { allow: Arc::new(Allow::parse(allow).unwrap()), names: Arc::new(SystemNames) }
    }

    #[test]
    fn lesson_23_every_spelling_of_an_inner_address_is_refused() {
        let guard = guard(&[]);
        let table = [
            ("https://127.0.0.1/", Rule::Loopback),
            ("https://2130706433/", Rule::Loopback),
            ("https://0x7f.1/", Rule::Loopback),
            ("https://0x7f000001/", Rule::Loopback),
            ("https://0177.0.0.1/", Rule::Loopback),
            ("https://127.1/", Rule::Loopback),
            ("https://127.0.0.1./", Rule::Loopback),
            ("https://\u{ff11}\u{ff12}\u{ff17}.0.0.1/", Rule::Loopback),
            ("https://%31%32%37.0.0.1/", Rule::Loopback),
            ("https://[::1]/", Rule::Loopback),
            ("https://[::ffff:127.0.0.1]/", Rule::Loopback),
            ("https://[::ffff:7f00:1]/", Rule::Loopback),
            ("https://[::127.0.0.1]/", Rule::Embedded),
            ("https://[64:ff9b::7f00:1]/", Rule::Embedded),
            ("https://[64:ff9b::a9fe:a9fe]/", Rule::Embedded),
            ("https://[64:ff9b:1::7f00:1]/", Rule::Embedded),
            ("https://[2002:7f00:1::]/", Rule::Embedded),
            ("https://[2001:0:7f00:1::]/", Rule::Embedded),
            ("https://169.254.169.254/latest/meta-data/", Rule::LinkLocal),
            ("https://0xa9fea9fe/", Rule::LinkLocal),
            ("https://[fe80::1]/", Rule::LinkLocal),
            ("https://[fec0::1]/", Rule::LinkLocal),
            ("https://[fd00:ec2::254]/", Rule::Private),
            ("https://10.0.0.1/", Rule::Private),
            ("https://172.31.255.255/", Rule::Private),
            ("https://192.168.0.1/", Rule::Private),
            ("https://100.64.0.1/", Rule::Shared),
            ("https://0.0.0.0/", Rule::Unspecified),
            ("https://0/", Rule::Unspecified),
            ("https://[::]/", Rule::Unspecified),
            ("https://224.0.0.1/", Rule::Multicast),
            ("https://[ff02::1]/", Rule::Multicast),
            ("https://255.255.255.255/", Rule::Reserved),
            ("https://198.18.0.1/", Rule::Reserved),
            ("https://192.0.2.1/", Rule::Documentation),
            ("https://[2001:db8::1]/", Rule::Documentation),
            ("https://[4000::1]/", Rule::Reserved),
            ("http://8.8.8.8/", Rule::PlainHttp),
            ("https://user:pass@8.8.8.8/", Rule::UserInfo),
            ("ftp://8.8.8.8/", Rule::Scheme),
            ("file:///etc/passwd", Rule::Scheme),
        ];
        for (text, rule) in table {
            assert_eq!(guard.check(&Url::parse(text).unwrap()), Err(rule), "{text}");
        }
    }

    #[test]
    fn public_addresses_are_open() {
        let guard = guard(&[]);
        for text in [
            "https://8.8.8.8/",
            "https://[2606:4700::1111]/",
            "https://[64:ff9b::808:808]/",
            "https://172.32.0.1/",
            "https://100.128.0.1/",
            "https://api.example.com/",
        ] {
            assert!(guard.check(&Url::parse(text).unwrap()).is_ok(), "{text}");
        }
    }

    #[test]
    fn the_list_opens_an_address_at_its_port_only() {
        let guard = guard(&["127.0.0.1:9000", "10.9.0.0/16"]);
        let check = |text: &str| guard.check(&Url::parse(text).unwrap()).map(|_| ());
        assert_eq!(check("http://127.0.0.1:9000/"), Ok(()));
        assert_eq!(check("http://[::ffff:127.0.0.1]:9000/"), Ok(()));
        assert_eq!(check("http://127.0.0.1:9001/"), Err(Rule::Loopback));
        assert_eq!(check("http://127.0.0.2:9000/"), Err(Rule::Loopback));
        assert_eq!(check("http://10.9.1.1/"), Ok(()));
        assert_eq!(check("https://[64:ff9b::a09:101]/"), Err(Rule::Embedded));
    }
}
