//! Seven sites on one port: which is meant is read from `Host`, as a browser sends it.

use askama::Template;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use base64::Engine as _;
use tower::ServiceExt as _;

/// One of the demo's sites. Names below `localhost` are this machine everywhere (RFC 6761, section 6.3), and
/// browsers take each for a site of its own, so that cookies between them are third-party ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Site {
    Gateway,
    Acme,
    Harbor,
    Ledger,
    Meridian,
    Beacon,
    Tour,
}

impl Site {
    pub(crate) const ALL: [Self; 7] =
        [Self::Gateway, Self::Acme, Self::Harbor, Self::Ledger, Self::Meridian, Self::Beacon, Self::Tour];

    const fn label(self) -> &'static str {
        match self {
            Self::Gateway => "connect",
            Self::Acme => "acme",
            Self::Harbor => "harbor",
            Self::Ledger => "ledger",
            Self::Meridian => "meridian",
            Self::Beacon => "beacon",
            Self::Tour => "tour",
        }
    }
}

/// Where the sites are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) port: u16,
}

impl Addresses {
    /// `acme.localhost:8400`.
    pub(crate) fn authority(self, site: Site) -> String {
        format!("{}.localhost:{}", site.label(), self.port)
    }

    /// `http://acme.localhost:8400`: no slash at the end.
    pub(crate) fn origin(self, site: Site) -> String {
        format!("http://{}", self.authority(site))
    }

    fn site(self, host: &str) -> Option<Site> {
        Site::ALL.into_iter().find(|site| host.eq_ignore_ascii_case(&self.authority(*site)))
    }
}

/// The seven routers.
#[derive(Debug, Clone)]
pub(crate) struct Sites {
    pub(crate) addresses: Addresses,
    pub(crate) gateway: Router,
    pub(crate) acme: Router,
    pub(crate) harbor: Router,
    pub(crate) ledger: Router,
    pub(crate) meridian: Router,
    pub(crate) beacon: Router,
    pub(crate) tour: Router,
}

impl Sites {
    /// One router that asks the right one. The bare address leads to the tour.
    pub(crate) fn into_router(self) -> Router {
        Router::new().fallback(dispatch).with_state(self)
    }
}

async fn dispatch(State(sites): State<Sites>, request: Request) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let router = match sites.addresses.site(host) {
        Some(Site::Gateway) => sites.gateway,
        Some(Site::Acme) => sites.acme,
        Some(Site::Harbor) => sites.harbor,
        Some(Site::Ledger) => sites.ledger,
        Some(Site::Meridian) => sites.meridian,
        Some(Site::Beacon) => sites.beacon,
        Some(Site::Tour) => sites.tour,
        None if is_bare(host) => return Redirect::to(&sites.addresses.origin(Site::Tour)).into_response(),
        None => return (StatusCode::MISDIRECTED_REQUEST, "no such site in this demo\n").into_response(),
    };
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn is_bare(host: &str) -> bool {
    matches!(host.rsplit_once(':').map_or(host, |(name, _)| name), "localhost" | "127.0.0.1")
}

/// What every page of a stand-in knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Links {
    addresses: Addresses,
}

impl Links {
    pub(crate) const fn new(addresses: Addresses) -> Self {
        Self { addresses }
    }

    pub(crate) fn gateway(&self) -> String {
        self.addresses.origin(Site::Gateway)
    }

    pub(crate) fn acme(&self) -> String {
        self.addresses.origin(Site::Acme)
    }

    pub(crate) fn harbor(&self) -> String {
        self.addresses.origin(Site::Harbor)
    }

    pub(crate) fn ledger(&self) -> String {
        self.addresses.origin(Site::Ledger)
    }

    pub(crate) fn meridian(&self) -> String {
        self.addresses.origin(Site::Meridian)
    }

    pub(crate) fn beacon(&self) -> String {
        self.addresses.origin(Site::Beacon)
    }

    pub(crate) fn tour(&self) -> String {
        self.addresses.origin(Site::Tour)
    }
}

/// A page of a stand-in, with a policy that any careful company would send. Forms may lead to the gateway and on to
/// Beacon: Acme posts its token, Harbor's consent is answered with the way back, and whoever signs in at Meridian on
/// the way to an app is sent on through both.
pub(crate) fn page(addresses: Addresses, status: u16, template: &impl Template) -> Response {
    let [gateway, beacon] = [Site::Gateway, Site::Beacon].map(|site| addresses.origin(site));
    let policy = format!(
        "default-src 'none'; script-src 'self' {gateway}; style-src 'self' {gateway}; img-src 'self' data:; \
         connect-src 'self'; frame-src {gateway}; form-action 'self' {gateway} {beacon}; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    let html = match template.render() {
        Ok(html) => html,
        Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

macro_rules! files {
    ($($path:literal: $kind:literal, $file:literal;)*) => {
        const FILES: &[(&str, &str, &str)] = &[
            $(($path, $kind, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/", $file)))),*
        ];
    };
}

files! {
    "/demo.css": "text/css; charset=utf-8", "demo/demo.css";
    "/tour.css": "text/css; charset=utf-8", "demo/tour.css";
    "/acme.js": "text/javascript; charset=utf-8", "demo/acme.js";
    "/tour.js": "text/javascript; charset=utf-8", "demo/tour.js";
    "/copy.js": "text/javascript; charset=utf-8", "demo/copy.js";
    "/acme.svg": "image/svg+xml", "demo/acme.svg";
    "/harbor.svg": "image/svg+xml", "demo/harbor.svg";
    "/ledger.svg": "image/svg+xml", "demo/ledger.svg";
    "/meridian.svg": "image/svg+xml", "demo/meridian.svg";
    "/beacon.svg": "image/svg+xml", "demo/beacon.svg";
    "/mark.svg": "image/svg+xml", "mark.svg";
}

/// The styles, scripts and pictures of the stand-ins, at every one of them.
pub(crate) fn with_files<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    FILES.iter().fold(router, |router, (path, kind, text)| {
        let headers = [(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, "no-cache")];
        router.route(path, get(move || async move { (headers, *text) }))
    })
}

/// A picture as a `data:` URL, for where a page of another site shows it.
pub(crate) fn picture(path: &str) -> String {
    let found = FILES.iter().find(|(known, ..)| *known == path).map_or("", |(_, _, text)| text);
    let encoded = base64::engine::general_purpose::STANDARD.encode(found);
    format!("data:image/svg+xml;base64,{encoded}")
}

/// The value of a cookie.
pub(crate) fn cookie(request_headers: &axum::http::HeaderMap, name: &str) -> Option<String> {
    let all = request_headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
}

/// On to `to`, with a cookie of this site set; an empty value takes it away.
pub(crate) fn redirect_with_cookie(to: &str, name: &str, value: &str) -> Response {
    let ends = if value.is_empty() { "; Max-Age=0" } else { "" };
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{ends}");
    let mut response = Redirect::to(to).into_response();
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// JSON with a status.
pub(crate) fn json(status: u16, value: &serde_json::Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, Body::from(value.to_string())).into_response()
}

/// The token of `Authorization: Bearer ..`.
pub(crate) fn bearer(headers: &axum::http::HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_known_by_its_host_and_port() {
        let addresses = Addresses { port: 8400 };
        assert_eq!(addresses.site("ACME.localhost:8400"), Some(Site::Acme));
        for other in ["acme.localhost", "acme.localhost:8401", "evil.acme.localhost:8400", "localhost:8400"] {
            assert_eq!(addresses.site(other), None, "{other}");
        }
        assert!(is_bare("127.0.0.1:8400") && is_bare("localhost:8400") && !is_bare("evil.example:8400"));
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = axum::http::HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("xuser=ben; user=anna"));
        assert_eq!(cookie(&headers, "user").as_deref(), Some("anna"));
        assert_eq!(cookie(&headers, "use"), None);
    }

    #[test]
    fn pictures_stand_in_the_page() {
        assert!(picture("/harbor.svg").starts_with("data:image/svg+xml;base64,PHN2Z"));
    }
}
