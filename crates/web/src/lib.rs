//! Incoming HTTP: the whole route table on one page, extractors that prove the caller, and the pages.

pub mod answer;
mod api;
pub mod assets;
pub mod browser;
pub mod client_address;
pub mod cookies;
pub mod dialog_page;
pub mod first_page;
pub mod front;
pub mod headers;
pub mod idempotency;
pub mod json_body;
pub mod listing;
pub mod messages;
mod meters;
pub mod oauth_answer;
pub mod oauth_form;
pub mod openapi;
pub mod pages;
pub mod routes;
pub mod sso;
pub mod table;
pub mod texts;
pub mod who;
pub mod who_dialog;
pub mod who_enter;

use axum::Router;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, options, post};
use front::Front;
use headers::Framing;
use ipnet::IpNet;
use kernel::ids::RequestIds;
use metrics_exporter_prometheus::PrometheusHandle;
use pages::RefusalKind;
use routes::{assets as files, callback, dialogs, health, landing, oidc, reports, service_tokens, start};
use service::Service;
use std::sync::Arc;
use std::time::Duration;
use table::{Proof, Route, Table};

/// What every handler can reach.
#[derive(Debug, Clone)]
pub struct Web(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    service: Arc<Service>,
    options: Options,
    request_ids: RequestIds,
    letters: first_page::Letters,
}

/// What a gateway's HTTP can be told.
#[derive(Debug, Clone)]
pub struct Options {
    /// Renders `/metrics`.
    pub metrics: Option<PrometheusHandle>,
    /// Whether the sample of every page is shown at `/gallery`.
    pub gallery: bool,
    /// Proxies whose `X-Forwarded-For` counts, for the access log.
    pub trusted_proxies: Vec<IpNet>,
    /// How long an answer may take to begin.
    pub request_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let (trusted_proxies, request_timeout) = (Vec::new(), Duration::from_secs(30));
        Self { metrics: None, gallery: false, trusted_proxies, request_timeout }
    }
}

impl Web {
    /// `metrics` renders `/metrics`; with `gallery` the sample of every page is shown at `/gallery`.
    pub fn new(service: Arc<Service>, metrics: Option<PrometheusHandle>, gallery: bool) -> Self {
        Self::with(service, Options { metrics, gallery, ..Options::default() })
    }

    pub fn with(service: Arc<Service>, options: Options) -> Self {
        let request_ids = RequestIds::new(&*service.chance);
        let letters = first_page::Letters::default();
        Self(Arc::new(Parts { service, options, request_ids, letters }))
    }

    pub fn options(&self) -> &Options {
        &self.0.options
    }

    pub fn service(&self) -> &Arc<Service> {
        &self.0.service
    }

    pub fn metrics(&self) -> Option<&PrometheusHandle> {
        self.0.options.metrics.as_ref()
    }

    pub(crate) fn letters(&self) -> &first_page::Letters {
        &self.0.letters
    }

    pub(crate) fn request_ids(&self) -> &RequestIds {
        &self.0.request_ids
    }

    pub fn has_gallery(&self) -> bool {
        self.0.options.gallery
    }
}

/// What answers the requests of a gateway.
pub fn front(web: Web) -> Front {
    let (router, routes) = table().into_parts();
    let router =
        router.fallback(not_found).method_not_allowed_fallback(method_not_allowed).with_state(web.clone());
    Front::new(web, router, routes.into_iter().map(|route| route.path))
}

/// The same as a router of a library's.
pub fn router(web: Web) -> Router {
    front(web).into_router()
}

/// Every route with what its caller proves, for the reference and the tests.
pub fn routes() -> Vec<Route> {
    table().into_parts().1
}

/// The whole route table.
fn table() -> Table<Web> {
    operator(visitors(apps(partner_api(embed(api::api(Table::default()))))))
}

/// For partners' backends: `sso.v1` as JSON and gRPC, and what gRPC clients expect beside it.
fn partner_api(table: Table<Web>) -> Table<Web> {
    let table = enter::sso::Method::ALL.into_iter().fold(table, |table, method| {
        let proof = Proof::ServiceToken(method.scope().as_str());
        table.add(Method::POST, method.path(), proof, "JSON and gRPC", post(sso::call))
    });
    let nothing = Proof::Nothing;
    let (health_check, health_watch) = ("/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch");
    let reflect_v1 = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let reflect_v1alpha = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
    table
        .add(
            Method::POST,
            service_tokens::PATH,
            Proof::Assertion,
            "an assertion for a token, older form",
            post(service_tokens::post),
        )
        .add(Method::POST, health_check, nothing, "gRPC: whether it is well", post(sso::health))
        .add(Method::POST, health_watch, nothing, "gRPC: the same, and the stop", post(sso::health))
        .add(Method::POST, reflect_v1, nothing, "gRPC: what it offers", post(sso::reflect_v1))
        .add(Method::POST, reflect_v1alpha, nothing, "gRPC: the same, older", post(sso::reflect_v1alpha))
}

fn operator(table: Table<Web>) -> Table<Web> {
    let nothing = Proof::Nothing;
    table
        .add(Method::GET, "/", nothing, "what this is", get(files::home))
        .add(Method::GET, "/health/live", nothing, "the process runs", get(health::live))
        .add(Method::GET, "/health/ready", nothing, "the database answers", get(health::ready))
        .add(Method::GET, "/metrics", nothing, "Prometheus metrics", get(health::metrics))
        .add(Method::GET, "/openapi.json", nothing, "the REST API as OpenAPI 3.1", get(health::openapi))
        .add(Method::GET, "/robots.txt", nothing, "nothing here is for crawlers", get(files::robots))
        .add(Method::GET, "/favicon.ico", nothing, "the mark", get(files::favicon))
        .add(Method::GET, "/gallery", nothing, "every page as a sample, in the demo", get(files::gallery))
        .add(Method::GET, "/gallery/{specimen}", nothing, "one sample page", get(files::specimen))
}

fn embed(table: Table<Web>) -> Table<Web> {
    let (bearer, change) = (Proof::DialogBearer, Proof::DialogBearerAndOrigin);
    let auth = landing::ROUTE;
    let report = "/reports/frames/{organization}";
    table
        .add(Method::GET, "/embed/v1.js", Proof::Nothing, "the embed script", get(files::embed_script))
        .add(Method::GET, "/embed/v1.d.ts", Proof::Nothing, "its types", get(files::embed_types))
        .add(Method::GET, "/static/{hash}/{name}", Proof::Nothing, "styles and scripts", get(files::asset))
        .add(Method::GET, auth, Proof::TenantToken, "auth-only page, token in the query", get(landing::get))
        .add(Method::POST, auth, Proof::TenantToken, "auth-only page, token in a form", post(landing::post))
        .add(Method::GET, dialogs::ROUTE, bearer, "the dialog's page", get(dialogs::page))
        .add(Method::GET, "/dialogs/{dialog}/state", bearer, "its state as JSON", get(dialogs::state))
        .add(Method::GET, "/dialogs/{dialog}/events", bearer, "its state as events", get(dialogs::events))
        .add(Method::POST, "/dialogs/{dialog}/start", change, "a fresh start link", post(dialogs::start_link))
        .add(Method::POST, "/dialogs/{dialog}/identity", change, "yes, that is me", post(dialogs::identity))
        .add(Method::POST, "/dialogs/{dialog}/inputs", change, "what the form asks", post(dialogs::inputs))
        .add(Method::POST, "/dialogs/{dialog}/code", change, "the short code", post(dialogs::code))
        .add(Method::POST, "/dialogs/{dialog}/confirm", change, "take the credential", post(dialogs::confirm))
        .add(Method::POST, "/dialogs/{dialog}/choose", change, "one of several", post(dialogs::choose))
        .add(Method::POST, "/dialogs/{dialog}/retry", change, "once more", post(dialogs::retry))
        .add(Method::POST, "/dialogs/{dialog}/cancel", change, "not now", post(dialogs::cancel))
        .add(Method::POST, "/dialogs/{dialog}/disconnect", change, "take it away", post(dialogs::disconnect))
        .add(
            Method::POST,
            "/dialogs/{dialog}/announcement",
            change,
            "tell the parent",
            post(dialogs::announcement),
        )
        .add(
            Method::POST,
            report,
            Proof::Nothing,
            "a browser's report of a frame it refused",
            post(reports::frame),
        )
        .add(Method::GET, "/start/{ticket}", Proof::StartTicket, "on to the outside system", get(start::get))
        .add(Method::GET, "/oauth2/callback", Proof::StateAndCookie, "back from it", get(callback::get))
        .add(
            Method::POST,
            "/oauth2/callback",
            Proof::OwnCookieAndOrigin,
            "one of several",
            post(callback::post),
        )
}

/// What apps call as OpenID Connect clients.
fn apps(table: Table<Web>) -> Table<Web> {
    let (nothing, client, user) = (Proof::Nothing, Proof::Client, Proof::UserToken("openid"));
    let asks = "whether a page may ask";
    let table = table
        .add(
            Method::GET,
            "/.well-known/openid-configuration",
            nothing,
            "what apps find here",
            get(oidc::discovery::configuration),
        )
        .add(
            Method::GET,
            "/.well-known/oauth-authorization-server",
            nothing,
            "the same (RFC 8414)",
            get(oidc::discovery::configuration),
        )
        .add(
            Method::GET,
            "/oauth2/v1/certs",
            nothing,
            "the issuer's public keys",
            get(oidc::discovery::certs),
        )
        .add(Method::POST, "/oauth2/token", client, "tokens", post(oidc::token::post))
        .add(Method::GET, "/oauth2/user-info", user, "the user's claims", get(oidc::user_info::get))
        .add(Method::POST, "/oauth2/user-info", user, "the user's claims", post(oidc::user_info::post));
    let table = table
        .add(Method::POST, "/oauth2/revoke", client, "ends a token", post(oidc::tokens::revoke))
        .add(
            Method::POST,
            "/oauth2/introspect",
            client,
            "what a token is worth",
            post(oidc::tokens::introspect),
        )
        .add(Method::POST, "/oauth2/par", client, "an authorization request", post(oidc::tokens::push));
    let asked = ["/oauth2/token", "/oauth2/user-info", "/oauth2/revoke", "/oauth2/par"];
    asked.into_iter().fold(table, |table, path| {
        table.add(Method::OPTIONS, path, nothing, asks, options(oauth_answer::preflight))
    })
}

/// The browser's side of the second door.
fn visitors(table: Table<Web>) -> Table<Web> {
    use routes::enter::{access_check, authorize, consents, entry, link, logout};
    let (session, bound) = (Proof::Session, Proof::OwnCookieAndOrigin);
    let (auth, account, token) = ("/oauth2/auth", "/oauth2/auth/account", Proof::UserToken("openid"));
    table
        .add(Method::GET, auth, session, "authorize request", get(authorize::get))
        .add(Method::POST, auth, session, "authorize request as a form", post(authorize::post))
        .add(Method::GET, account, session, "a search among accounts", get(authorize::search))
        .add(Method::POST, account, bound, "the chosen account", post(authorize::account))
        .add(Method::POST, "/oauth2/auth/consent", bound, "what an app may know", post(authorize::consent))
        .add(Method::GET, "/enter", Proof::EntryCode, "an entry from a partner", get(entry::get))
        .add(Method::GET, "/enter/continue", session, "back without a code", get(entry::without_code))
        .add(Method::POST, "/enter/confirm", bound, "continue as somebody else", post(entry::confirm))
        .add(Method::GET, "/service-gateway", session, "a link into an app", get(link::get))
        .add(Method::GET, "/oauth2/logout", session, "sign out", get(logout::get))
        .add(Method::POST, "/oauth2/logout", session, "sign out, as a form", post(logout::post))
        .add(Method::POST, "/oauth2/logout/confirm", bound, "yes, sign out", post(logout::confirm))
        .add(Method::GET, "/oauth2/consents", session, "what apps may know", get(consents::get))
        .add(Method::POST, "/oauth2/consents", bound, "take it back", post(consents::post))
        .add(Method::GET, "/oauth2/access-check", token, "may the user?", get(access_check::get))
}

async fn not_found(
    axum::extract::State(web): axum::extract::State<Web>,
    _: who::Here,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if sso::is_meant(uri.path(), &headers) {
        return sso::no_such_method(sso::encoding(&headers));
    }
    answer::other(&web, &headers, RefusalKind::NotFound, &Framing::Anyone)
}

async fn method_not_allowed(
    axum::extract::State(web): axum::extract::State<Web>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    answer::other(&web, &headers, RefusalKind::MethodNotAllowed, &Framing::Anyone)
}
