//! `/health/live`, `/health/ready`, `/metrics`: for whoever watches the gateway. They answer on any host,
//! because probes come by address, and they hold nothing of anybody. `/openapi.json` tells programs the API.

use crate::Web;
use crate::openapi;
use crate::who::Here;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;

/// The process runs.
pub async fn live() -> &'static str {
    "live\n"
}

/// The database answers and its schema is the one this program knows.
pub async fn ready(State(web): State<Web>) -> Response {
    match web.service().check_ready().await {
        Ok(()) => (StatusCode::OK, "ready\n").into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response(),
    }
}

/// Prometheus text format, version 0.0.4.
pub async fn metrics(State(web): State<Web>) -> Response {
    match web.metrics() {
        Some(handle) => rendered(handle),
        None => (StatusCode::NOT_FOUND, "no metrics are served here\n").into_response(),
    }
}

/// `/metrics` and nothing else, for a listener of its own.
pub fn metrics_alone(handle: PrometheusHandle) -> Router {
    Router::new().route("/metrics", get(move || std::future::ready(rendered(&handle))))
}

/// Health and metrics and nothing else, for a process that only works.
pub fn alone(web: Web) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(web)
}

fn rendered(handle: &PrometheusHandle) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render()).into_response()
}

/// The REST API of this place.
pub async fn openapi(Here(place): Here) -> Response {
    Json(openapi::document(&crate::routes(), place.url())).into_response()
}
