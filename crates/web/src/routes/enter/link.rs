//! `/service-gateway`: links into apps.

use super::not_looked_at;
use super::shown::Visitor;
use crate::Web;
use crate::who::Here;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;

/// Follows a link (contract `enter.md`, section 6).
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
    visitor.shown(web.service().follow_link(&place, &query, visitor.browser()).await)
}
