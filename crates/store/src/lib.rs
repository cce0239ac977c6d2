//! What is kept: one file per table family, with its SQL, its functions and how a row becomes a noun.
//!
//! Every finder takes the organization, so that one organization can never see another's rows. The only
//! exceptions are look-ups by a secret's hash (a dialog's bearer, a state, a webhook's secret, an API key):
//! whoever presents the secret has named the row. No rule is decided here; guards in the SQL make true what the
//! rules have decided, and say so.

pub mod accounts;
pub mod activations;
pub mod api_keys;
pub mod apps;
pub mod associations;
pub mod attempts;
pub mod audit;
pub mod clients;
pub mod connections;
pub mod connector_apps;
pub mod consents;
pub mod data_keys;
pub mod db;
pub mod deliveries;
pub mod dialogs;
pub mod dynamic_configs;
pub mod entry_codes;
pub mod events;
pub mod grants;
pub mod held_entries;
pub mod idempotency_keys;
pub mod integrations;
pub mod issuer_keys;
pub mod jobs;
pub mod listing;
pub mod logout_notices;
pub mod migrate;
pub mod notice_endpoints;
pub mod notices;
pub mod organization_connectors;
pub mod organizations;
pub mod origins;
pub mod partners;
pub mod pending_requests;
pub mod people;
pub mod pushed_requests;
pub mod refresh_tokens;
pub mod refusals;
pub mod releases;
pub mod reruns;
pub mod retention;
pub mod revision;
pub mod revoked_tokens;
pub mod run_logs;
pub mod runs;
pub mod schedules;
pub mod schema;
pub mod service_accounts;
pub mod session_apps;
pub mod sessions;
pub mod signing_keys;
pub mod standings;
mod statements;
pub mod tenant_metadata;
pub mod tenants;
pub mod triggers;
pub mod used_assertions;
pub mod users;
pub mod visits;
pub mod webhooks;

pub use db::{Config, Db, DbError, Query, Row, Synchronous, Tx, next_id, sql};
pub use listing::{Kept, Listed, Page};
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
        named("accounts", accounts::STATEMENTS),
        named("activations", activations::STATEMENTS),
        named("api_keys", api_keys::STATEMENTS),
        named("apps", apps::STATEMENTS),
        named("associations", associations::STATEMENTS),
        named("attempts", attempts::STATEMENTS),
        named("audit", audit::STATEMENTS),
        named("clients", clients::STATEMENTS),
        named("connections", connections::STATEMENTS),
        named("connector_apps", connector_apps::STATEMENTS),
        named("consents", consents::STATEMENTS),
        named("data_keys", data_keys::STATEMENTS),
        named("deliveries", deliveries::STATEMENTS),
        named("dialogs", dialogs::STATEMENTS),
        named("dynamic_configs", dynamic_configs::STATEMENTS),
        named("entry_codes", entry_codes::STATEMENTS),
        named("events", events::STATEMENTS),
        named("grants", grants::STATEMENTS),
        named("held_entries", held_entries::STATEMENTS),
        named("idempotency_keys", idempotency_keys::STATEMENTS),
        named("integrations", integrations::STATEMENTS),
        named("issuer_keys", issuer_keys::STATEMENTS),
        named("jobs", jobs::STATEMENTS),
        named("jobs/birth", jobs::birth::STATEMENTS),
        named("jobs/claim", jobs::claim::STATEMENTS),
        named("jobs/letters", jobs::letters::STATEMENTS),
        named("jobs/outcome", jobs::outcome::STATEMENTS),
        named("logout_notices", logout_notices::STATEMENTS),
        named("migrate", migrate::STATEMENTS),
        named("notice_endpoints", notice_endpoints::STATEMENTS),
        named("notices", notices::STATEMENTS),
        named("notices/log", notices::log::STATEMENTS),
        named("notices/replay", notices::replay::STATEMENTS),
        named("notices/tell", notices::tell::STATEMENTS),
        named("organization_connectors", organization_connectors::STATEMENTS),
        named("organizations", organizations::STATEMENTS),
        named("origins", origins::STATEMENTS),
        named("pending_requests", pending_requests::STATEMENTS),
        named("pushed_requests", pushed_requests::STATEMENTS),
        named("refresh_tokens", refresh_tokens::STATEMENTS),
        named("partners", partners::STATEMENTS),
        named("people", people::STATEMENTS),
        named("refusals", refusals::STATEMENTS),
        named("releases", releases::STATEMENTS),
        named("releases/parts", releases::parts::STATEMENTS),
        named("releases/retirement", releases::retirement::STATEMENTS),
        named("reruns", reruns::STATEMENTS),
        named("revision", revision::STATEMENTS),
        named("revoked_tokens", revoked_tokens::STATEMENTS),
        named("run_logs", run_logs::STATEMENTS),
        named("runs", runs::STATEMENTS),
        named("runs/arriving", runs::arriving::STATEMENTS),
        named("runs/ended", runs::ended::STATEMENTS),
        named("runs/over", runs::over::STATEMENTS),
        named("runs/standing", runs::standing::STATEMENTS),
        named("schedules", schedules::STATEMENTS),
        named("service_accounts", service_accounts::STATEMENTS),
        named("session_apps", session_apps::STATEMENTS),
        named("sessions", sessions::STATEMENTS),
        named("signing_keys", signing_keys::STATEMENTS),
        named("tenant_metadata", tenant_metadata::STATEMENTS),
        named("standings", standings::STATEMENTS),
        named("tenants", tenants::STATEMENTS),
        named("triggers", triggers::STATEMENTS),
        named("used_assertions", used_assertions::STATEMENTS),
        named("users", users::STATEMENTS),
        named("visits", visits::STATEMENTS),
        named("webhooks", webhooks::STATEMENTS),
        composed("audit", audit::composed()),
        composed("connections", connections::composed()),
        composed("integrations", integrations::composed()),
        composed("jobs/letters", jobs::letters::composed()),
        composed("notices/log", notices::log::composed()),
        composed("releases", releases::composed()),
        composed("runs", runs::composed()),
        composed("tenants", tenants::composed(&organization)),
        composed("users", users::composed()),
    ]
    .concat()
}

/// Every SQL text that this database is told, with its place.
pub fn statements_of(db: &Db) -> Vec<(String, String)> {
    let own = if db.engine() == "postgres" {
        vec![
            jobs::claim::ON_POSTGRES,
            jobs::outcome::ON_POSTGRES,
            notices::tell::ON_POSTGRES,
            schedules::ON_POSTGRES,
            deliveries::ON_POSTGRES,
            entry_codes::ON_POSTGRES,
            runs::arriving::ON_POSTGRES,
            runs::begun::ON_POSTGRES,
            runs::ended::ON_POSTGRES,
            runs::standing::ON_POSTGRES,
        ]
    } else {
        vec![
            jobs::claim::ON_SQLITE,
            schedules::ON_SQLITE,
            deliveries::ON_SQLITE,
            runs::arriving::ON_SQLITE,
            runs::begun::ON_SQLITE,
        ]
    };
    let own = own.into_iter().flatten();
    let own = own.map(|(name, text)| (format!("{name} (of one database)"), (*text).to_owned()));
    all_statements().into_iter().chain(own).collect()
}

/// Has a migrated database check every SQL text of this room; how many there are.
///
/// # Errors
/// [`DbError::Bug`] with the place of the first one that it does not accept.
pub async fn check_statements(db: &Db) -> Result<usize, DbError> {
    let statements = statements_of(db);
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
