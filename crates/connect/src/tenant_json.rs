//! The published shapes of tenants and integrations (contract `connect.md`, sections 5 and 6), with their fields
//! in the published order.

use crate::connection::{Connection, Status};
use crate::dialog::Visitor;
use crate::integration::Integration;
use crate::run::show::Runs;
use crate::tenant::Tenant;
use kernel::ids::{IntegrationId, ReleaseId, TenantId};
use kernel::{Brand, Slug, User};
use serde_json::{Map, Value, json};

/// Everything that a tenant's JSON is made of.
#[derive(Debug, Clone, Copy)]
pub struct TenantView<'a> {
    pub tenant: &'a Tenant,
    pub integration: (IntegrationId, &'a Slug),
    /// The tenant's release and its name, where it has one.
    pub release: Option<(ReleaseId, &'a str)>,
    pub user: &'a User,
    /// In the order in which they are shown.
    pub connections: &'a [Connection],
    pub runs: &'a Runs,
    /// `Organization::namespace`.
    pub namespace: &'a str,
    pub brand: &'a Brand,
    /// The gateway's issuer in the tenant's environment.
    pub issuer: &'a str,
}

/// The v1 shape: the message `{brand}-success` and `GET /v1/tenants/{id}`.
pub fn v1(view: &TenantView<'_>) -> Value {
    let tenant = view.tenant;
    let mut auth = Map::new();
    auth.insert("connected".to_owned(), json!(all_connected(view.connections)));
    for connection in view.connections {
        let name = variable(connection.connector.as_str());
        auth.insert(format!("{name}_AUTH_STATUS"), json!(connection.status.as_str()));
        auth.insert(format!("{name}_LAST_CHANGE"), json!(connection.last_change.iso_centis()));
    }
    json!({
        "archived": tenant.archived.is_some(),
        "name": tenant.name,
        "namespace": view.namespace,
        "configs": tenant.configs,
        "created_date": tenant.created.iso_micros(),
        "paused": tenant.paused,
        "user_schedule": tenant.user_schedule,
        "schedule": tenant.schedule,
        "source": tenant.source.as_str(),
        "integration": { "id": view.integration.0, "name": view.integration.1 },
        "integration_release": view.release.map(|(id, name)| json!({ "id": id, "name": name })),
        "integration_release_channel": channel(tenant),
        "id": tenant.id,
        "modified_date": tenant.modified.iso_micros(),
        "connected_users": { view.brand.as_str(): user(view.user, view.namespace, view.issuer) },
        "status": status(tenant.id, view.runs, Value::Object(auth)),
    })
}

/// The v2 shape: `GET /v2/tenants` and `GET /v2/tenants/{id}`.
pub fn v2(
    tenant: &Tenant,
    connections: &[Connection],
    runs: &Runs,
    release: Option<ReleaseId>,
    namespace: &str,
) -> Value {
    let connectors: Vec<Value> = connections
        .iter()
        .map(|connection| {
            json!({
                "name": connection.connector,
                "status": connection.status.as_str(),
                "last_change": connection.last_change.iso_centis(),
            })
        })
        .collect();
    json!({
        "id": tenant.id,
        "name": tenant.name,
        "namespace": namespace,
        "archived": tenant.archived.is_some(),
        "integration_id": tenant.integration,
        "integration_release_id": release,
        "integration_release_channel": channel(tenant),
        "source": tenant.source.as_str(),
        "paused": tenant.paused,
        "user_schedule": tenant.user_schedule,
        "schedule": tenant.schedule,
        "configs": tenant.configs,
        "created_date": tenant.created.iso_micros(),
        "modified_date": tenant.modified.iso_micros(),
        "status": status(
            tenant.id,
            runs,
            json!({ "connected": all_connected(connections), "connectors": connectors }),
        ),
        // Ours, behind what is published.
        "time_zone": tenant.time_zone,
    })
}

/// An integration in the v2 shape. `is_global` tells the connectors that ship with the gateway from the
/// organization's own. What needs a catalogue is empty until there is one.
pub fn integration_v2(integration: &Integration, is_global: impl Fn(&Slug) -> bool) -> Value {
    let repository = integration.repository.as_ref();
    let named = integration.own_connector.iter().chain(&integration.connectors);
    let connectors: Vec<Value> =
        named.map(|name| json!({ "name": name, "isGlobal": is_global(name) })).collect();
    json!({
        "id": integration.id,
        "name": integration.name,
        "long_name": integration.long_name,
        "type": if integration.external { "External" } else { "Internal" },
        "created_date": integration.created.iso_micros(),
        "modified_date": integration.modified.iso_micros(),
        "connectors": connectors,
        "repository_path": repository.and_then(|it| it.path.as_deref()),
        "repository_tracking_branch": repository.and_then(|it| it.branch.as_deref()),
        "repository_url": repository.map(|it| it.url.as_str()),
        "categories": [],
        "tags": [],
        "flag": null,
        "default_release_id": integration.default_release,
        "default_release_channel": integration.channel.as_str(),
    })
}

/// What a user keeps of the token, as it is shown under `attributes.jwt`. `token` in `xti` is masked already.
pub fn user_attributes(visitor: &Visitor, namespace: &str, issuer: &str) -> Value {
    let extra = (!visitor.extra.is_null()).then(|| visitor.extra.to_string());
    json!({
        "display_name": visitor.display_name,
        "full_name": visitor.full_name,
        "external_integrations": visitor.external_integrations.join(","),
        "auditable_uid": visitor.acting_id,
        "auditable_display_name": visitor.acting_name,
        "extra_tenant_info": extra,
        "namespace": namespace,
        "keycloak_uri": issuer,
    })
}

/// A tenant with a release of its own follows no channel.
fn channel(tenant: &Tenant) -> Option<&'static str> {
    tenant.release.is_none().then(|| tenant.channel.as_str())
}

/// Whether a text may be a tenant's name: lower-case letters and digits, `-` inside, at most 63 characters.
pub fn is_tenant_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=NAME).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// The longest name of a tenant, in characters.
const NAME: usize = 63;

/// A tenant's name from its user and its integration: lower-case letters and digits, `-` inside, at most 63
/// characters. With `taken`, the tenant's own number is added, because another tenant has the plain name.
pub fn tenant_name(username: &str, integration: &Slug, taken: Option<TenantId>) -> String {
    let user = Some(dashed(username)).filter(|user| !user.is_empty()).unwrap_or_else(|| "user".to_owned());
    let number = taken.map(|id| format!("-{id}")).unwrap_or_default();
    let integration = cut(&dashed(integration.as_str()), 30);
    let user = cut(&user, NAME - integration.len() - 1 - number.len());
    format!("{user}-{integration}{number}")
}

fn dashed(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

fn cut(text: &str, longest: usize) -> String {
    text.chars().take(longest).collect::<String>().trim_end_matches('-').to_owned()
}

/// Whose a tenant is: a member of `connected_users`, and `GET /v2/users`.
pub fn user(user: &User, namespace: &str, issuer: &str) -> Value {
    let mut jwt = user.attributes.clone();
    // Stored when the user last came; these two are facts of the gateway, and its address may have moved since.
    if let Some(jwt) = jwt.as_object_mut() {
        jwt.insert("namespace".to_owned(), json!(namespace));
        jwt.insert("keycloak_uri".to_owned(), json!(issuer));
    }
    json!({
        "id": user.id.to_string(),
        "email": user.email,
        "username": user.username,
        "attributes": { "jwt": jwt },
        "first_name": null,
        "last_name": null,
        "email_verified": user.email.is_some(),
        "enabled": true,
        "realm_id": namespace,
        "created_timestamp": user.created.millis(),
    })
}

fn status(tenant: TenantId, runs: &Runs, auth: Value) -> Value {
    let mut status = runs.status(tenant);
    status.insert("auth".to_owned(), auth);
    Value::Object(status)
}

fn all_connected(connections: &[Connection]) -> bool {
    !connections.is_empty() && connections.iter().all(|connection| connection.status == Status::Connected)
}

/// A connector's name as part of a variable: upper-case, other characters to `_`.
pub fn variable(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}
