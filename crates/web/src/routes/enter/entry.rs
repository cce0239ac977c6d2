//! `/enter`: a browser comes from its partner.

use super::shown::Visitor;
use super::{field, form_text, not_looked_at};
use crate::Web;
use crate::who::{Here, OwnOrigin};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;

/// Redeems an entry code. `nextUrl` beside it is decoration: the one stored with the code counts.
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
    let code = field(&query, "code");
    visitor.shown(web.service().arrive_by_entry(&place, code.as_deref(), visitor.browser()).await)
}

/// The `nextUrl` that partners get. Only a browser that was sent there without a code comes here.
pub async fn without_code(
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
    let nonce = field(&query, "pending");
    visitor.shown(web.service().come_without_code(&place, nonce.as_deref(), visitor.browser()).await)
}

/// "Continue as B": yes. There is no no: whoever does not want it closes the page.
pub async fn confirm(
    State(web): State<Web>,
    Here(place): Here,
    _: OwnOrigin,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let form = form_text(&headers, body).unwrap_or_default();
    let token = field(&form, "token").unwrap_or_default();
    let visitor = Visitor::new(&web, &place, &headers, "");
    visitor.shown_after_form(web.service().answer_entry(&place, &token, visitor.browser()).await)
}
