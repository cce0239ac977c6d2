//! Every table with how long its rows stay: what the reference is written from. A test holds it against the schema.

/// A table, or several that share their fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    pub names: &'static [&'static str],
    /// For people: for how long. `None` for what does not grow by use and is never cleaned up.
    pub kept: Option<&'static str>,
    pub why: &'static str,
}

const fn swept(names: &'static [&'static str], kept: &'static str, why: &'static str) -> Table {
    Table { names, kept: Some(kept), why }
}

const fn stays(names: &'static [&'static str], why: &'static str) -> Table {
    Table { names, kept: None, why }
}

/// All of them, each named once.
pub const TABLES: &[Table] = &[
    swept(
        &["dialogs"],
        "until they have expired and their token can no longer be accepted",
        "the row is what refuses a second use of the token",
    ),
    swept(
        &["attempts"],
        "until the attempt and its dialog have expired",
        "a late callback is told what happened; sealed values in them are dropped as soon as they are used",
    ),
    swept(&["refusals"], "14 days", "a developer looks into what a customer reports"),
    swept(&["audit"], "396 days", "a year can be compared with the one before"),
    swept(
        &["deliveries"],
        "30 days after a run has taken them; one that no run has taken without end",
        "nothing that was accepted is lost",
    ),
    swept(&["triggers"], "30 days after a run has claimed them; without end before", "the same"),
    swept(
        &["webhooks"],
        "30 days after they ended",
        "a tenant's list of addresses tells what became of an old one",
    ),
    swept(
        &["jobs"],
        "until they are done; dead letters 30 days",
        "what was given up can be looked at and replayed",
    ),
    swept(
        &["runs"],
        "90 days after they ended; the last one and the last successful one of each tenant without end",
        "the next run is handed what those printed",
    ),
    swept(&["run_logs"], "30 days after their run ended", "somebody looks into what a run did"),
    swept(
        &["release_parts"],
        "those of the newest 10 releases of each integration, of its default and of every tenant's own without end; others 30 days after they became ready, or after the last of these led to them",
        "one can go back to what ran last month",
    ),
    swept(
        &["releases"],
        "396 days after their files are gone, 14 days after their build failed",
        "runs that are kept say which release and which commit they were of",
    ),
    swept(
        &["notices", "notice_attempts"],
        "30 days, and until they are delivered or dead",
        "what was not delivered can be replayed",
    ),
    swept(&["events"], "60 days", "as long as there are messages of them"),
    swept(
        &["notice_endpoints", "notice_choices"],
        "60 days after they were deleted; without end before",
        "messages say to which endpoint they went",
    ),
    swept(&["idempotency_keys"], "a day", "as clients expect of such keys"),
    swept(
        &["entry_codes", "held_entries", "pending_requests"],
        "a day",
        "they are good for a minute or a quarter of an hour; who comes later is told so",
    ),
    swept(
        &["pushed_requests", "revoked_tokens", "used_assertions"],
        "until they expire",
        "a used one is told from one that never was",
    ),
    swept(&["grants", "refresh_tokens"], "a day after they expired", "the same"),
    swept(
        &["logout_notices"],
        "30 days after they were told or given up",
        "an app's engineer looks into what was told",
    ),
    swept(
        &["sessions", "session_apps"],
        "30 days after they expired, and until no grant and no notice hangs from them",
        "the same",
    ),
    stays(
        &[
            "organizations",
            "data_keys",
            "signing_keys",
            "origins",
            "organization_connectors",
            "connector_apps",
        ],
        "set up by people",
    ),
    stays(&["integrations", "integration_connectors", "api_keys"], "the same"),
    stays(
        &["users", "tenants", "connections", "tenant_metadata", "tenant_dynamic_configs"],
        "one of each user or tenant; a disconnected connection loses its credential",
    ),
    stays(&["schedules"], "one of each tenant that has one"),
    stays(&["reruns"], "with their trigger"),
    stays(
        &[
            "partners",
            "accounts",
            "people",
            "associations",
            "apps",
            "activations",
            "clients",
            "client_secrets",
            "service_accounts",
            "service_keys",
            "consents",
        ],
        "set up by people, or one of each user",
    ),
    stays(&["issuer_keys"], "one in a quarter of a year"),
    stays(&["migrations"], "one of each migration"),
    stays(&["revisions"], "one number"),
];
