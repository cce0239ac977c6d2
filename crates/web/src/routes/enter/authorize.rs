//! `/oauth2/auth`, and the answers on its pages.

use super::shown::Visitor;
use super::{field, form_text, not_looked_at, once_more_by_get};
use crate::Web;
use crate::answer;
use crate::headers::Framing;
use crate::pages::RefusalKind;
use crate::who::{Here, OwnOrigin};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use enter::entry::Nonce;
use enter::ids::AccountId;

const UNREADABLE: RefusalKind = RefusalKind::Entry("request_parameters", 400);
const OVER: RefusalKind = RefusalKind::Entry("request_over", 410);

/// The authorize request (OpenID Connect Core, section 3.1.2.1).
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
    visitor.shown(Box::pin(web.service().authorize(&place, &query, visitor.browser())).await)
}

/// The same as a form.
pub async fn post(
    State(web): State<Web>,
    _: Here,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    once_more_by_get("/oauth2/auth", form_text(&headers, body))
        .unwrap_or_else(|| answer::other(&web, &headers, UNREADABLE, &Framing::Nobody))
}

/// A search among the accounts.
pub async fn search(
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
    let Some(nonce) = field(&query, "pending").as_deref().and_then(Nonce::parse) else {
        return answer::other(&web, &headers, OVER, &Framing::Nobody);
    };
    let search = field(&query, "search").unwrap_or_default();
    let visitor = Visitor::new(&web, &place, &headers, &query);
    visitor.shown(web.service().search_accounts(&place, &nonce, &search, visitor.browser()).await)
}

/// The account that was chosen.
pub async fn account(
    State(web): State<Web>,
    Here(place): Here,
    _: OwnOrigin,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let form = form_text(&headers, body).unwrap_or_default();
    let nonce = field(&form, "pending").as_deref().and_then(Nonce::parse);
    let account = field(&form, "account").and_then(|id| AccountId::parse(&id).ok());
    let (Some(nonce), Some(account)) = (nonce, account) else {
        return answer::other(&web, &headers, OVER, &Framing::Nobody);
    };
    let visitor = Visitor::new(&web, &place, &headers, "");
    visitor.shown_after_form(web.service().answer_account(&place, &nonce, account, visitor.browser()).await)
}

/// Whether the person allows what was asked. Anything but a clear yes is a no.
pub async fn consent(
    State(web): State<Web>,
    Here(place): Here,
    _: OwnOrigin,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let form = form_text(&headers, body).unwrap_or_default();
    let Some(nonce) = field(&form, "pending").as_deref().and_then(Nonce::parse) else {
        return answer::other(&web, &headers, OVER, &Framing::Nobody);
    };
    let allowed = field(&form, "answer").as_deref() == Some("allow");
    let visitor = Visitor::new(&web, &place, &headers, "");
    visitor.shown_after_form(web.service().answer_consent(&place, &nonce, allowed, visitor.browser()).await)
}
