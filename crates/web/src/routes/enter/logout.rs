//! `/oauth2/logout`: the end of this browser's session (OpenID Connect RP-Initiated Logout).

use super::asked::{Answered, Looked};
use super::shown::{Visitor, person};
use super::{form_text, once_more_by_get};
use crate::Web;
use crate::answer;
use crate::headers::Framing;
use crate::pages::{EntryView, RefusalKind};
use crate::who::Here;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use service::enter::log_out_here::LoggedOut;

/// Ends the session, or asks first.
pub async fn get(asked: Looked) -> Response {
    logged_out(&asked.visitor(), &asked.query, false).await
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
pub async fn confirm(answered: Answered) -> Response {
    let query = answered.field("request").unwrap_or_default();
    logged_out(&answered.visitor_of(&query), &query, true).await
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
