//! The REST API's part of the route table, and what outside systems and runs call.

use crate::Web;
use crate::routes::{integrations, jobs, tenants, webhook_endpoints, webhooks};
use crate::table::{Proof, Table};
use axum::http::Method;
use axum::routing::{delete, get, patch, post, put};

/// All of it.
pub(crate) fn api(table: Table<Web>) -> Table<Web> {
    own_settings(outside(runs(dead_letters(notices(changes(connections(published(table))))))))
}

/// What was there from the beginning.
fn published(table: Table<Web>) -> Table<Web> {
    let read = Proof::ApiKey("tenants:read");
    let write = Proof::ApiKey("tenants:write");
    let integrations_read = Proof::ApiKey("integrations:read");
    let hook = webhooks::ROUTE;
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
    use crate::routes::{integration_changes, metadata, releases, tenant_changes};
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
    use crate::routes::{audit, settings};
    let (read, write) = (Proof::ApiKey(settings::READ), Proof::ApiKey(settings::WRITE));
    let (origins, signing, keys) = ("/v2/origins", "/v2/signing-keys", "/v2/api-keys");
    let rotate = "/v2/signing-keys/{key}/rotate";
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
        .add(Method::POST, rotate, write, "a new secret for it", post(settings::rotate_signing_key))
        .add(Method::GET, keys, read, "API keys", get(settings::api_keys))
        .add(Method::POST, keys, write, "a new API key", post(settings::add_api_key))
        .add(Method::DELETE, "/v2/api-keys/{key}", write, "ends it", delete(settings::revoke_api_key))
        .add(Method::GET, "/v2/audit", Proof::ApiKey(audit::READ), "who changed what", get(audit::list))
}

/// Outside systems, who comes from there, and where they deliver.
fn outside(table: Table<Web>) -> Table<Web> {
    use crate::routes::{connectors, inbound_webhooks as inbound, users};
    let (read, write) = (Proof::ApiKey(connectors::READ), Proof::ApiKey(connectors::WRITE));
    let (all, one) = ("/v2/connectors", "/v2/connectors/{name}");
    let (addresses, rotate) = ("/v2/tenants/{id}/webhooks", "/v2/tenants/{id}/webhooks/rotate");
    let (seen, rotated) = (Proof::ApiKey(inbound::READ), Proof::ApiKey(inbound::WRITE));
    let people = Proof::ApiKey(users::READ);
    table
        .add(Method::GET, all, read, "connectors", get(connectors::list))
        .add(Method::POST, all, write, "an own one, or a new version", post(connectors::put))
        .add(Method::GET, one, read, "one connector", get(connectors::get))
        .add(Method::PUT, "/v2/connectors/{name}/app", write, "its app", put(connectors::put_app))
        .add(Method::GET, "/v2/users", people, "users", get(users::list))
        .add(Method::GET, "/v2/users/{id}", people, "one user", get(users::get))
        .add(Method::GET, addresses, seen, "where it takes deliveries", get(inbound::list))
        .add(Method::POST, rotate, rotated, "a new address", post(inbound::rotate))
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
    use crate::routes::{calls, credentials};
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
    use crate::routes::{run_reports, runs};
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
