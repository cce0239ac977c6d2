CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY,
    partner_id TEXT NOT NULL REFERENCES partners (id),
    environment TEXT NOT NULL,
    name TEXT NOT NULL,
    customer_identifier TEXT,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    disabled_at BIGINT
);

CREATE INDEX accounts_partner ON accounts (partner_id, id);

CREATE TABLE activations (
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    activated_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, account_id)
);

CREATE INDEX activations_account ON activations (account_id);

CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    environment TEXT NOT NULL,
    name TEXT NOT NULL,
    hash TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);

CREATE UNIQUE INDEX api_keys_hash ON api_keys (hash);

CREATE INDEX api_keys_organization ON api_keys (organization_id, environment);

CREATE TABLE apps (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    environment TEXT NOT NULL,
    name TEXT NOT NULL,
    entry_template TEXT NOT NULL,
    primary_domain TEXT NOT NULL,
    domains TEXT NOT NULL,
    logout_url TEXT,
    initiate_login_uri TEXT,
    -- Only apps of the older kind have one; all others sign people in as clients of ours.
    session_url TEXT,
    pre_approved_scopes TEXT NOT NULL,
    -- Whether every account may enter, or only those it was activated for.
    open_to_all BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    disabled_at BIGINT
);

CREATE INDEX apps_organization ON apps (organization_id, environment, id);

CREATE TABLE associations (
    person_id TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    roles TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (person_id, account_id)
);

CREATE INDEX associations_account ON associations (account_id);

CREATE TABLE attempts (
    id TEXT NOT NULL PRIMARY KEY,
    dialog_id TEXT NOT NULL REFERENCES dialogs (id) ON DELETE CASCADE,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    environment TEXT NOT NULL,
    connector TEXT NOT NULL,
    ticket_hash TEXT NOT NULL,
    state_hash TEXT NOT NULL,
    cookie_hash TEXT NOT NULL,
    verifier TEXT,
    needs_code BOOLEAN NOT NULL,
    in_tab BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    outcome TEXT,
    pending TEXT
);

CREATE INDEX attempts_dialog ON attempts (dialog_id);

CREATE INDEX attempts_expires_at ON attempts (expires_at);

CREATE UNIQUE INDEX attempts_state ON attempts (state_hash);

CREATE UNIQUE INDEX attempts_ticket ON attempts (ticket_hash);

CREATE TABLE audit (
    id TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    organization_id TEXT,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
);

CREATE INDEX audit_at ON audit (at);

CREATE INDEX audit_organization ON audit (organization_id, at);

CREATE TABLE client_secrets (
    hash TEXT NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    ends_at BIGINT
);

CREATE INDEX client_secrets_client ON client_secrets (client_id);

CREATE TABLE clients (
    id TEXT NOT NULL PRIMARY KEY,
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('web', 'browser', 'native')),
    -- The name of the method as registered metadata have it (RFC 7591, section 2).
    method TEXT NOT NULL CHECK (method IN ('none', 'client_secret', 'private_key_jwt')),
    assertion_algorithm TEXT,
    -- JSON list of JWKs, or an address; only for `private_key_jwt`.
    jwks TEXT,
    jwks_url TEXT,
    redirect_uris TEXT NOT NULL,
    post_logout_redirect_uris TEXT NOT NULL,
    scopes TEXT NOT NULL,
    id_token_algorithm TEXT NOT NULL,
    forgiveness BOOLEAN NOT NULL,
    backchannel_logout_uri TEXT,
    -- Grows with every change of the client and of its secrets: what is kept of it in memory is compared with this.
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    disabled_at BIGINT
);

CREATE INDEX clients_app ON clients (app_id);

CREATE TABLE connections (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    connector TEXT NOT NULL,
    own BOOLEAN NOT NULL,
    status TEXT NOT NULL,
    credential TEXT,
    account TEXT,
    expires_at BIGINT,
    version BIGINT NOT NULL,
    last_change_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Who refreshes it now, and until when: one at a time over all nodes.
    refresh_holder TEXT,
    refresh_until BIGINT,
    refresh_failures BIGINT NOT NULL DEFAULT 0
);

CREATE UNIQUE INDEX connections_connector ON connections (tenant_id, connector);

CREATE TABLE connector_apps (
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    environment TEXT NOT NULL,
    connector TEXT NOT NULL,
    client_id TEXT NOT NULL,
    secrets TEXT,
    scopes TEXT NOT NULL,
    modified_at BIGINT NOT NULL,
    PRIMARY KEY (organization_id, environment, connector)
);

CREATE TABLE consents (
    person_id TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    scopes TEXT NOT NULL,
    given_at BIGINT NOT NULL,
    PRIMARY KEY (person_id, client_id)
);

CREATE TABLE data_keys (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    wrapped TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT
);

CREATE UNIQUE INDEX data_keys_current ON data_keys (organization_id) WHERE retired_at IS NULL;

CREATE INDEX data_keys_organization ON data_keys (organization_id, created_at);

CREATE TABLE deliveries (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    tenant_id BIGINT NOT NULL,
    -- The address, which may be gone by now, and the connector whose address it was, empty for the tenant's own.
    webhook_id TEXT NOT NULL,
    connector TEXT NOT NULL,
    dedupe TEXT,
    headers TEXT NOT NULL,
    body_encoding TEXT NOT NULL CHECK (body_encoding IN ('utf-8', 'base64')),
    body TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    -- The trigger that it became; a worker makes it (decisions 0007 and 0012).
    trigger_id BIGINT,
    -- When a run took it; only then may it be cleaned up.
    taken_at BIGINT
);

CREATE UNIQUE INDEX deliveries_dedupe ON deliveries (webhook_id, dedupe) WHERE dedupe IS NOT NULL;

CREATE INDEX deliveries_fresh ON deliveries (id) WHERE trigger_id IS NULL;

CREATE INDEX deliveries_taken_at ON deliveries (taken_at) WHERE taken_at IS NOT NULL;

CREATE INDEX deliveries_waiting ON deliveries (tenant_id) WHERE trigger_id IS NULL;

CREATE TABLE dialogs (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    jti_hash TEXT NOT NULL,
    integration_id BIGINT NOT NULL,
    connector TEXT NOT NULL,
    own_connector TEXT,
    visitor TEXT NOT NULL,
    own_token TEXT,
    inputs TEXT,
    stage TEXT NOT NULL,
    version BIGINT NOT NULL,
    framed BOOLEAN NOT NULL,
    parent TEXT,
    locale TEXT NOT NULL,
    announced_to TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    replay_until BIGINT NOT NULL
);

CREATE UNIQUE INDEX dialogs_jti ON dialogs (jti_hash);

CREATE TABLE entry_codes (
    hash TEXT NOT NULL PRIMARY KEY,
    environment TEXT NOT NULL,
    partner_id TEXT NOT NULL,
    app_id TEXT NOT NULL,
    -- What the partner calls its user, byte for byte.
    partner_user TEXT NOT NULL,
    -- `NULL` for the partner's own context.
    account_id TEXT,
    -- What else the partner ordered, as JSON.
    ordered TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    redeemed_at BIGINT
);

CREATE TABLE events (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    event TEXT NOT NULL,
    tenant_id BIGINT,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE grants (
    id TEXT NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    person_id TEXT NOT NULL,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    account_id TEXT,
    scopes TEXT NOT NULL,
    -- The `claims` parameter as JSON, where there was one.
    claims TEXT,
    code_hash TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    challenge TEXT,
    nonce TEXT,
    -- When the code was used up without tokens. One that brought tokens has a refresh token with the number 1.
    burnt_at BIGINT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);

CREATE INDEX grants_expires_at ON grants (expires_at);

CREATE INDEX grants_session ON grants (session_id);

CREATE TABLE held_entries (
    token_hash TEXT NOT NULL PRIMARY KEY,
    cookie_hash TEXT NOT NULL,
    environment TEXT NOT NULL,
    code_hash TEXT NOT NULL REFERENCES entry_codes (hash) ON DELETE CASCADE,
    since BIGINT NOT NULL,
    answered_at BIGINT
);

CREATE INDEX held_entries_code ON held_entries (code_hash);

CREATE INDEX held_entries_since ON held_entries (since);

CREATE TABLE idempotency_keys (
    organization_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    key_hash TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    status BIGINT,
    -- Sealed for the place `idempotency:{key_hash}`.
    answer TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (organization_id, environment, key_hash)
);

CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);

CREATE TABLE integration_connectors (
    integration_id BIGINT NOT NULL REFERENCES integrations (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    connector TEXT NOT NULL,
    PRIMARY KEY (integration_id, position)
);

CREATE UNIQUE INDEX integration_connectors_connector ON integration_connectors (integration_id, connector);

CREATE TABLE integrations (
    id BIGINT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    environment TEXT NOT NULL,
    name TEXT NOT NULL,
    long_name TEXT NOT NULL,
    is_external BOOLEAN NOT NULL,
    own_connector TEXT,
    schedule TEXT,
    shift_all BOOLEAN NOT NULL,
    channel TEXT NOT NULL,
    default_release_id BIGINT,
    repository_url TEXT,
    repository_path TEXT,
    repository_branch TEXT,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX integrations_name ON integrations (organization_id, environment, name);

CREATE TABLE issuer_keys (
    id TEXT NOT NULL PRIMARY KEY,
    environment TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    -- Counts the keys of one environment and algorithm, so that two nodes that make the next one at once make one.
    generation BIGINT NOT NULL,
    public_jwk TEXT NOT NULL,
    -- Sealed by the master key.
    private_key TEXT NOT NULL,
    published_at BIGINT NOT NULL,
    -- Signs from here on, and until `retired_at`; is published until `removed_at`.
    active_at BIGINT NOT NULL,
    retired_at BIGINT,
    removed_at BIGINT
);

CREATE UNIQUE INDEX issuer_keys_generation ON issuer_keys (environment, algorithm, generation);

CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ready', 'waiting', 'held', 'dead')),
    attempts BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    again_at BIGINT,
    -- Who holds it, and until when: another may take it only after that.
    holder TEXT,
    held_until BIGINT,
    failure TEXT,
    created_at BIGINT NOT NULL,
    died_at BIGINT
);

CREATE INDEX jobs_dead ON jobs (organization_id, id) WHERE state = 'dead';

CREATE INDEX jobs_died_at ON jobs (died_at) WHERE state = 'dead';

CREATE INDEX jobs_held ON jobs (held_until) WHERE state = 'held';

CREATE INDEX jobs_ready ON jobs (kind, organization_id, due_at) WHERE state = 'ready';

CREATE UNIQUE INDEX jobs_subject ON jobs (kind, subject);

CREATE INDEX jobs_waiting ON jobs (due_at) WHERE state = 'waiting';

CREATE TABLE logout_notices (
    id TEXT NOT NULL PRIMARY KEY,
    session_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    person_id TEXT NOT NULL,
    partner_id TEXT NOT NULL,
    -- One of them: a client with a back-channel address, or an app of the older kind.
    client_id TEXT REFERENCES clients (id) ON DELETE CASCADE,
    app_id TEXT REFERENCES apps (id) ON DELETE CASCADE,
    uri TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    -- When it is tried next; a worker that claims it moves this ahead by its lease.
    next_at BIGINT,
    told_at BIGINT,
    failure TEXT,
    created_at BIGINT NOT NULL
);

CREATE INDEX logout_notices_created_at ON logout_notices (created_at) WHERE next_at IS NULL;

CREATE INDEX logout_notices_next_at ON logout_notices (next_at) WHERE next_at IS NOT NULL;

CREATE INDEX logout_notices_session ON logout_notices (session_id);

CREATE TABLE migrations (
    version BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    applied_at BIGINT NOT NULL
);

CREATE TABLE notice_attempts (
    notice_id TEXT NOT NULL REFERENCES notices (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    endpoint_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    took_us BIGINT NOT NULL,
    status BIGINT,
    failure TEXT,
    PRIMARY KEY (notice_id, number)
);

CREATE INDEX notice_attempts_endpoint ON notice_attempts (endpoint_id, at);

CREATE TABLE notice_choices (
    endpoint_id TEXT NOT NULL REFERENCES notice_endpoints (id) ON DELETE CASCADE,
    event TEXT NOT NULL,
    PRIMARY KEY (endpoint_id, event)
);

CREATE TABLE notice_endpoints (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    environment TEXT NOT NULL,
    url TEXT NOT NULL,
    description TEXT NOT NULL,
    -- In order per tenant.
    ordered BOOLEAN NOT NULL,
    -- Why it gets no messages: somebody switched it off, or it answered 410.
    disabled TEXT CHECK (disabled IN ('asked', 'gone')),
    -- Since when no try has succeeded, where the last one failed.
    failing_since BIGINT,
    -- It asked to be left alone until then.
    resume_at BIGINT,
    -- Sealed for the place `notice-endpoint:{id}`. After a rotation the previous one signs as well, until it ends.
    secret TEXT NOT NULL,
    previous_secret TEXT,
    previous_until BIGINT,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    -- The row goes when its messages have gone, because there may be very many.
    deleted_at BIGINT
);

CREATE INDEX notice_endpoints_deleted_at ON notice_endpoints (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE INDEX notice_endpoints_organization ON notice_endpoints (organization_id, environment);

CREATE TABLE notices (
    id TEXT NOT NULL PRIMARY KEY,
    endpoint_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    lane TEXT,
    -- Its place in the lane, counted among those that wait there.
    place BIGINT,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead')),
    -- When it came into its state.
    since BIGINT NOT NULL,
    -- When the day of tries began, and the failures since.
    begun_at BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT,
    failure TEXT,
    -- Of the try that delivered it. Where that was the first one, it has no row in `notice_attempts`.
    took_us BIGINT,
    status BIGINT
);

CREATE INDEX notices_endpoint ON notices (endpoint_id, state, id);

CREATE INDEX notices_lane ON notices (lane, place, id) WHERE lane IS NOT NULL AND state = 'waiting';

CREATE TABLE organization_connectors (
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    environment TEXT NOT NULL CHECK (environment IN ('production', 'sandbox')),
    own BOOLEAN NOT NULL,
    definition TEXT NOT NULL,
    modified_at BIGINT NOT NULL,
    PRIMARY KEY (organization_id, name)
);

CREATE TABLE organizations (
    id TEXT NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    brand TEXT NOT NULL,
    color TEXT,
    logo TEXT,
    token_max_age_s BIGINT NOT NULL CHECK (token_max_age_s > 0),
    token_ahead_s BIGINT NOT NULL CHECK (token_ahead_s >= 0),
    config_version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    disabled BOOLEAN NOT NULL
);

CREATE UNIQUE INDEX organizations_slug ON organizations (slug);

CREATE TABLE origins (
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    environment TEXT NOT NULL,
    origin TEXT NOT NULL,
    PRIMARY KEY (organization_id, environment, origin)
);

CREATE TABLE partners (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    environment TEXT NOT NULL,
    name TEXT NOT NULL,
    transfer_url TEXT NOT NULL,
    -- JSON list: beside the transfer URL's host, where `back_url` may lead.
    domains TEXT NOT NULL,
    just_in_time BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    disabled_at BIGINT
);

CREATE INDEX partners_organization ON partners (organization_id, environment, id);

CREATE TABLE pending_requests (
    nonce_hash TEXT NOT NULL PRIMARY KEY,
    environment TEXT NOT NULL,
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    query TEXT NOT NULL,
    since BIGINT NOT NULL,
    -- When it last sent the browser to the partner.
    sent_at BIGINT,
    -- What was answered on our pages, and by whom: for nobody else it counts.
    person_id TEXT REFERENCES people (id) ON DELETE CASCADE,
    chosen TEXT,
    consented BOOLEAN NOT NULL,
    done_at BIGINT
);

CREATE INDEX pending_requests_since ON pending_requests (since);

CREATE TABLE people (
    id TEXT NOT NULL PRIMARY KEY,
    partner_id TEXT NOT NULL REFERENCES partners (id) ON DELETE CASCADE,
    -- What the partner calls its user, byte for byte.
    partner_user TEXT NOT NULL,
    email TEXT,
    email_verified BOOLEAN NOT NULL,
    given_name TEXT,
    family_name TEXT,
    locale TEXT,
    picture TEXT,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    disabled_at BIGINT
);

CREATE INDEX people_email ON people (partner_id, email) WHERE email IS NOT NULL;

CREATE UNIQUE INDEX people_identity ON people (partner_id, partner_user);

CREATE TABLE pushed_requests (
    hash TEXT NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    -- JSON list of name and value, in their order.
    parameters TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);

CREATE INDEX pushed_requests_expires_at ON pushed_requests (expires_at);

CREATE TABLE refresh_tokens (
    grant_id TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    hash TEXT NOT NULL,
    -- The number of the token that it was given out for; 0 is the code.
    given_for BIGINT NOT NULL,
    issued_at BIGINT NOT NULL,
    PRIMARY KEY (grant_id, number)
);

CREATE TABLE refusals (
    id TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    environment TEXT NOT NULL,
    organization_id TEXT,
    code TEXT NOT NULL,
    status BIGINT NOT NULL,
    claim TEXT,
    message TEXT NOT NULL,
    seen TEXT NOT NULL,
    route TEXT NOT NULL
);

CREATE INDEX refusals_at ON refusals (at);

CREATE INDEX refusals_organization ON refusals (organization_id, at);

CREATE TABLE release_parts (
    release_id BIGINT NOT NULL REFERENCES releases (id) ON DELETE CASCADE,
    part BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (release_id, part)
);

CREATE TABLE releases (
    id BIGINT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    integration_id BIGINT NOT NULL REFERENCES integrations (id),
    name TEXT NOT NULL,
    tag TEXT NOT NULL,
    branch TEXT,
    revision TEXT,
    -- The key that `http` runs are signed with, sealed for the place `release:{id}`.
    secret TEXT,
    manifest TEXT NOT NULL,
    -- SHA-256 of the packed files, which stand in `release_parts`.
    archive_hash TEXT,
    archive_bytes BIGINT NOT NULL,
    -- When it became ready; until then its parts are what it is built from.
    ready_at BIGINT,
    -- Why it will never be.
    failure TEXT,
    -- When its files were cleaned up; it is not ready from then on.
    retired_at BIGINT,
    created_at BIGINT NOT NULL,
    -- When it came to stand as it does, or when something that led to it let go of it.
    modified_at BIGINT NOT NULL
);

CREATE INDEX releases_integration ON releases (integration_id, id);

CREATE INDEX releases_modified_at ON releases (modified_at);

CREATE UNIQUE INDEX releases_tag ON releases (integration_id, tag);

CREATE TABLE reruns (
    trigger_id BIGINT NOT NULL PRIMARY KEY REFERENCES triggers (id) ON DELETE CASCADE,
    tenant_id BIGINT NOT NULL,
    run_id BIGINT NOT NULL,
    configs TEXT,
    -- Sealed for the place `rerun:{trigger_id}`.
    state TEXT
);

CREATE INDEX reruns_tenant ON reruns (tenant_id);

CREATE TABLE revisions (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

CREATE TABLE revoked_tokens (
    jti TEXT NOT NULL PRIMARY KEY,
    until_at BIGINT NOT NULL
);

CREATE INDEX revoked_tokens_until_at ON revoked_tokens (until_at);

CREATE TABLE run_logs (
    run_id BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    part BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (run_id, part)
);

CREATE TABLE runs (
    id BIGINT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    -- No reference, as in `triggers`.
    tenant_id BIGINT NOT NULL,
    integration_id BIGINT NOT NULL,
    release_id BIGINT,
    mode TEXT NOT NULL,
    phase TEXT NOT NULL,
    -- For people: why it ended as it did.
    reason TEXT,
    attempts BIGINT NOT NULL,
    -- Chosen for a rerun: in place of the tenant's configs and of the last run's state.
    rerun_of BIGINT,
    configs TEXT,
    -- Sealed for the place `rerun:{trigger}` of its trigger.
    given_state TEXT,
    -- SHA-256 of the run's own token: it fetches credentials and reports with it, and names its run as it does.
    token_hash TEXT,
    -- The last line of what it printed to stdout, sealed for the place `run:{id}`: it is handed to the next run.
    state TEXT,
    exit_code BIGINT,
    log_bytes BIGINT NOT NULL,
    cancel_at BIGINT,
    -- Until when the integration's own report is awaited.
    waits_until BIGINT,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    completed_at BIGINT
);

CREATE INDEX runs_completed_at ON runs (completed_at) WHERE completed_at IS NOT NULL;

CREATE UNIQUE INDEX runs_open ON runs (tenant_id) WHERE completed_at IS NULL;

CREATE INDEX runs_organization ON runs (organization_id, environment, id);

CREATE INDEX runs_succeeded ON runs (tenant_id, id) WHERE phase = 'Succeeded';

CREATE INDEX runs_tenant ON runs (tenant_id, id);

CREATE TABLE schedules (
    tenant_id BIGINT NOT NULL PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    organization_id TEXT NOT NULL,
    integration_id BIGINT NOT NULL,
    cron TEXT NOT NULL,
    zone TEXT NOT NULL,
    next_at BIGINT NOT NULL
);

CREATE INDEX schedules_next_at ON schedules (next_at);

CREATE TABLE sequences (name TEXT PRIMARY KEY, value BIGINT NOT NULL);

CREATE TABLE service_accounts (
    email TEXT NOT NULL PRIMARY KEY,
    partner_id TEXT NOT NULL REFERENCES partners (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    disabled_at BIGINT
);

CREATE INDEX service_accounts_partner ON service_accounts (partner_id);

CREATE TABLE service_keys (
    id TEXT NOT NULL PRIMARY KEY,
    service_account TEXT NOT NULL REFERENCES service_accounts (email) ON DELETE CASCADE,
    algorithm TEXT NOT NULL,
    public_jwk TEXT NOT NULL,
    generated_here BOOLEAN NOT NULL,
    without_jti BOOLEAN NOT NULL,
    audience_in_header BOOLEAN NOT NULL,
    legacy_audience BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    disabled_at BIGINT
);

CREATE INDEX service_keys_account ON service_keys (service_account);

CREATE INDEX service_keys_lenient ON service_keys (id)
    WHERE without_jti OR audience_in_header OR legacy_audience;

CREATE TABLE session_apps (
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    app_id TEXT NOT NULL,
    account_id TEXT,
    back_url TEXT,
    back_url_text TEXT,
    entered_at BIGINT NOT NULL,
    PRIMARY KEY (session_id, app_id)
);

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    -- Of the cookie's secret, which is never stored.
    hash TEXT NOT NULL,
    environment TEXT NOT NULL,
    -- The person's; it goes with the person.
    partner_id TEXT NOT NULL,
    person_id TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    -- What the partner calls its session, and may name to end it.
    partner_session TEXT NOT NULL,
    authenticated_at BIGINT NOT NULL,
    -- JSON: acr, amr, federated identity provider, impersonator.
    detail TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    touched_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT
);

CREATE INDEX sessions_expires_at ON sessions (expires_at);

CREATE UNIQUE INDEX sessions_hash ON sessions (hash);

CREATE INDEX sessions_partner_session ON sessions (partner_id, partner_session);

CREATE INDEX sessions_person ON sessions (person_id);

CREATE TABLE signing_keys (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    environment TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    material_kind TEXT NOT NULL CHECK (material_kind IN ('secret', 'jwk', 'jwks_url')),
    material TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    retires_at BIGINT,
    revoked_at BIGINT
);

CREATE INDEX signing_keys_organization ON signing_keys (organization_id, environment);

CREATE TABLE tenant_dynamic_configs (
    tenant_id BIGINT NOT NULL PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    organization_id TEXT NOT NULL,
    data TEXT NOT NULL,
    modified_at BIGINT NOT NULL
);

CREATE TABLE tenant_metadata (
    tenant_id BIGINT NOT NULL PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    organization_id TEXT NOT NULL,
    data TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL
);

CREATE TABLE tenants (
    id BIGINT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    environment TEXT NOT NULL,
    integration_id BIGINT NOT NULL REFERENCES integrations (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    paused BOOLEAN NOT NULL,
    archived_at BIGINT,
    user_schedule TEXT,
    schedule TEXT,
    time_zone TEXT NOT NULL DEFAULT 'UTC',
    channel TEXT NOT NULL,
    release_id BIGINT,
    configs TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    -- Moves with every change of the tenant or of its metadata: who remembers them compares.
    revision BIGINT NOT NULL DEFAULT 1
);

CREATE INDEX tenants_by_id ON tenants (organization_id, environment, id);

CREATE INDEX tenants_integration ON tenants (integration_id);

CREATE UNIQUE INDEX tenants_live ON tenants (organization_id, environment, integration_id, user_id)
    WHERE archived_at IS NULL;

CREATE UNIQUE INDEX tenants_name ON tenants (organization_id, environment, name) WHERE archived_at IS NULL;

CREATE INDEX tenants_release ON tenants (release_id) WHERE release_id IS NOT NULL;

CREATE INDEX tenants_user ON tenants (user_id);

CREATE TABLE triggers (
    id BIGINT NOT NULL PRIMARY KEY,
    -- Whoever writes it has the tenant before him; a reference would be one more look-up and lock for each.
    organization_id TEXT NOT NULL,
    tenant_id BIGINT NOT NULL,
    source TEXT NOT NULL,
    mode TEXT NOT NULL,
    -- The delivery that it was made of, which may be cleaned up by now.
    delivery_id TEXT,
    -- A JSON object that the caller of the API gave.
    payload TEXT,
    created_at BIGINT NOT NULL,
    claimed_at BIGINT,
    -- The run that took it.
    run_id BIGINT
);

CREATE INDEX triggers_ahead ON triggers (tenant_id, id)
    WHERE claimed_at IS NULL AND (mode = 'init' OR source = 'Cron');

CREATE INDEX triggers_claimed_at ON triggers (claimed_at) WHERE claimed_at IS NOT NULL;

CREATE INDEX triggers_run ON triggers (run_id) WHERE run_id IS NOT NULL;

CREATE INDEX triggers_tenant ON triggers (tenant_id, id);

CREATE INDEX triggers_unclaimed ON triggers (tenant_id, id) WHERE claimed_at IS NULL;

CREATE TABLE used_assertions (
    principal TEXT NOT NULL,
    jti_hash TEXT NOT NULL,
    until_at BIGINT NOT NULL,
    PRIMARY KEY (principal, jti_hash)
);

CREATE INDEX used_assertions_until_at ON used_assertions (until_at);

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    environment TEXT NOT NULL,
    username TEXT NOT NULL,
    email TEXT,
    external_id TEXT,
    meta TEXT NOT NULL,
    attributes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX users_username ON users (organization_id, environment, username);

CREATE TABLE webhooks (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    environment TEXT NOT NULL,
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    connector TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    secret TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at BIGINT
);

CREATE UNIQUE INDEX webhooks_current ON webhooks (tenant_id, connector) WHERE ends_at IS NULL;

CREATE INDEX webhooks_ends_at ON webhooks (ends_at) WHERE ends_at IS NOT NULL;

CREATE UNIQUE INDEX webhooks_secret ON webhooks (secret_hash);

CREATE INDEX webhooks_tenant ON webhooks (tenant_id);
