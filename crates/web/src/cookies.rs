//! The one kind of cookie there is: it binds a callback to the browser that started (lesson 20).

use axum::http::{HeaderMap, header};
use service::Place;

/// Where it is sent: only to the callback.
const PATH: &str = "/oauth2/callback";

/// `Set-Cookie` for `seconds`. `Lax`, because the callback is a top-level navigation from another site;
/// never readable by scripts; `Secure` wherever the place is https.
pub fn set(place: &Place, name: &str, value: &str, seconds: i64) -> String {
    let secure = if place.is_https() { "; Secure" } else { "" };
    format!("{name}={value}; Path={PATH}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

/// `Set-Cookie` that takes it away.
pub fn clear(place: &Place, name: &str) -> String {
    set(place, name, "", 0)
}

/// The value of the cookie with this name; `None` where it is missing or stands twice.
pub fn get<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    match (found.next(), found.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_cookie_that_stands_twice_is_none() {
        let headers = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_str(text).unwrap());
            headers
        };
        assert_eq!(get(&headers("a=1; b=2"), "b"), Some("2"));
        assert_eq!(get(&headers("a=1; a=2"), "a"), None);
        assert_eq!(get(&headers("aa=1"), "a"), None);
        assert_eq!(get(&HeaderMap::new(), "a"), None);
    }
}
