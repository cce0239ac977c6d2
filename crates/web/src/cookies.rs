//! Cookies. At the first door one binds a callback to the browser that started (lesson 20); those of the second door
//! are in [`crate::browser`].
//!
//! Decision: where the place is https its name begins with `__Host-`. Attack: a page on a neighbouring host
//! (`evil.example.com` beside `connect.example.com`) plants the cookie of its own attempt, and so binds somebody
//! else's browser to it. Browsers take a name that begins so only from the host itself. Trade: such a cookie must
//! be sent to every path and not to the callback alone.

use axum::http::{HeaderMap, header};
use service::Place;

const HOST_ONLY: &str = "__Host-";
/// Where it is sent without TLS: only to the callback.
const PATH: &str = "/oauth2/callback";

/// `Set-Cookie` for `seconds`. `Lax`, because the callback is a top-level navigation from another site;
/// never readable by scripts; `Secure` wherever the place is https.
pub fn set(place: &Place, name: &str, value: &str, seconds: i64) -> String {
    set_at(place, PATH, name, value, seconds)
}

/// The same for every path, with and without TLS.
pub fn set_everywhere(place: &Place, name: &str, value: &str, seconds: i64) -> String {
    set_at(place, "/", name, value, seconds)
}

fn set_at(place: &Place, path: &str, name: &str, value: &str, seconds: i64) -> String {
    let rest = format!("Max-Age={seconds}; HttpOnly; SameSite=Lax");
    if place.is_https() {
        format!("{HOST_ONLY}{name}={value}; Path=/; {rest}; Secure")
    } else {
        format!("{name}={value}; Path={path}; {rest}")
    }
}

/// `Set-Cookie` that takes it away.
pub fn clear(place: &Place, name: &str) -> String {
    set(place, name, "", 0)
}

/// The value of the cookie with this name; `None` where it is missing or stands twice.
pub fn get<'h>(place: &Place, headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let prefix = if place.is_https() { HOST_ONLY } else { "" };
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(key, _)| key.strip_prefix(prefix) == Some(name)).map(|(_, value)| value);
    match (found.next(), found.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use kernel::Environment;

    fn place(url: &str) -> Place {
        Place::new(Environment::Production, url).unwrap()
    }

    fn headers(text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(text).unwrap());
        headers
    }

    #[test]
    fn a_cookie_that_stands_twice_is_none() {
        let place = place("http://connect.localhost:8080");
        assert_eq!(get(&place, &headers("a=1; b=2"), "b"), Some("2"));
        assert_eq!(get(&place, &headers("a=1; a=2"), "a"), None);
        assert_eq!(get(&place, &headers("aa=1"), "a"), None);
        assert_eq!(get(&place, &HeaderMap::new(), "a"), None);
    }

    #[test]
    fn lesson_20_a_neighbouring_host_cannot_plant_the_cookie() {
        let place = place("https://connect.example.com");
        let set = set(&place, "vst_1", "v", 900);
        assert_eq!(set, "__Host-vst_1=v; Path=/; Max-Age=900; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(get(&place, &headers("__Host-vst_1=v"), "vst_1"), Some("v"));
        // Without the prefix any host of the domain may have set it.
        assert_eq!(get(&place, &headers("vst_1=planted"), "vst_1"), None);
        assert_eq!(get(&place, &headers("vst_1=planted; __Host-vst_1=v"), "vst_1"), Some("v"));
    }
}
