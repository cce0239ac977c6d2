//! What is seen of each request: a request id, one log line and two metrics. Never a URL, a token or a
//! dialog id: only the route's pattern is named.

use axum::extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::response::Response;
use futures_util::future::BoxFuture;
use metrics::{Counter, Histogram};
use service::Place;
use service::asked::{Asked, asked};
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{PoisonError, RwLock};
use std::task::{Context, Poll};
use tower::{Layer, Service};

use crate::client_address::client_address;
use crate::headers::Framing;
use crate::pages::RefusalKind;
use crate::{Web, answer, idempotency, who};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What was asked where there is no route.
const NO_ROUTE: &str = "(none)";

/// The one layer around all routes. It does what several could do: each is a few boxes more for every request.
#[derive(Debug, Clone)]
pub struct Observe(pub Web);

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed { web: self.0.clone(), inner }
    }
}

/// A route that is observed.
#[derive(Debug, Clone)]
pub struct Observed<S> {
    web: Web,
    inner: S,
}

impl<S> Service<Request> for Observed<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let web = self.web.clone();
        // Only the one that was asked whether it is ready may be called.
        let next = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, next);
        Box::pin(async move { Ok(observe(web, request, inner).await) })
    }
}

/// The request id is always ours: one that came in could carry anything into the log.
async fn observe<S>(web: Web, request: Request, inner: S) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible> + Send + 'static,
    S::Future: Send,
{
    let id = web.request_ids().next(web.service().clock.now());
    let path = request.extensions().get::<MatchedPath>();
    let route = path.map_or(NO_ROUTE, |path| web.meters().route(path.as_str()));
    let asked = Asked { id, method: named(request.method()), route };
    asked.carry_out(observed(&web, request, inner)).await
}

async fn observed<S>(web: &Web, request: Request, inner: S) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible> + Send + 'static,
    S::Future: Send,
{
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let trusted = &web.options().trusted_proxies;
    let client = peer.map(|peer| client_address(peer, trusted, request.headers()));
    let is_https = who::place(web.service(), request.uri(), request.headers()).is_some_and(Place::is_https);
    let started = tokio::time::Instant::now();
    let mut response = in_time(web, request, inner).await;
    let took = started.elapsed();
    let status = response.status().as_u16();
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    match client {
        Some(client) => tracing::info!(status, took_us, client = %client, "answered"),
        None => tracing::info!(status, took_us, "answered"),
    }
    let id = asked(|asked| {
        web.meters().count(asked.route, asked.method, status, took.as_secs_f64());
        HeaderValue::from_str(asked.id.as_str())
    });
    if let Some(Ok(id)) = id {
        response.headers_mut().insert(REQUEST_ID, id);
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
type OfRoute = RwLock<HashMap<(&'static str, u16), Meter>>;

/// The meters by route.
#[derive(Debug)]
pub struct Meters(HashMap<&'static str, OfRoute>);

impl Meters {
    /// For these routes, by their patterns.
    pub fn new(routes: impl Iterator<Item = &'static str>) -> Self {
        Self(routes.chain([NO_ROUTE]).map(|route| (route, OfRoute::default())).collect())
    }

    /// The pattern as the table has it.
    fn route(&self, path: &str) -> &'static str {
        self.0.get_key_value(path).map_or(NO_ROUTE, |(route, _)| route)
    }

    fn count(&self, route: &'static str, method: &'static str, status: u16, seconds: f64) {
        let Some(of_route) = self.0.get(route) else { return };
        let key = (method, status);
        if let Some(meter) = of_route.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            meter.requests.increment(1);
            meter.seconds.record(seconds);
            return;
        }
        let labels =
            [("route", route.to_owned()), ("method", method.to_owned()), ("status", status.to_string())];
        let requests = metrics::counter!("vestibule_http_requests_total", &labels);
        let [label, ..] = labels;
        let meter =
            Meter { requests, seconds: metrics::histogram!("vestibule_http_request_seconds", &[label]) };
        meter.requests.increment(1);
        meter.seconds.record(seconds);
        of_route.write().unwrap_or_else(PoisonError::into_inner).insert(key, meter);
    }
}

/// Ends what takes too long to begin its answer, so that nothing waits without end.
async fn in_time<S>(web: &Web, mut request: Request, mut inner: S) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible> + Send + 'static,
    S::Future: Send,
{
    // Only what is escaped can be no text.
    if request.uri().path().contains('%') && !who::is_readable(&mut request).await {
        return answer::other(web, request.headers(), RefusalKind::NotFound, &Framing::Anyone);
    }
    DefaultBodyLimit::max(web.service().limits.body).apply(&mut request);
    let limit = web.options().request_timeout;
    let answered = async {
        if idempotency::is_meant(&request) {
            return Box::pin(idempotency::once(web, request, inner)).await;
        }
        let Ok(response) = inner.call(request).await;
        response
    };
    match tokio::time::timeout(limit, answered).await {
        Ok(response) => response,
        Err(_) => {
            tracing::warn!(limit_s = limit.as_secs(), "no answer in time");
            answer::api_message(503, "this took too long; try again in a few seconds")
        }
    }
}
