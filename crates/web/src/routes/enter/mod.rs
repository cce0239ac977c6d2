//! The browser's side of the second door.

pub mod access_check;
pub mod asked;
pub mod authorize;
pub mod consents;
pub mod entry;
pub mod link;
pub mod logout;
mod shown;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// The text of a form; `None` for anything that is none.
fn form_text(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let is_form = essence.eq_ignore_ascii_case("application/x-www-form-urlencoded");
    body.ok().filter(|_| is_form).and_then(|body| String::from_utf8(body.to_vec()).ok())
}

/// One field of a form or a query; `None` where it is missing or stands twice.
fn field(text: &str, wanted: &str) -> Option<String> {
    let mut found = url::form_urlencoded::parse(text.as_bytes()).filter(|(name, _)| name == wanted);
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Some(value.into_owned()),
        _ => None,
    }
}

/// The longest query that a form of another site is turned into.
const QUERY_MOST: usize = 16 * 1024;

/// A form that another site sent is asked for once more by GET.
///
/// Decision: our cookies are `Lax`, which a browser withholds from another site's POST. By GET they come along, and so
/// a person who is signed in is not sent to the partner again. Trade: one more redirect, and no more than 16 KiB.
fn once_more_by_get(path: &str, form: Option<String>) -> Option<Response> {
    let form = form.filter(|form| form.len() <= QUERY_MOST)?;
    let pairs = url::form_urlencoded::parse(form.as_bytes());
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    Some((StatusCode::SEE_OTHER, [(header::LOCATION, format!("{path}?{query}"))]).into_response())
}
