//! What is kept: one file per table family, with its SQL, its functions and how a row becomes a noun.
//!
//! Every finder takes the organization, so that one organization can never see another's rows. The only
//! exceptions are look-ups by a secret's hash (a dialog's bearer, a state, a webhook's secret, an API key):
//! whoever presents the secret has named the row. No rule is decided here; guards in the SQL make true what the
//! rules have decided, and say so.

pub mod api_keys;
pub mod attempts;
pub mod audit;
pub mod authorization_codes;
pub mod connections;
pub mod connector_apps;
pub mod data_keys;
pub mod db;
pub mod deliveries;
pub mod dialogs;
pub mod grants;
pub mod integrations;
pub mod issuer_keys;
pub mod listing;
pub mod migrate;
pub mod organization_connectors;
pub mod organizations;
pub mod origins;
pub mod pushed_requests;
pub mod refresh_tokens;
pub mod refusals;
pub mod retention;
pub mod revoked_tokens;
pub mod schema;
pub mod signing_keys;
mod statements;
pub mod tenants;
pub mod triggers;
pub mod users;
pub mod webhooks;

pub use db::{Config, Db, DbError, Query, Row, Synchronous, Tx, next_id, sql};
pub use listing::{Listed, Page};
pub use migrate::{migrate, pending};

/// Every SQL text of this room with its place, for tests.
pub fn all_statements() -> Vec<(String, String)> {
    let Ok(organization) = kernel::ids::OrganizationId::parse("org_00000000000000000000000000") else {
        return vec![];
    };
    let named = |file: &'static str, list: &[(&'static str, &'static str)]| {
        list.iter().map(|(name, text)| (format!("{file}::{name}"), (*text).to_owned())).collect::<Vec<_>>()
    };
    let composed = |file: &str, list: Vec<String>| {
        list.into_iter().map(|text| (format!("{file} (composed)"), text)).collect::<Vec<_>>()
    };
    [
        named("api_keys", api_keys::STATEMENTS),
        named("attempts", attempts::STATEMENTS),
        named("audit", audit::STATEMENTS),
        named("authorization_codes", authorization_codes::STATEMENTS),
        named("connections", connections::STATEMENTS),
        named("connector_apps", connector_apps::STATEMENTS),
        named("data_keys", data_keys::STATEMENTS),
        named("deliveries", deliveries::STATEMENTS),
        named("dialogs", dialogs::STATEMENTS),
        named("grants", grants::STATEMENTS),
        named("integrations", integrations::STATEMENTS),
        named("issuer_keys", issuer_keys::STATEMENTS),
        named("migrate", migrate::STATEMENTS),
        named("organization_connectors", organization_connectors::STATEMENTS),
        named("organizations", organizations::STATEMENTS),
        named("origins", origins::STATEMENTS),
        named("pushed_requests", pushed_requests::STATEMENTS),
        named("refresh_tokens", refresh_tokens::STATEMENTS),
        named("refusals", refusals::STATEMENTS),
        named("revoked_tokens", revoked_tokens::STATEMENTS),
        named("signing_keys", signing_keys::STATEMENTS),
        named("tenants", tenants::STATEMENTS),
        named("triggers", triggers::STATEMENTS),
        named("users", users::STATEMENTS),
        named("webhooks", webhooks::STATEMENTS),
        composed("connections", connections::composed()),
        composed("integrations", integrations::composed()),
        composed("tenants", tenants::composed(&organization)),
    ]
    .concat()
}

/// Has a migrated database check every SQL text of this room; how many there are.
///
/// # Errors
/// [`DbError::Bug`] with the place of the first one that it does not accept.
pub async fn check_statements(db: &Db) -> Result<usize, DbError> {
    let statements = all_statements();
    let count = statements.len();
    db.read(move |tx| {
        Box::pin(async move {
            for (place, text) in &statements {
                let prepared = tx.prepare(text).await;
                prepared.map_err(|error| DbError::Bug(format!("{place}: {error}")))?;
            }
            Ok(count)
        })
    })
    .await
}
