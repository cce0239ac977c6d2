//! From which address a request comes, for the access log and for nothing else.

use axum::http::HeaderMap;
use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of the client behind the trusted proxies.
///
/// Decision: the header is read from its end, and only as far as trusted proxies wrote it. Attack: a client
/// sends the header itself, and the log blames somebody else. Trade: a proxy that is not in the list hides
/// its clients.
pub fn client_address(peer: IpAddr, trusted: &[IpNet], headers: &HeaderMap) -> IpAddr {
    let mut address = peer.to_canonical();
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut named = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    while trusted.iter().any(|range| range.contains(&address)) {
        match named.next().and_then(|text| text.trim().parse::<IpAddr>().ok()) {
            Some(before) => address = before.to_canonical(),
            None => break,
        }
    }
    address
}

/// An address as the log has it.
#[derive(Debug, Clone, Copy)]
pub struct Shown(pub IpAddr);

impl fmt::Display for Shown {
    /// As the library writes it, but an IPv4 address in one piece: each request has one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IpAddr::V4(address) = self.0 else { return self.0.fmt(f) };
        let mut text = [0; 15];
        let mut places = text.iter_mut();
        let mut length = 0;
        let mut put = |byte| {
            if let Some(place) = places.next() {
                *place = byte;
                length += 1;
            }
        };
        for (at, number) in address.octets().into_iter().enumerate() {
            if at > 0 {
                put(b'.');
            }
            if number > 99 {
                put(b'0' + number / 100);
            }
            if number > 9 {
                put(b'0' + number / 10 % 10);
            }
            put(b'0' + number % 10);
        }
        let text = text.get(..length).and_then(|text| std::str::from_utf8(text).ok());
        f.write_str(text.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn seen(peer: &str, trusted: &[&str], lines: &[&'static str]) -> String {
        let trusted: Vec<IpNet> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
        }
        client_address(peer.parse().unwrap(), &trusted, &headers).to_string()
    }

    #[test]
    fn lesson_22_forwarded_addresses_count_only_from_trusted_proxies() {
        assert_eq!(seen("203.0.113.9", &[], &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(seen("203.0.113.9", &["10.0.0.0/8"], &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(seen("10.0.0.1", &["10.0.0.0/8"], &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["10.0.0.0/8"], &[]), "10.0.0.1");
    }

    #[test]
    fn an_address_is_shown_as_the_library_writes_it() {
        for text in ["0.0.0.0", "127.0.0.1", "9.10.99.100", "255.255.255.255", "::1", "2001:db8::a"] {
            assert_eq!(Shown(text.parse().unwrap()).to_string(), text);
        }
    }

    #[test]
    fn what_the_client_wrote_itself_is_not_believed() {
        let forged = ["192.0.2.66, 198.51.100.1"];
        assert_eq!(seen("10.0.0.1", &["10.0.0.0/8"], &forged), "198.51.100.1");
        // Two proxies, each with its own line, and what is no address ends the walk.
        assert_eq!(seen("10.0.0.1", &["10.0.0.0/8"], &["198.51.100.1", "10.2.2.2"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["10.0.0.0/8"], &["198.51.100.1, unknown"]), "10.0.0.1");
        assert_eq!(seen("::ffff:10.0.0.1", &["10.0.0.0/8"], &["2001:db8::1"]), "2001:db8::1");
    }
}
