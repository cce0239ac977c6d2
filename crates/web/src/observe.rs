//! What is seen of each request: a request id, one log line and two metrics. Never a URL, a token or a
//! dialog id: only the route's pattern is named.

use axum::extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use kernel::ids::RequestId;
use metrics::{Counter, Histogram};
use service::Place;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{PoisonError, RwLock};
use tracing::Instrument as _;

use crate::client_address::client_address;
use crate::headers::Framing;
use crate::pages::RefusalKind;
use crate::{Web, answer, idempotency, who};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps every request. The request id is always ours: one that came in could carry anything into the log.
///
/// It is the one layer around all routes and does what several could do: each is a few boxes more for every request.
pub async fn observe(State(web): State<Web>, request: Request, next: Next) -> Response {
    let now = web.service().clock.now();
    let id = RequestId::new(now, &*web.service().chance);
    let path = request.extensions().get::<MatchedPath>().cloned();
    let route = path.as_ref().map_or("(none)", MatchedPath::as_str);
    let method = named(request.method());
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let trusted = &web.options().trusted_proxies;
    let client = peer.map(|peer| client_address(peer, trusted, request.headers()).to_string());
    let is_https = who::place(web.service(), request.uri(), request.headers()).is_some_and(Place::is_https);
    let started = tokio::time::Instant::now();
    let span = tracing::info_span!("request", id = %id, method = %method, route = %route);
    let mut response = in_time(&web, request, next).instrument(span.clone()).await;
    let took = started.elapsed();
    let status = response.status().as_u16();
    span.in_scope(|| {
        tracing::info!(status, took_us = took.as_micros(), client, "answered");
    });
    web.meters().count(route, method, status, took.as_secs_f64());
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    crate::headers::add_fixed(response.headers_mut());
    if is_https {
        crate::headers::add_only_https(response.headers_mut());
    }
    response
}

/// Anyone may invent methods; a metric must not grow with them.
fn named(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        _ => "OTHER",
    }
}

/// The counter and the histogram of one route, kept: to find them by their labels costs more than to count.
#[derive(Debug)]
struct Meter {
    requests: Counter,
    seconds: Histogram,
}

/// The meters of one route, by method and status.
type OfRoute = HashMap<(&'static str, u16), Meter>;

/// The meters by route.
#[derive(Debug, Default)]
pub struct Meters(RwLock<HashMap<String, OfRoute>>);

impl Meters {
    fn count(&self, route: &str, method: &'static str, status: u16, seconds: f64) {
        let key = (method, status);
        {
            let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(meter) = known.get(route).and_then(|of_route| of_route.get(&key)) {
                meter.requests.increment(1);
                meter.seconds.record(seconds);
                return;
            }
        }
        let labels =
            [("route", route.to_owned()), ("method", method.to_owned()), ("status", status.to_string())];
        let requests = metrics::counter!("vestibule_http_requests_total", &labels);
        let [label, ..] = labels;
        let meter =
            Meter { requests, seconds: metrics::histogram!("vestibule_http_request_seconds", &[label]) };
        meter.requests.increment(1);
        meter.seconds.record(seconds);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(route.to_owned()).or_default().insert(key, meter);
    }
}

/// Ends what takes too long to begin its answer, so that nothing waits without end.
async fn in_time(web: &Web, mut request: Request, next: Next) -> Response {
    // Only what is escaped can be no text.
    if request.uri().path().contains('%') && !who::is_readable(&mut request).await {
        return answer::other(web, request.headers(), RefusalKind::NotFound, &Framing::Anyone);
    }
    DefaultBodyLimit::max(web.service().limits.body).apply(&mut request);
    let limit = web.options().request_timeout;
    let answered = async {
        if idempotency::is_meant(&request) {
            idempotency::once(web, request, next).await
        } else {
            next.run(request).await
        }
    };
    match tokio::time::timeout(limit, answered).await {
        Ok(response) => response,
        Err(_) => {
            tracing::warn!(limit_s = limit.as_secs(), "no answer in time");
            answer::api_message(503, "this took too long; try again in a few seconds")
        }
    }
}
