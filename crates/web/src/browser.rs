//! What a browser keeps for the second door, in cookies: its session, its waiting requests, its latest trips, the
//! partners that it came from, and what binds an answer to it.
//!
//! `SameSite=Lax` for all of them: apps and partners send the browser here from other sites, at the top level. In a
//! frame of another site they are withheld, so that nobody is signed in there.

use crate::cookies;
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use enter::entry::{
    Nonce, PENDING_LIFETIME_S, PENDING_MOST, RECENT_LIFETIME_S, RecentPartners, TRIPS_WINDOW_S, Trips,
};
use kernel::Plain;
use service::enter::session::Browser;
use service::{Place, Service};

const SESSION: &str = "vst_session";
const WAITING: &str = "vst_waiting";
const TRIPS: &str = "vst_trips";
const PARTNERS: &str = "vst_partners";
const BINDING: &str = "vst_binding";
/// Longer than any value that we write.
const LONGEST: usize = 2048;

/// Reads them. Whatever we cannot have written counts as absent.
pub fn read(service: &Service, place: &Place, headers: &HeaderMap) -> Browser {
    let value = |name: &str| cookies::get(place, headers, name).filter(|value| value.len() <= LONGEST);
    let secret = |name: &str| value(name).filter(|value| !value.is_empty()).map(Plain::presented);
    let trips = value(TRIPS).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let trips = trips.and_then(|json| serde_json::from_slice::<Trips>(&json).ok());
    let waiting = value(WAITING).unwrap_or_default().split('.').filter_map(Nonce::parse);
    Browser {
        session: secret(SESSION),
        waiting: waiting.take(PENDING_MOST).collect(),
        trips: trips.unwrap_or_default(),
        recent: value(PARTNERS)
            .map(|text| RecentPartners::read(text, service.recent_key()))
            .unwrap_or_default(),
        binding: secret(BINDING),
        language: language(headers),
    }
}

/// The first language of `Accept-Language`: browsers write them in the order of preference.
fn language(headers: &HeaderMap) -> Option<String> {
    let all = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
    let tag = all.split([',', ';']).next()?.trim();
    let is_tag = (2..=35).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    is_tag.then(|| tag.to_owned())
}

/// Sets what changed from `before` to `after`.
pub fn write(service: &Service, place: &Place, before: &Browser, after: &Browser, headers: &mut HeaderMap) {
    let mut put = |name: &str, value: &str, seconds: i64| {
        let seconds = if value.is_empty() { 0 } else { seconds };
        if let Ok(line) = HeaderValue::from_str(&cookies::set_everywhere(place, name, value, seconds)) {
            headers.append(header::SET_COOKIE, line);
        }
    };
    if before.session != after.session {
        let secret = after.session.as_ref().map_or("", Plain::reveal);
        put(SESSION, secret, service.enter.session.absolute_s);
    }
    if before.waiting != after.waiting {
        let nonces: Vec<&str> = after.waiting.iter().map(Nonce::as_str).collect();
        put(WAITING, &nonces.join("."), PENDING_LIFETIME_S);
    }
    if before.trips != after.trips {
        let json = serde_json::to_vec(&after.trips).unwrap_or_default();
        let value =
            if after.trips == Trips::default() { String::new() } else { URL_SAFE_NO_PAD.encode(json) };
        put(TRIPS, &value, TRIPS_WINDOW_S);
    }
    if before.recent != after.recent {
        put(PARTNERS, &after.recent.written(service.recent_key()), RECENT_LIFETIME_S);
    }
    if before.binding != after.binding {
        put(BINDING, after.binding.as_ref().map_or("", Plain::reveal), PENDING_LIFETIME_S);
    }
}
