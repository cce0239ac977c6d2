//! The front of the gateway: what stands around every route, and what is seen of each request there: a request id,
//! one log line and two metrics. Never a URL, a token or a dialog id: only the route's pattern is named.
//!
//! It stands before the router, not in layers around its routes: each layer is a few boxes more for every request.

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, RawQuery, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::response::Response;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use kernel::Plain;
use matchit::{Match, Params, Router as Paths};
use service::Place;
use service::asked::{Asked, asked};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tower::Service as _;

use crate::client_address::{Shown, client_address};
use crate::headers::Framing;
use crate::meters::Meters;
use crate::pages::RefusalKind;
use crate::routes::{dialogs, landing, webhooks};
use crate::who::{Bearer, Here};
use crate::{Web, answer, idempotency, who};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// All that a listener needs to answer requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Front(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    web: Web,
    routes: Router,
    /// Which route a path means, as the router will find it: its place among the meters.
    patterns: Paths<(usize, Option<Hot>)>,
    meters: Meters,
}

/// A route that most requests ask for: it is met here, without what the router does for any route, which is a tenth of
/// what such a request takes. The table has it too, and there it is documented and found for everything unusual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hot {
    Landing,
    Dialog,
    Webhook,
}

impl Hot {
    fn of(path: &str) -> Option<Self> {
        match path {
            landing::ROUTE => Some(Self::Landing),
            dialogs::ROUTE => Some(Self::Dialog),
            webhooks::ROUTE => Some(Self::Webhook),
            _ => None,
        }
    }

    /// The handler's answer. `None` leaves the request to the router.
    fn meet(
        self,
        web: &Web,
        place: &Place,
        names: &Params<'_, '_>,
        request: &mut Request,
    ) -> Option<BoxFuture<'static, Response>> {
        let here = Here(place.clone());
        let own = |name| names.get(name).map(str::to_owned);
        let state = State(web.clone());
        match (self, request.method()) {
            (Self::Landing, &Method::POST) => {
                let path = Path((own("organization")?, own("connector")?));
                Some(Box::pin(landing::post(state, here, path, std::mem::take(request))))
            }
            (Self::Dialog, &Method::GET) => {
                let bearer = Bearer(Plain::presented(own("dialog")?));
                Some(Box::pin(dialogs::page(state, here, bearer, std::mem::take(request))))
            }
            (Self::Webhook, &Method::POST) => {
                let (secret, query) =
                    (Path(own("hash")?), RawQuery(request.uri().query().map(str::to_owned)));
                Some(Box::pin(webhooks::post(state, here, secret, query, std::mem::take(request))))
            }
            _ => None,
        }
    }
}

/// What a request's address and host mean, looked up once.
struct Meant<'r> {
    /// Its route, and what the route's pattern has names for.
    found: Option<Match<'r, 'r, &'r (usize, Option<Hot>)>>,
    place: Option<&'r Place>,
}

impl Meant<'_> {
    /// The route's place among the meters.
    fn at(&self) -> Option<usize> {
        self.found.as_ref().map(|found| found.value.0)
    }
}

impl Front {
    /// `paths` are the patterns of `routes`, each at least once.
    pub(crate) fn new(web: Web, routes: Router, paths: impl Iterator<Item = &'static str>) -> Self {
        let (mut patterns, mut known) = (Paths::new(), Vec::new());
        for path in paths {
            // The router has taken the same patterns, so what is refused here was there before.
            if patterns.insert(path, (known.len(), Hot::of(path))).is_ok() {
                known.push(path);
            }
        }
        Self(Arc::new(Inside { web, routes, patterns, meters: Meters::new(known) }))
    }

    /// Answers a request that came from `peer`, if that is known. The request id is always ours: one that came in
    /// could carry anything into the log.
    pub async fn answer(&self, peer: Option<IpAddr>, request: Request) -> Response {
        let Inside { web, patterns, meters, .. } = &*self.0;
        let id = web.request_ids().next(web.service().clock.now());
        let uri = request.uri().clone();
        let found = patterns.at(uri.path()).ok();
        let meant = Meant { found, place: who::place(web.service(), &uri, request.headers()) };
        let asked = Asked { id, method: named(request.method()), route: meters.path(meant.at()) };
        asked.carry_out(self.observed(peer, &meant, request)).await
    }

    async fn observed(&self, peer: Option<IpAddr>, meant: &Meant<'_>, request: Request) -> Response {
        let Inside { web, meters, .. } = &*self.0;
        let client = peer.map(|peer| client_address(peer, &web.options().trusted_proxies, request.headers()));
        let started = tokio::time::Instant::now();
        let mut response = self.in_time(meant, request).await;
        let took = started.elapsed();
        let status = response.status().as_u16();
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        match client {
            Some(client) => tracing::info!(status, took_us, client = %Shown(client), "answered"),
            None => tracing::info!(status, took_us, "answered"),
        }
        let id = asked(|asked| {
            meters.count(meant.at(), asked.method, status, took.as_secs_f64());
            HeaderValue::from_maybe_shared(Bytes::copy_from_slice(asked.id.as_str().as_bytes()))
        });
        let headers = response.headers_mut();
        headers.reserve(crate::headers::ADDED);
        if let Some(Ok(id)) = id {
            headers.insert(REQUEST_ID, id);
        }
        crate::headers::add_fixed(headers);
        if meant.place.is_some_and(Place::is_https) {
            crate::headers::add_only_https(headers);
        }
        response
    }

    /// Ends what takes too long to begin its answer, so that nothing waits without end.
    async fn in_time(&self, meant: &Meant<'_>, mut request: Request) -> Response {
        let Inside { web, routes, .. } = &*self.0;
        if meant.found.is_some() && !who::is_readable(request.uri().path()) {
            return answer::other(web, request.headers(), RefusalKind::NotFound, &Framing::Anyone);
        }
        let limit = web.options().request_timeout;
        let answered = async {
            let is_once = idempotency::is_meant(&request);
            // What asks to be carried out once is left to the router.
            if !is_once && let Some(met) = self.met_here(meant, &mut request) {
                return met.await;
            }
            if !request.body().is_end_stream() {
                DefaultBodyLimit::max(web.service().limits.body).apply(&mut request);
            }
            if is_once {
                return Box::pin(idempotency::once(web, request, routes.clone())).await;
            }
            let Ok(response) = routes.clone().call(request).await;
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

    /// What is escaped is left to the router.
    fn met_here(&self, meant: &Meant<'_>, request: &mut Request) -> Option<BoxFuture<'static, Response>> {
        let found = meant.found.as_ref()?;
        let hot = found.value.1.filter(|_| !request.uri().path().contains('%'))?;
        hot.meet(&self.0.web, meant.place?, &found.params, request)
    }

    /// The same as a router of a library's, which tells the peer's address by [`ConnectInfo`].
    pub fn into_router(self) -> Router {
        Router::new().fallback_service(tower::service_fn(move |request: Request| {
            let front = self.clone();
            let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
            async move { Ok::<_, Infallible>(front.answer(peer, request).await) }
        }))
    }
}

/// Anyone may invent methods; a metric must not grow with them.
fn named(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::Hot;

    #[test]
    fn what_is_met_here_is_in_the_table() {
        let routes = crate::routes();
        let hot = |method: &str| {
            let mut found: Vec<_> = routes.iter().filter(|route| route.method == method).collect();
            found.retain(|route| Hot::of(route.path).is_some());
            found.iter().map(|route| route.path).collect::<Vec<_>>()
        };
        assert_eq!(hot("POST"), ["/v1/webhooks/{hash}", "/{organization}/{connector}/auth"]);
        assert!(hot("GET").contains(&"/dialogs/{dialog}"));
    }
}
