//! The metrics of requests: a counter for each route, method and status, and a histogram for each route.

use metrics::{Counter, Histogram};
use std::sync::{PoisonError, RwLock};

/// What was asked where there is no route.
const NO_ROUTE: &str = "(none)";

/// The counter and the histogram of one route, kept: to find them by their labels costs more than to count.
#[derive(Debug)]
struct Meter {
    method: &'static str,
    status: u16,
    requests: Counter,
    seconds: Histogram,
}

/// The meters of one route, a few: by method and status.
#[derive(Debug)]
struct OfRoute {
    path: &'static str,
    meters: RwLock<Vec<Meter>>,
}

/// The meters by route.
#[derive(Debug)]
pub(crate) struct Meters {
    routes: Vec<OfRoute>,
    elsewhere: OfRoute,
}

impl Meters {
    /// For these routes, by their patterns. A route's place is its number here.
    pub(crate) fn new(paths: Vec<&'static str>) -> Self {
        let of_route = |path| OfRoute { path, meters: RwLock::default() };
        Self { routes: paths.into_iter().map(of_route).collect(), elsewhere: of_route(NO_ROUTE) }
    }

    fn of(&self, place: Option<usize>) -> &OfRoute {
        place.and_then(|place| self.routes.get(place)).unwrap_or(&self.elsewhere)
    }

    /// The pattern of the route at this place.
    pub(crate) fn path(&self, place: Option<usize>) -> &'static str {
        self.of(place).path
    }

    pub(crate) fn count(&self, place: Option<usize>, method: &'static str, status: u16, seconds: f64) {
        let route = self.of(place);
        let meters = route.meters.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(meter) = meters.iter().find(|meter| meter.status == status && meter.method == method) {
            meter.requests.increment(1);
            meter.seconds.record(seconds);
            return;
        }
        drop(meters);
        let labels =
            [("route", route.path.to_owned()), ("method", method.to_owned()), ("status", status.to_string())];
        let requests = metrics::counter!("vestibule_http_requests_total", &labels);
        let [label, ..] = labels;
        let seconds_of = metrics::histogram!("vestibule_http_request_seconds", &[label]);
        requests.increment(1);
        seconds_of.record(seconds);
        let meter = Meter { method, status, requests, seconds: seconds_of };
        route.meters.write().unwrap_or_else(PoisonError::into_inner).push(meter);
    }
}
