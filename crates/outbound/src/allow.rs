//! The operator's list of addresses that may be called although they are not public: `outbound.allow`.

use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr as _;

/// Why an entry of the list is refused. The texts are for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowRefused {
    #[error(
        "`{0}` is not a range, an address with a port or a host with a port; \
         write 10.1.0.0/16, 10.1.2.3:8443, [fd00::1]:8443 or service.internal:8443"
    )]
    Form(String),
    #[error("`{seen}` has bits behind the prefix; write `{meant}`")]
    LooseRange { seen: String, meant: String },
    #[error("`{0}` has no port; write the address with one (10.1.2.3:8443) or as a range (10.1.2.3/32)")]
    NoPort(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Range(IpNet),
    Address(SocketAddr),
    Host { host: String, port: u16 },
}

/// The parsed list (contract `runs.md`, last paragraph). Empty means: public addresses over https only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allow(Vec<Entry>);

impl Allow {
    /// Allows nothing beyond public addresses.
    pub const fn nothing() -> Self {
        Self(Vec::new())
    }

    /// Reads ranges (`10.1.0.0/16`), exact addresses (`10.1.2.3:8443`, `[::1]:9000`) and exact hosts
    /// (`service.internal:8443`).
    ///
    /// # Errors
    /// [`AllowRefused`] for the first entry that is none of these.
    pub fn parse<T: AsRef<str>>(entries: &[T]) -> Result<Self, AllowRefused> {
        entries.iter().map(|entry| parse_entry(entry.as_ref().trim())).collect::<Result<_, _>>().map(Self)
    }

    /// The ports that exact entries name. A name's addresses are judged per port only for these.
    pub(crate) fn exact_ports(&self) -> BTreeSet<u16> {
        let port = |entry: &Entry| match entry {
            Entry::Range(_) => None,
            Entry::Address(address) => Some(address.port()),
            Entry::Host { port, .. } => Some(*port),
        };
        self.0.iter().filter_map(port).collect()
    }

    /// Whether the list names this address. `host` is the name that led to it, lower-case and without a dot
    /// at its end; `port` is absent where no exact entry names the call's port.
    pub(crate) fn names(&self, host: Option<&str>, address: IpAddr, port: Option<u16>) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|entry| match entry {
            Entry::Range(range) => range.contains(&address),
            Entry::Address(exact) => exact.ip() == address && Some(exact.port()) == port,
            // Decision: a name that is allowed may have any address, except those that name no single
            // machine and the link-local ones. Attack: whoever answers for the name points it at the cloud's
            // metadata service. Trade: that service can be allowed only by its address.
            Entry::Host { host: exact, port: exact_port } => {
                host == Some(exact.as_str()) && Some(*exact_port) == port && is_one_machine(address)
            }
        })
    }
}

fn is_one_machine(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !(link_local || address.is_unspecified() || address.is_multicast())
}

fn parse_entry(text: &str) -> Result<Entry, AllowRefused> {
    let form = || AllowRefused::Form(text.chars().take(100).collect());
    if text.contains('/') {
        let range = IpNet::from_str(text).map_err(|_| form())?;
        return if range.trunc() == range {
            Ok(Entry::Range(range))
        } else {
            Err(AllowRefused::LooseRange { seen: text.to_owned(), meant: range.trunc().to_string() })
        };
    }
    if IpAddr::from_str(text).is_ok() {
        return Err(AllowRefused::NoPort(text.to_owned()));
    }
    if let Ok(address) = SocketAddr::from_str(text) {
        return Ok(Entry::Address(SocketAddr::new(address.ip().to_canonical(), address.port())));
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(form)?;
    let port = port.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(form)?;
    // The URL parser knows every spelling of an address, so that an entry means what a URL with it means.
    match url::Host::parse(host).map_err(|_| form())? {
        url::Host::Domain(name) if is_host_name(&name) => {
            Ok(Entry::Host { host: name.trim_end_matches('.').to_owned(), port })
        }
        url::Host::Domain(_) => Err(form()),
        url::Host::Ipv4(address) => Ok(Entry::Address(SocketAddr::new(address.into(), port))),
        url::Host::Ipv6(address) => {
            Ok(Entry::Address(SocketAddr::new(IpAddr::V6(address).to_canonical(), port)))
        }
    }
}

fn is_host_name(name: &str) -> bool {
    !name.trim_end_matches('.').is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_name_exactly_what_they_say() {
        let allow = Allow::parse(&[
            "10.1.0.0/16",
            "192.168.7.7:8443",
            "[fd00::1]:9000",
            "Service.Internal:8443",
            "[::ffff:127.0.0.1]:7000",
        ])
        .unwrap();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(allow.names(None, ip("10.1.255.1"), None));
        assert!(allow.names(None, ip("::ffff:10.1.0.1"), None));
        assert!(!allow.names(None, ip("10.2.0.1"), Some(8443)));
        assert!(allow.names(None, ip("192.168.7.7"), Some(8443)));
        assert!(!allow.names(None, ip("192.168.7.7"), Some(8444)));
        assert!(!allow.names(None, ip("192.168.7.7"), None));
        assert!(allow.names(None, ip("fd00::1"), Some(9000)));
        assert!(allow.names(None, ip("127.0.0.1"), Some(7000)));
        assert!(allow.names(Some("service.internal"), ip("172.16.0.9"), Some(8443)));
        assert!(!allow.names(Some("other.internal"), ip("172.16.0.9"), Some(8443)));
        assert!(!allow.names(Some("service.internal"), ip("169.254.169.254"), Some(8443)));
        assert_eq!(allow.exact_ports().into_iter().collect::<Vec<_>>(), [7000, 8443, 9000]);
    }

    #[test]
    fn entries_that_are_unclear_are_refused() {
        assert!(matches!(Allow::parse(&["10.0.0.1"]), Err(AllowRefused::NoPort(_))));
        assert!(matches!(Allow::parse(&["::1"]), Err(AllowRefused::NoPort(_))));
        let loose = AllowRefused::LooseRange { seen: "10.0.0.1/8".into(), meant: "10.0.0.0/8".into() };
        assert_eq!(Allow::parse(&["10.0.0.1/8"]), Err(loose));
        for bad in [
            "",
            "*",
            "*:80",
            "host",
            "host:",
            "host:0",
            "host:70000",
            "http://host:80",
            "a b:80",
            "10.0.0.0/33",
        ] {
            assert!(matches!(Allow::parse(&[bad]), Err(AllowRefused::Form(_))), "{bad}");
        }
    }
}
