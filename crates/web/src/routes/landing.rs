//! `GET|POST /{organization}/{connector}/auth`: the auth-only page's landing (contract `connect.md`, 1 and 2).

use crate::Web;
use crate::answer;
use crate::who::{Fetch, Here};
use axum::body::to_bytes;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use connect::refusal::{Code, Refusal};
use service::Place;
use service::connect::land::{Landed, Landing};
use std::borrow::Cow;

/// In the table, and as refusals name it.
pub const ROUTE: &str = "/{organization}/{connector}/auth";

/// What the query or the form carries.
#[derive(Debug, Default)]
struct Carried {
    token: Option<String>,
    ui_locales: Option<String>,
}

impl Carried {
    /// Reads `application/x-www-form-urlencoded` pairs. A `tenant` that stands twice is answered as none that
    /// can be read: nobody could say which one counts.
    fn read(pairs: &[u8]) -> Self {
        let mut carried = Self::default();
        let mut seen = 0;
        let mut keep = |(name, value): (Cow<'_, str>, Cow<'_, str>)| match &*name {
            "tenant" => {
                seen += 1;
                carried.token = Some(if seen == 1 { value.into_owned() } else { "twice".to_owned() });
            }
            "ui_locales" => carried.ui_locales = Some(value.into_owned()),
            _ => {}
        };
        match std::str::from_utf8(pairs) {
            Ok(pairs) => pairs.split('&').filter_map(read_pair).for_each(&mut keep),
            Err(_) => url::form_urlencoded::parse(pairs).for_each(&mut keep),
        }
        carried
    }
}

/// A name and its value; `None` where nothing stands between two `&`. A token needs no decoding, and is not looked
/// through for what does.
fn read_pair(pair: &str) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    if pair.is_empty() || pair.as_bytes().contains(&b'%') || pair.as_bytes().contains(&b'+') {
        return url::form_urlencoded::parse(pair.as_bytes()).next();
    }
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    Some((Cow::Borrowed(name), Cow::Borrowed(value)))
}

/// The published form: the token in the query. HEAD and prefetch use nothing up.
pub async fn get(
    State(web): State<Web>,
    Here(place): Here,
    method: Method,
    Path(path): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if method == Method::HEAD {
        return StatusCode::OK.into_response();
    }
    if Fetch::of(&headers).prefetch {
        // Not a success, so that the browser throws the early answer away and asks again when it is looked at.
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let carried = Carried::read(query.unwrap_or_default().as_bytes());
    let limit = web.service().limits.token_get;
    land(&web, &place, &path, carried, limit, &headers).await
}

/// The preferred form: the token in a form field, so that no history, log or Referer ever holds it.
pub async fn post(
    State(web): State<Web>,
    Here(place): Here,
    Path(path): Path<(String, String)>,
    request: Request,
) -> Response {
    let (Parts { headers, .. }, body) = request.into_parts();
    let limit = web.service().limits.token_post;
    // A token that is somewhat too long shall get its coded refusal and not a bare 413.
    let Ok(body) = to_bytes(body, limit.saturating_mul(16)).await else {
        let message =
            format!("The form is larger than a token of {limit} bytes can make it, or did not come whole.");
        let refusal = Refusal::new(Code::TokenMalformed, message);
        let refused = web.service().refuse(refusal, place.environment, None, ROUTE).await;
        return answer::refused(&web, &headers, answer::locale(&headers, None), &refused);
    };
    land(&web, &place, &path, Carried::read(&body), limit, &headers).await
}

async fn land(
    web: &Web,
    place: &Place,
    path: &(String, String),
    carried: Carried,
    token_limit: usize,
    headers: &HeaderMap,
) -> Response {
    let fetch = Fetch::of(headers);
    let locale = answer::locale(headers, carried.ui_locales.as_deref());
    let landing = Landing {
        environment: place.environment,
        organization: &path.0,
        connector: &path.1,
        token: carried.token.as_deref(),
        token_limit,
        framed: fetch.framed,
        parent: fetch.referrer,
        locale: locale.tag(),
    };
    match web.service().land(&landing).await {
        Ok(Landed::Open(bearer)) => {
            let to = format!("/dialogs/{}", bearer.reveal());
            (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
        }
        Ok(Landed::Refused(refused)) => answer::refused(web, headers, locale, &refused),
        Err(fault) => answer::fault(web, headers, &fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_that_stands_twice_is_none_that_can_be_read() {
        let read = |pairs: &str| Carried::read(pairs.as_bytes()).token;
        assert_eq!(read("a=b&tenant=x.y-z_&&c"), Some("x.y-z_".to_owned()));
        assert_eq!(read("tenant=x%2Ey+z"), Some("x.y z".to_owned()));
        assert_eq!(read("tenant=x&tenant=x"), Some("twice".to_owned()));
        assert_eq!(read("tenant=x&%74enant=x"), Some("twice".to_owned()));
        assert_eq!((read("tenant"), read("=tenant"), read("")), (Some(String::new()), None, None));
    }

    proptest! {
        #[test]
        fn pairs_are_read_as_the_library_reads_them(text in "[a=&%+4ä]{0,40}") {
            let ours = text.split('&').filter_map(read_pair);
            prop_assert!(ours.eq(url::form_urlencoded::parse(text.as_bytes())));
        }
    }
}
