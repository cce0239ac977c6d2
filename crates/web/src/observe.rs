//! What is seen of each request: a request id, one log line and two metrics. Never a URL, a token or a
//! dialog id: only the route's pattern is named.

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use kernel::ids::AuditId;
use service::Place;
use std::net::SocketAddr;
use tracing::Instrument as _;

use crate::client_address::client_address;
use crate::{Web, answer, who};

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
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let trusted = &web.options().trusted_proxies;
    let client = peer.map(|peer| client_address(peer, trusted, request.headers()).to_string());
    let is_https = who::place(web.service(), request.uri(), request.headers()).is_some_and(Place::is_https);
    let started = tokio::time::Instant::now();
    let span = tracing::info_span!("request", id = %id, method = %method, route = %route);
    let mut response = next.run(request).instrument(span.clone()).await;
    let took = started.elapsed();
    let status = response.status().as_u16();
    span.in_scope(|| {
        tracing::info!(status, took_us = took.as_micros(), client, "answered");
    });
    let labels = [("route", route), ("method", method), ("status", status.to_string())];
    metrics::counter!("vestibule_http_requests_total", &labels).increment(1);
    let [route, ..] = labels;
    metrics::histogram!("vestibule_http_request_seconds", &[route]).record(took.as_secs_f64());
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    crate::headers::add_fixed(response.headers_mut());
    if is_https {
        crate::headers::add_only_https(response.headers_mut());
    }
    response
}

/// Ends what takes too long to begin its answer, so that nothing waits without end.
pub async fn in_time(State(web): State<Web>, request: Request, next: Next) -> Response {
    let limit = web.options().request_timeout;
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            tracing::warn!(limit_s = limit.as_secs(), "no answer in time");
            answer::api_message(503, "this took too long; try again in a few seconds")
        }
    }
}
