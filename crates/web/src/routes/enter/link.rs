//! `/service-gateway`: links into apps.

use super::asked::Looked;
use axum::response::Response;

/// Follows a link (contract `enter.md`, section 6).
pub async fn get(asked: Looked) -> Response {
    let visitor = asked.visitor();
    let service = asked.web.service();
    visitor.shown(service.follow_link(&asked.place, &asked.query, visitor.browser()).await)
}
