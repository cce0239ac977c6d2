//! `/oauth2/logout`: the end of this browser's session (OpenID Connect RP-Initiated Logout).

use super::shown::{Visitor, person};
use super::{field, form_text, not_looked_at, once_more_by_get};
use crate::Web;
use crate::answer;
use crate::headers::Framing;
use crate::pages::{EntryView, RefusalKind};
use crate::who::{Here, OwnOrigin};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use service::enter::log_out_here::LoggedOut;

/// Ends the session, or asks first.
pub async fn get(
    State(web): State<Web>,
    Here(place): Here,
    method: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if let Some(response) = not_looked_at(&method, &headers) {
        return response;
    }
    let query = query.unwrap_or_default();
    let visitor = Visitor::new(&web, &place, &headers, &query);
    logged_out(&visitor, &query, false).await
}

/// The same as a form.
pub async fn post(
    State(web): State<Web>,
    _: Here,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let unreadable = RefusalKind::Entry("logout_refused", 400);
    once_more_by_get("/oauth2/logout", form_text(&headers, body))
        .unwrap_or_else(|| answer::other(&web, &headers, unreadable, &Framing::Nobody))
}

/// "Sign out?": yes.
pub async fn confirm(
    State(web): State<Web>,
    Here(place): Here,
    _: OwnOrigin,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let form = form_text(&headers, body).unwrap_or_default();
    let query = field(&form, "request").unwrap_or_default();
    let visitor = Visitor::new(&web, &place, &headers, &query);
    logged_out(&visitor, &query, true).await
}

async fn logged_out(visitor: &Visitor<'_>, query: &str, agreed: bool) -> Response {
    let (web, place) = (visitor.web, visitor.place);
    match web.service().log_out_here(place, query, agreed, visitor.browser()).await {
        Ok(LoggedOut::Done { then, browser }) => {
            let mut response = match then {
                None => visitor.page(200, EntryView::SignedOut),
                Some(to) if agreed => visitor.onward(to),
                Some(to) => (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response(),
            };
            visitor.keep(&browser, &mut response);
            response
        }
        Ok(LoggedOut::Ask { person: named, app, query }) => {
            visitor.page(200, EntryView::SignOut { person: person(named), app, query })
        }
        Ok(LoggedOut::Denied(reply)) => visitor.shown(Ok(*reply)),
        Err(fault) => answer::fault(web, visitor.headers, &fault),
    }
}
