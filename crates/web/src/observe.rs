//! What is seen of each request: a request id, one log line and two metrics. Never an address, a token or a
//! dialog id: only the route's pattern is named.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use kernel::ids::AuditId;
use tracing::Instrument as _;

use crate::Web;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps every request. The request id is always ours: one that came in could carry anything into the log.
pub async fn observe(State(web): State<Web>, request: Request, next: Next) -> Response {
    let now = web.service().clock.now();
    let id = AuditId::new(now, &*web.service().chance).as_str().replace("aud_", "req_");
    let route = request.extensions().get::<MatchedPath>().map_or("(none)", MatchedPath::as_str).to_owned();
    // Anyone may invent methods; a metric must not grow with them.
    let method = if request.method().is_safe()
        || request.method() == Method::POST
        || request.method() == Method::PATCH
    {
        request.method().as_str().to_owned()
    } else {
        "OTHER".to_owned()
    };
    let started = tokio::time::Instant::now();
    let span = tracing::info_span!("request", id = %id, method = %method, route = %route);
    let mut response = next.run(request).instrument(span.clone()).await;
    let took = started.elapsed();
    let status = response.status().as_u16();
    span.in_scope(|| tracing::info!(status, took_us = took.as_micros(), "answered"));
    let labels = [("route", route), ("method", method), ("status", status.to_string())];
    metrics::counter!("vestibule_http_requests_total", &labels).increment(1);
    let [route, ..] = labels;
    metrics::histogram!("vestibule_http_request_seconds", &[route]).record(took.as_secs_f64());
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    crate::headers::add_fixed(response.headers_mut());
    response
}
