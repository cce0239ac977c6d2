//! Incoming HTTP: the whole route table on one page, extractors that prove the caller, and the pages.

pub mod answer;
pub mod assets;
pub mod browser;
pub mod client_address;
pub mod cookies;
pub mod dialog_page;
pub mod first_page;
pub mod headers;
pub mod idempotency;
pub mod json_body;
pub mod listing;
pub mod messages;
pub mod oauth_answer;
pub mod oauth_form;
pub mod observe;
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
use axum::routing::{delete, get, options, patch, post};
use headers::Framing;
use ipnet::IpNet;
use kernel::ids::RequestIds;
use metrics_exporter_prometheus::PrometheusHandle;
use pages::RefusalKind;
use routes::{
    assets as files, callback, dialogs, health, integrations, jobs, landing, oidc, reports, service_tokens,
    start, tenants, webhook_endpoints, webhooks,
};
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
    meters: observe::Meters,
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
        let meters = observe::Meters::new(routes().into_iter().map(|route| route.path));
        let letters = first_page::Letters::default();
        Self(Arc::new(Parts { service, options, meters, request_ids, letters }))
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

    pub(crate) fn meters(&self) -> &observe::Meters {
        &self.0.meters
    }

    pub fn has_gallery(&self) -> bool {
        self.0.options.gallery
    }
}

/// The router of a gateway.
pub fn router(web: Web) -> Router {
    let (router, _) = table().into_parts();
    router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(observe::Observe(web.clone()))
        .with_state(web)
}

/// Every route with what its caller proves, for the reference and the tests.
pub fn routes() -> Vec<Route> {
    table().into_parts().1
}

/// The whole route table.
fn table() -> Table<Web> {
    let api = own_settings(runs(dead_letters(notices(changes(connections(api(Table::default())))))));
    operator(visitors(apps(partner_api(embed(api)))))
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
    let auth = "/{organization}/{connector}/auth";
    let report = "/reports/frames/{organization}";
    table
        .add(Method::GET, "/embed/v1.js", Proof::Nothing, "the embed script", get(files::embed_script))
        .add(Method::GET, "/embed/v1.d.ts", Proof::Nothing, "its types", get(files::embed_types))
        .add(Method::GET, "/static/{hash}/{name}", Proof::Nothing, "styles and scripts", get(files::asset))
        .add(Method::GET, auth, Proof::TenantToken, "auth-only page, token in the query", get(landing::get))
        .add(Method::POST, auth, Proof::TenantToken, "auth-only page, token in a form", post(landing::post))
        .add(Method::GET, "/dialogs/{dialog}", bearer, "the dialog's page", get(dialogs::page))
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

fn api(table: Table<Web>) -> Table<Web> {
    let read = Proof::ApiKey("tenants:read");
    let write = Proof::ApiKey("tenants:write");
    let integrations_read = Proof::ApiKey("integrations:read");
    let hook = "/v1/webhooks/{hash}";
    let disconnect = "/v2/tenants/{id}/connectors/{name}/disconnect";
    table
        .add(Method::POST, hook, Proof::WebhookSecret, "a delivery", post(webhooks::post))
        .add(Method::GET, hook, Proof::WebhookSecret, "a challenge", get(webhooks::get))
        .add(Method::GET, "/v1/tenants/{id}", read, "one tenant, v1 shape", get(tenants::get_v1))
        .add(Method::GET, "/v2/tenants", read, "tenants, v2 shape", get(tenants::list))
        .add(Method::GET, "/v2/tenants/{id}", read, "one tenant, v2 shape", get(tenants::get_v2))
        .add(Method::PATCH, disconnect, write, "disconnect a connector", patch(tenants::disconnect))
        .add(Method::GET, "/v2/integrations", integrations_read, "integrations", get(integrations::list))
        .add(
            Method::GET,
            "/v2/integrations/{id}",
            integrations_read,
            "one integration",
            get(integrations::get),
        )
}

/// What an organization's programs make and change: tenants, integrations, releases.
fn changes(table: Table<Web>) -> Table<Web> {
    use routes::{integration_changes, metadata, releases, tenant_changes};
    let (read, write) = (Proof::ApiKey(metadata::READ), Proof::ApiKey(tenant_changes::WRITE));
    let (look, build) = (Proof::ApiKey(releases::READ), Proof::ApiKey(releases::WRITE));
    let (tenant, about) = ("/v2/tenants/{id}", "/v2/tenants/{id}/metadata");
    let (integration, all) = ("/v2/integrations/{id}", "/v2/integrations/{id}/releases");
    let (default, latest) =
        ("/v2/integrations/{id}/releases/default", "/v2/integrations/{id}/releases/latest");
    table
        .add(Method::POST, "/v2/tenants", write, "a new tenant", post(tenant_changes::create))
        .add(Method::PATCH, tenant, write, "change a tenant", patch(tenant_changes::change))
        .add(Method::DELETE, tenant, write, "archive a tenant", delete(tenant_changes::archive))
        .add(Method::GET, about, read, "a tenant's metadata", get(metadata::get))
        .add(Method::PATCH, about, write, "merge into it", patch(metadata::merge))
        .add(Method::POST, "/v2/integrations", build, "a new one", post(integration_changes::create))
        .add(Method::PATCH, integration, build, "change an integration", patch(integration_changes::change))
        .add(Method::GET, all, look, "releases", get(releases::list))
        .add(Method::GET, default, look, "what `Default` means", get(releases::default))
        .add(Method::GET, latest, look, "the newest release", get(releases::latest))
        .add(Method::GET, "/v2/integrations/{id}/releases/{rid}", look, "one release", get(releases::get))
        .add(Method::POST, "/v2/sourcecontrol/build", build, "build a release", post(releases::build))
}

/// An organization's own settings.
fn own_settings(table: Table<Web>) -> Table<Web> {
    use routes::settings;
    let (read, write) = (Proof::ApiKey(settings::READ), Proof::ApiKey(settings::WRITE));
    let (origins, signing, keys) = ("/v2/origins", "/v2/signing-keys", "/v2/api-keys");
    table
        .add(
            Method::GET,
            "/v2/organizations",
            read,
            "the key's own organization",
            get(settings::organizations),
        )
        .add(Method::GET, origins, read, "who may frame pages", get(settings::origins))
        .add(Method::POST, origins, write, "one more origin", post(settings::add_origin))
        .add(Method::DELETE, origins, write, "one origin less", delete(settings::remove_origin))
        .add(Method::GET, signing, read, "signing keys", get(settings::signing_keys))
        .add(Method::POST, signing, write, "a new signing key", post(settings::add_signing_key))
        .add(Method::DELETE, "/v2/signing-keys/{key}", write, "ends it", delete(settings::revoke_signing_key))
        .add(Method::GET, keys, read, "API keys", get(settings::api_keys))
        .add(Method::POST, keys, write, "a new API key", post(settings::add_api_key))
        .add(Method::DELETE, "/v2/api-keys/{key}", write, "ends it", delete(settings::revoke_api_key))
        .add(
            Method::GET,
            "/v2/audit",
            Proof::ApiKey(settings::AUDIT),
            "who changed what",
            get(settings::audit),
        )
}

/// Where an organization hears of events, and what became of the messages.
fn notices(table: Table<Web>) -> Table<Web> {
    use webhook_endpoints as endpoints;
    let (read, write) = (Proof::ApiKey(endpoints::READ), Proof::ApiKey(endpoints::WRITE));
    let (all, one) = ("/v2/webhooks", "/v2/webhooks/{id}");
    let (message, replayed) = ("/v2/webhooks/messages/{id}", "/v2/webhooks/messages/{id}/replay");
    table
        .add(Method::GET, all, read, "webhook endpoints", get(endpoints::list))
        .add(Method::POST, all, write, "a new one, with its secret", post(endpoints::create))
        .add(Method::GET, one, read, "one webhook endpoint", get(endpoints::get))
        .add(Method::PATCH, one, write, "change it", patch(endpoints::change))
        .add(Method::DELETE, one, write, "delete it", delete(endpoints::delete))
        .add(Method::POST, "/v2/webhooks/{id}/rotate", write, "a new secret", post(endpoints::rotate))
        .add(Method::POST, "/v2/webhooks/{id}/test", write, "send it a sample", post(endpoints::test))
        .add(Method::POST, "/v2/webhooks/{id}/replay", write, "dead messages again", post(endpoints::replay))
        .add(Method::GET, "/v2/webhooks/{id}/attempts", read, "what was tried", get(endpoints::attempts))
        .add(Method::GET, "/v2/webhooks/{id}/messages", read, "its messages", get(endpoints::messages))
        .add(Method::GET, message, read, "one message, with its tries", get(endpoints::message))
        .add(Method::POST, replayed, write, "one message again", post(endpoints::replay_one))
}

/// Work that was given up.
fn dead_letters(table: Table<Web>) -> Table<Web> {
    let (read, write) = (Proof::ApiKey("jobs:read"), Proof::ApiKey("jobs:write"));
    table
        .add(Method::GET, "/v2/jobs", read, "what was given up", get(jobs::list))
        .add(Method::POST, "/v2/jobs/{job}/replay", write, "once more", post(jobs::replay))
        .add(Method::DELETE, "/v2/jobs/{job}", write, "delete it", delete(jobs::delete))
}

/// What is done with a tenant's connections.
fn connections(table: Table<Web>) -> Table<Web> {
    use routes::{calls, credentials};
    let (call, read) = (Proof::ApiKey(calls::SCOPE), Proof::ApiKey(credentials::SCOPE));
    let credential = "/v2/tenants/{id}/connectors/{name}/credential";
    let any = "/v2/tenants/{id}/connectors/{name}/call";
    let soap = "/v2/tenants/{id}/connectors/{name}/soap";
    let xml = "/v2/tenants/{id}/connectors/{name}/xml";
    table
        .add(Method::GET, credential, read, "a fresh credential", get(credentials::get))
        .add(Method::POST, any, call, "a call with the credential", post(calls::call))
        .add(Method::POST, soap, call, "the same, SOAP", post(calls::soap))
        .add(Method::POST, xml, call, "the same, XML", post(calls::xml))
}

/// Runs, and what integrations at URLs of their own call.
fn runs(table: Table<Web>) -> Table<Web> {
    use routes::{run_reports, runs};
    let (read, write) = (Proof::ApiKey(runs::READ), Proof::ApiKey(runs::WRITE));
    let (of_tenant, of_integration) = ("/v2/tenants/{id}/sync", "/v2/integrations/{id}/sync");
    let (status, log) = ("/v2/runs/triggers/{id}/status", "/v2/runs/{id}/log");
    let (report, credentials) = ("/v1/runs/{id}/report", "/v1/runs/{id}/credentials/{connector}");
    table
        .add(Method::POST, of_tenant, write, "ask for a run", post(runs::sync_tenant))
        .add(Method::POST, of_integration, write, "ask for a user's run", post(runs::sync_integration))
        .add(Method::GET, "/v2/tenants/{id}/runs", read, "a tenant's runs", get(runs::list))
        .add(Method::GET, status, read, "what a trigger became", get(runs::trigger_status))
        .add(Method::GET, "/v2/runs/{id}", read, "one run", get(runs::get))
        .add(Method::GET, log, read, "on to its log", get(runs::log))
        .add(Method::POST, "/v2/runs/{id}/cancel", write, "end it", post(runs::cancel))
        .add(Method::POST, "/v2/runs/{id}/rerun", write, "do it once more", post(runs::rerun))
        .add(Method::GET, "/v1/runs/{id}/log", Proof::SignedLink, "a run's log", get(runs::signed_log))
        .add(Method::POST, report, Proof::RunToken, "how a run stands", post(run_reports::report))
        .add(Method::GET, credentials, Proof::RunToken, "what a run may use", get(run_reports::credentials))
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
