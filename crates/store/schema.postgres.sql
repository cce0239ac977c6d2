CREATE TABLE accounts (
    id TEXT NOT NULL,
    partner_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    name TEXT NOT NULL,
    customer_identifier TEXT,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    disabled_at BIGINT,
    CONSTRAINT accounts_partner_id_fkey FOREIGN KEY (partner_id) REFERENCES partners(id),
    CONSTRAINT accounts_pkey PRIMARY KEY (id)
);

CREATE INDEX accounts_partner ON accounts USING btree (partner_id, id);

CREATE TABLE activations (
    app_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    activated_at BIGINT NOT NULL,
    CONSTRAINT activations_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE,
    CONSTRAINT activations_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps(id) ON DELETE CASCADE,
    CONSTRAINT activations_pkey PRIMARY KEY (app_id, account_id)
);

CREATE INDEX activations_account ON activations USING btree (account_id);

CREATE TABLE api_keys (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    name TEXT NOT NULL,
    hash TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT,
    CONSTRAINT api_keys_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id),
    CONSTRAINT api_keys_pkey PRIMARY KEY (id)
);

CREATE UNIQUE INDEX api_keys_hash ON api_keys USING btree (hash);

CREATE INDEX api_keys_organization ON api_keys USING btree (organization_id, environment);

CREATE TABLE apps (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    name TEXT NOT NULL,
    entry_template TEXT NOT NULL,
    primary_domain TEXT NOT NULL,
    domains TEXT NOT NULL,
    logout_url TEXT,
    initiate_login_uri TEXT,
    session_url TEXT,
    pre_approved_scopes TEXT NOT NULL,
    open_to_all BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    disabled_at BIGINT,
    CONSTRAINT apps_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id),
    CONSTRAINT apps_pkey PRIMARY KEY (id)
);

CREATE INDEX apps_organization ON apps USING btree (organization_id, environment, id);

CREATE TABLE associations (
    person_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    roles TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT associations_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE,
    CONSTRAINT associations_person_id_fkey FOREIGN KEY (person_id) REFERENCES people(id) ON DELETE CASCADE,
    CONSTRAINT associations_pkey PRIMARY KEY (person_id, account_id)
);

CREATE INDEX associations_account ON associations USING btree (account_id);

CREATE TABLE attempts (
    id TEXT NOT NULL,
    dialog_id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
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
    pending TEXT,
    CONSTRAINT attempts_dialog_id_fkey FOREIGN KEY (dialog_id) REFERENCES dialogs(id) ON DELETE CASCADE,
    CONSTRAINT attempts_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id),
    CONSTRAINT attempts_pkey PRIMARY KEY (id)
);

CREATE INDEX attempts_dialog ON attempts USING btree (dialog_id);

CREATE INDEX attempts_expires_at ON attempts USING btree (expires_at);

CREATE UNIQUE INDEX attempts_state ON attempts USING btree (state_hash);

CREATE UNIQUE INDEX attempts_ticket ON attempts USING btree (ticket_hash);

CREATE TABLE audit (
    id TEXT NOT NULL,
    at BIGINT NOT NULL,
    organization_id TEXT,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    CONSTRAINT audit_pkey PRIMARY KEY (id)
);

CREATE INDEX audit_at ON audit USING btree (at);

CREATE INDEX audit_organization ON audit USING btree (organization_id, at);

CREATE TABLE client_secrets (
    hash TEXT NOT NULL,
    client_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at BIGINT,
    CONSTRAINT client_secrets_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id) ON DELETE CASCADE,
    CONSTRAINT client_secrets_pkey PRIMARY KEY (hash)
);

CREATE INDEX client_secrets_client ON client_secrets USING btree (client_id);

CREATE TABLE clients (
    id TEXT NOT NULL,
    app_id TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    method TEXT NOT NULL,
    assertion_algorithm TEXT,
    jwks TEXT,
    jwks_url TEXT,
    redirect_uris TEXT NOT NULL,
    post_logout_redirect_uris TEXT NOT NULL,
    scopes TEXT NOT NULL,
    id_token_algorithm TEXT NOT NULL,
    forgiveness BOOLEAN NOT NULL,
    backchannel_logout_uri TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    disabled_at BIGINT,
    CONSTRAINT clients_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps(id) ON DELETE CASCADE,
    CONSTRAINT clients_kind_check CHECK ((kind = ANY (ARRAY['web'::text, 'browser'::text, 'native'::text]))),
    CONSTRAINT clients_method_check CHECK ((method = ANY (ARRAY['none'::text, 'client_secret'::text, 'private_key_jwt'::text]))),
    CONSTRAINT clients_pkey PRIMARY KEY (id)
);

CREATE INDEX clients_app ON clients USING btree (app_id);

CREATE TABLE connections (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    tenant_id BIGINT NOT NULL,
    connector TEXT NOT NULL,
    own BOOLEAN NOT NULL,
    status TEXT NOT NULL,
    credential TEXT,
    account TEXT,
    expires_at BIGINT,
    version BIGINT NOT NULL,
    last_change_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    refresh_holder TEXT,
    refresh_until BIGINT,
    refresh_failures BIGINT NOT NULL DEFAULT 0,
    CONSTRAINT connections_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id),
    CONSTRAINT connections_pkey PRIMARY KEY (id),
    CONSTRAINT connections_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id)
);

CREATE UNIQUE INDEX connections_connector ON connections USING btree (tenant_id, connector);

CREATE TABLE connector_apps (
    organization_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    connector TEXT NOT NULL,
    client_id TEXT NOT NULL,
    secrets TEXT,
    scopes TEXT NOT NULL,
    modified_at BIGINT NOT NULL,
    CONSTRAINT connector_apps_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id),
    CONSTRAINT connector_apps_pkey PRIMARY KEY (organization_id, environment, connector)
);

CREATE TABLE consents (
    person_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    scopes TEXT NOT NULL,
    given_at BIGINT NOT NULL,
    CONSTRAINT consents_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id) ON DELETE CASCADE,
    CONSTRAINT consents_person_id_fkey FOREIGN KEY (person_id) REFERENCES people(id) ON DELETE CASCADE,
    CONSTRAINT consents_pkey PRIMARY KEY (person_id, client_id)
);

CREATE TABLE data_keys (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    wrapped TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT,
    CONSTRAINT data_keys_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id),
    CONSTRAINT data_keys_pkey PRIMARY KEY (id)
);

CREATE UNIQUE INDEX data_keys_current ON data_keys USING btree (organization_id) WHERE (retired_at IS NULL);

CREATE INDEX data_keys_organization ON data_keys USING btree (organization_id, created_at);

CREATE TABLE deliveries (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    tenant_id BIGINT NOT NULL,
    webhook_id TEXT NOT NULL,
    connector TEXT NOT NULL,
    dedupe TEXT,
    headers TEXT NOT NULL,
    body_encoding TEXT NOT NULL,
    body TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    trigger_id BIGINT,
    taken_at BIGINT,
    CONSTRAINT deliveries_body_encoding_check CHECK ((body_encoding = ANY (ARRAY['utf-8'::text, 'base64'::text]))),
    CONSTRAINT deliveries_pkey PRIMARY KEY (id)
);

CREATE UNIQUE INDEX deliveries_dedupe ON deliveries USING btree (webhook_id, dedupe) WHERE (dedupe IS NOT NULL);

CREATE INDEX deliveries_fresh ON deliveries USING btree (id) WHERE (trigger_id IS NULL);

CREATE INDEX deliveries_taken_at ON deliveries USING btree (taken_at) WHERE (taken_at IS NOT NULL);

CREATE INDEX deliveries_waiting ON deliveries USING btree (tenant_id) WHERE (trigger_id IS NULL);

CREATE TABLE dialogs (
    id TEXT NOT NULL,
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
    replay_until BIGINT NOT NULL,
    CONSTRAINT dialogs_pkey PRIMARY KEY (id)
);

CREATE UNIQUE INDEX dialogs_jti ON dialogs USING btree (jti_hash);

CREATE TABLE entry_codes (
    hash TEXT NOT NULL,
    environment TEXT NOT NULL,
    partner_id TEXT NOT NULL,
    app_id TEXT NOT NULL,
    partner_user TEXT NOT NULL,
    account_id TEXT,
    ordered TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    redeemed_at BIGINT,
    CONSTRAINT entry_codes_pkey PRIMARY KEY (hash)
);

CREATE TABLE events (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    event TEXT NOT NULL,
    tenant_id BIGINT,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (id)
);

CREATE TABLE grants (
    id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    person_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    account_id TEXT,
    scopes TEXT NOT NULL,
    claims TEXT,
    code_hash TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    challenge TEXT,
    nonce TEXT,
    burnt_at BIGINT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    CONSTRAINT grants_pkey PRIMARY KEY (id),
    CONSTRAINT grants_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE
);

CREATE INDEX grants_expires_at ON grants USING btree (expires_at);

CREATE INDEX grants_session ON grants USING btree (session_id);

CREATE TABLE held_entries (
    token_hash TEXT NOT NULL,
    cookie_hash TEXT NOT NULL,
    environment TEXT NOT NULL,
    code_hash TEXT NOT NULL,
    since BIGINT NOT NULL,
    answered_at BIGINT,
    CONSTRAINT held_entries_code_hash_fkey FOREIGN KEY (code_hash) REFERENCES entry_codes(hash) ON DELETE CASCADE,
    CONSTRAINT held_entries_pkey PRIMARY KEY (token_hash)
);

CREATE INDEX held_entries_code ON held_entries USING btree (code_hash);

CREATE INDEX held_entries_since ON held_entries USING btree (since);

CREATE TABLE idempotency_keys (
    organization_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    key_hash TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    status BIGINT,
    answer TEXT,
    created_at BIGINT NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (organization_id, environment, key_hash)
);

CREATE INDEX idempotency_keys_created_at ON idempotency_keys USING btree (created_at);

CREATE TABLE integration_connectors (
    integration_id BIGINT NOT NULL,
    position BIGINT NOT NULL,
    connector TEXT NOT NULL,
    CONSTRAINT integration_connectors_integration_id_fkey FOREIGN KEY (integration_id) REFERENCES integrations(id) ON DELETE CASCADE,
    CONSTRAINT integration_connectors_pkey PRIMARY KEY (integration_id, "position")
);

CREATE UNIQUE INDEX integration_connectors_connector ON integration_connectors USING btree (integration_id, connector);

CREATE TABLE integrations (
    id BIGINT NOT NULL,
    organization_id TEXT NOT NULL,
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
    modified_at BIGINT NOT NULL,
    CONSTRAINT integrations_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id),
    CONSTRAINT integrations_pkey PRIMARY KEY (id)
);

CREATE UNIQUE INDEX integrations_name ON integrations USING btree (organization_id, environment, name);

CREATE SEQUENCE integrations_ids;

CREATE TABLE issuer_keys (
    id TEXT NOT NULL,
    environment TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    generation BIGINT NOT NULL,
    public_jwk TEXT NOT NULL,
    private_key TEXT NOT NULL,
    published_at BIGINT NOT NULL,
    active_at BIGINT NOT NULL,
    retired_at BIGINT,
    removed_at BIGINT,
    CONSTRAINT issuer_keys_pkey PRIMARY KEY (id)
);

CREATE UNIQUE INDEX issuer_keys_generation ON issuer_keys USING btree (environment, algorithm, generation);

CREATE TABLE jobs (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    again_at BIGINT,
    holder TEXT,
    held_until BIGINT,
    failure TEXT,
    created_at BIGINT NOT NULL,
    died_at BIGINT,
    CONSTRAINT jobs_pkey PRIMARY KEY (id),
    CONSTRAINT jobs_state_check CHECK ((state = ANY (ARRAY['ready'::text, 'waiting'::text, 'held'::text, 'dead'::text])))
);

CREATE INDEX jobs_dead ON jobs USING btree (organization_id, id) WHERE (state = 'dead'::text);

CREATE INDEX jobs_died_at ON jobs USING btree (died_at) WHERE (state = 'dead'::text);

CREATE INDEX jobs_held ON jobs USING btree (held_until) WHERE (state = 'held'::text);

CREATE INDEX jobs_ready ON jobs USING btree (kind, organization_id, due_at) WHERE (state = 'ready'::text);

CREATE UNIQUE INDEX jobs_subject ON jobs USING btree (kind, subject);

CREATE INDEX jobs_waiting ON jobs USING btree (due_at) WHERE (state = 'waiting'::text);

CREATE TABLE logout_notices (
    id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    person_id TEXT NOT NULL,
    partner_id TEXT NOT NULL,
    client_id TEXT,
    app_id TEXT,
    uri TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT,
    told_at BIGINT,
    failure TEXT,
    created_at BIGINT NOT NULL,
    CONSTRAINT logout_notices_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps(id) ON DELETE CASCADE,
    CONSTRAINT logout_notices_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id) ON DELETE CASCADE,
    CONSTRAINT logout_notices_pkey PRIMARY KEY (id)
);

CREATE INDEX logout_notices_created_at ON logout_notices USING btree (created_at) WHERE (next_at IS NULL);

CREATE INDEX logout_notices_next_at ON logout_notices USING btree (next_at) WHERE (next_at IS NOT NULL);

CREATE INDEX logout_notices_session ON logout_notices USING btree (session_id);

CREATE TABLE migrations (
    version BIGINT NOT NULL,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    applied_at BIGINT NOT NULL,
    CONSTRAINT migrations_pkey PRIMARY KEY (version)
);

CREATE TABLE notice_attempts (
    notice_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    endpoint_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    took_us BIGINT NOT NULL,
    status BIGINT,
    failure TEXT,
    CONSTRAINT notice_attempts_notice_id_fkey FOREIGN KEY (notice_id) REFERENCES notices(id) ON DELETE CASCADE,
    CONSTRAINT notice_attempts_pkey PRIMARY KEY (notice_id, number)
);

CREATE INDEX notice_attempts_endpoint ON notice_attempts USING btree (endpoint_id, at);

CREATE TABLE notice_choices (
    endpoint_id TEXT NOT NULL,
    event TEXT NOT NULL,
    CONSTRAINT notice_choices_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES notice_endpoints(id) ON DELETE CASCADE,
    CONSTRAINT notice_choices_pkey PRIMARY KEY (endpoint_id, event)
);

CREATE TABLE notice_endpoints (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    url TEXT NOT NULL,
    description TEXT NOT NULL,
    ordered BOOLEAN NOT NULL,
    disabled TEXT,
    failing_since BIGINT,
    resume_at BIGINT,
    secret TEXT NOT NULL,
    previous_secret TEXT,
    previous_until BIGINT,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    deleted_at BIGINT,
    CONSTRAINT notice_endpoints_disabled_check CHECK ((disabled = ANY (ARRAY['asked'::text, 'gone'::text]))),
    CONSTRAINT notice_endpoints_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id),
    CONSTRAINT notice_endpoints_pkey PRIMARY KEY (id)
);

CREATE INDEX notice_endpoints_deleted_at ON notice_endpoints USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);

CREATE INDEX notice_endpoints_organization ON notice_endpoints USING btree (organization_id, environment);

CREATE TABLE notices (
    id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    lane TEXT,
    place BIGINT,
    state TEXT NOT NULL,
    since BIGINT NOT NULL,
    begun_at BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT,
    failure TEXT,
    took_us BIGINT,
    status BIGINT,
    CONSTRAINT notices_pkey PRIMARY KEY (id),
    CONSTRAINT notices_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'delivered'::text, 'dead'::text])))
);

CREATE INDEX notices_endpoint ON notices USING btree (endpoint_id, state, id);

CREATE INDEX notices_lane ON notices USING btree (lane, place, id) WHERE ((lane IS NOT NULL) AND (state = 'waiting'::text));

CREATE TABLE organization_connectors (
    organization_id TEXT NOT NULL,
    name TEXT NOT NULL,
    environment TEXT NOT NULL,
    own BOOLEAN NOT NULL,
    definition TEXT NOT NULL,
    modified_at BIGINT NOT NULL,
    CONSTRAINT organization_connectors_environment_check CHECK ((environment = ANY (ARRAY['production'::text, 'sandbox'::text]))),
    CONSTRAINT organization_connectors_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id),
    CONSTRAINT organization_connectors_pkey PRIMARY KEY (organization_id, name)
);

CREATE TABLE organizations (
    id TEXT NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    brand TEXT NOT NULL,
    color TEXT,
    logo TEXT,
    token_max_age_s BIGINT NOT NULL,
    token_ahead_s BIGINT NOT NULL,
    config_version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    disabled BOOLEAN NOT NULL,
    CONSTRAINT organizations_pkey PRIMARY KEY (id),
    CONSTRAINT organizations_token_ahead_s_check CHECK ((token_ahead_s >= 0)),
    CONSTRAINT organizations_token_max_age_s_check CHECK ((token_max_age_s > 0))
);

CREATE UNIQUE INDEX organizations_slug ON organizations USING btree (slug);

CREATE TABLE origins (
    organization_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    origin TEXT NOT NULL,
    CONSTRAINT origins_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id),
    CONSTRAINT origins_pkey PRIMARY KEY (organization_id, environment, origin)
);

CREATE TABLE partners (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    name TEXT NOT NULL,
    transfer_url TEXT NOT NULL,
    domains TEXT NOT NULL,
    just_in_time BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    disabled_at BIGINT,
    CONSTRAINT partners_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id),
    CONSTRAINT partners_pkey PRIMARY KEY (id)
);

CREATE INDEX partners_organization ON partners USING btree (organization_id, environment, id);

CREATE TABLE pending_requests (
    nonce_hash TEXT NOT NULL,
    environment TEXT NOT NULL,
    app_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    query TEXT NOT NULL,
    since BIGINT NOT NULL,
    sent_at BIGINT,
    person_id TEXT,
    chosen TEXT,
    consented BOOLEAN NOT NULL,
    done_at BIGINT,
    CONSTRAINT pending_requests_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps(id) ON DELETE CASCADE,
    CONSTRAINT pending_requests_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id) ON DELETE CASCADE,
    CONSTRAINT pending_requests_person_id_fkey FOREIGN KEY (person_id) REFERENCES people(id) ON DELETE CASCADE,
    CONSTRAINT pending_requests_pkey PRIMARY KEY (nonce_hash)
);

CREATE INDEX pending_requests_since ON pending_requests USING btree (since);

CREATE TABLE people (
    id TEXT NOT NULL,
    partner_id TEXT NOT NULL,
    partner_user TEXT NOT NULL,
    email TEXT,
    email_verified BOOLEAN NOT NULL,
    given_name TEXT,
    family_name TEXT,
    locale TEXT,
    picture TEXT,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    disabled_at BIGINT,
    CONSTRAINT people_partner_id_fkey FOREIGN KEY (partner_id) REFERENCES partners(id) ON DELETE CASCADE,
    CONSTRAINT people_pkey PRIMARY KEY (id)
);

CREATE INDEX people_email ON people USING btree (partner_id, email) WHERE (email IS NOT NULL);

CREATE UNIQUE INDEX people_identity ON people USING btree (partner_id, partner_user);

CREATE TABLE pushed_requests (
    hash TEXT NOT NULL,
    client_id TEXT NOT NULL,
    parameters TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    CONSTRAINT pushed_requests_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id) ON DELETE CASCADE,
    CONSTRAINT pushed_requests_pkey PRIMARY KEY (hash)
);

CREATE INDEX pushed_requests_expires_at ON pushed_requests USING btree (expires_at);

CREATE TABLE refresh_tokens (
    grant_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    hash TEXT NOT NULL,
    given_for BIGINT NOT NULL,
    issued_at BIGINT NOT NULL,
    CONSTRAINT refresh_tokens_grant_id_fkey FOREIGN KEY (grant_id) REFERENCES grants(id) ON DELETE CASCADE,
    CONSTRAINT refresh_tokens_pkey PRIMARY KEY (grant_id, number)
);

CREATE TABLE refusals (
    id TEXT NOT NULL,
    at BIGINT NOT NULL,
    environment TEXT NOT NULL,
    organization_id TEXT,
    code TEXT NOT NULL,
    status BIGINT NOT NULL,
    claim TEXT,
    message TEXT NOT NULL,
    seen TEXT NOT NULL,
    route TEXT NOT NULL,
    CONSTRAINT refusals_pkey PRIMARY KEY (id)
);

CREATE INDEX refusals_at ON refusals USING btree (at);

CREATE INDEX refusals_organization ON refusals USING btree (organization_id, at);

CREATE TABLE release_parts (
    release_id BIGINT NOT NULL,
    part BIGINT NOT NULL,
    body TEXT NOT NULL,
    CONSTRAINT release_parts_pkey PRIMARY KEY (release_id, part),
    CONSTRAINT release_parts_release_id_fkey FOREIGN KEY (release_id) REFERENCES releases(id) ON DELETE CASCADE
);

CREATE TABLE releases (
    id BIGINT NOT NULL,
    organization_id TEXT NOT NULL,
    integration_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    tag TEXT NOT NULL,
    branch TEXT,
    revision TEXT,
    secret TEXT,
    manifest TEXT NOT NULL,
    archive_hash TEXT,
    archive_bytes BIGINT NOT NULL,
    ready_at BIGINT,
    failure TEXT,
    retired_at BIGINT,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    CONSTRAINT releases_integration_id_fkey FOREIGN KEY (integration_id) REFERENCES integrations(id),
    CONSTRAINT releases_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id),
    CONSTRAINT releases_pkey PRIMARY KEY (id)
);

CREATE INDEX releases_integration ON releases USING btree (integration_id, id);

CREATE INDEX releases_modified_at ON releases USING btree (modified_at);

CREATE UNIQUE INDEX releases_tag ON releases USING btree (integration_id, tag);

CREATE SEQUENCE releases_ids;

CREATE TABLE reruns (
    trigger_id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    run_id BIGINT NOT NULL,
    configs TEXT,
    state TEXT,
    CONSTRAINT reruns_pkey PRIMARY KEY (trigger_id),
    CONSTRAINT reruns_trigger_id_fkey FOREIGN KEY (trigger_id) REFERENCES triggers(id) ON DELETE CASCADE
);

CREATE INDEX reruns_tenant ON reruns USING btree (tenant_id);

CREATE TABLE revisions (
    name TEXT NOT NULL,
    value BIGINT NOT NULL,
    CONSTRAINT revisions_pkey PRIMARY KEY (name)
);

CREATE TABLE revoked_tokens (
    jti TEXT NOT NULL,
    until_at BIGINT NOT NULL,
    CONSTRAINT revoked_tokens_pkey PRIMARY KEY (jti)
);

CREATE INDEX revoked_tokens_until_at ON revoked_tokens USING btree (until_at);

CREATE TABLE run_logs (
    run_id BIGINT NOT NULL,
    part BIGINT NOT NULL,
    body TEXT NOT NULL,
    CONSTRAINT run_logs_pkey PRIMARY KEY (run_id, part),
    CONSTRAINT run_logs_run_id_fkey FOREIGN KEY (run_id) REFERENCES runs(id) ON DELETE CASCADE
);

CREATE TABLE runs (
    id BIGINT NOT NULL,
    organization_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    tenant_id BIGINT NOT NULL,
    integration_id BIGINT NOT NULL,
    release_id BIGINT,
    mode TEXT NOT NULL,
    phase TEXT NOT NULL,
    reason TEXT,
    attempts BIGINT NOT NULL,
    rerun_of BIGINT,
    configs TEXT,
    given_state TEXT,
    token_hash TEXT,
    state TEXT,
    exit_code BIGINT,
    log_bytes BIGINT NOT NULL,
    cancel_at BIGINT,
    waits_until BIGINT,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    completed_at BIGINT,
    CONSTRAINT runs_pkey PRIMARY KEY (id)
);

CREATE INDEX runs_completed_at ON runs USING btree (completed_at) WHERE (completed_at IS NOT NULL);

CREATE UNIQUE INDEX runs_open ON runs USING btree (tenant_id) WHERE (completed_at IS NULL);

CREATE INDEX runs_organization ON runs USING btree (organization_id, environment, id);

CREATE INDEX runs_succeeded ON runs USING btree (tenant_id, id) WHERE (phase = 'Succeeded'::text);

CREATE INDEX runs_tenant ON runs USING btree (tenant_id, id);

CREATE SEQUENCE runs_ids;

CREATE TABLE schedules (
    tenant_id BIGINT NOT NULL,
    organization_id TEXT NOT NULL,
    integration_id BIGINT NOT NULL,
    cron TEXT NOT NULL,
    zone TEXT NOT NULL,
    next_at BIGINT NOT NULL,
    CONSTRAINT schedules_pkey PRIMARY KEY (tenant_id),
    CONSTRAINT schedules_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON DELETE CASCADE
);

CREATE INDEX schedules_next_at ON schedules USING btree (next_at);

CREATE TABLE service_accounts (
    email TEXT NOT NULL,
    partner_id TEXT NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    disabled_at BIGINT,
    CONSTRAINT service_accounts_partner_id_fkey FOREIGN KEY (partner_id) REFERENCES partners(id) ON DELETE CASCADE,
    CONSTRAINT service_accounts_pkey PRIMARY KEY (email)
);

CREATE INDEX service_accounts_partner ON service_accounts USING btree (partner_id);

CREATE TABLE service_keys (
    id TEXT NOT NULL,
    service_account TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    public_jwk TEXT NOT NULL,
    generated_here BOOLEAN NOT NULL,
    without_jti BOOLEAN NOT NULL,
    audience_in_header BOOLEAN NOT NULL,
    legacy_audience BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    disabled_at BIGINT,
    CONSTRAINT service_keys_pkey PRIMARY KEY (id),
    CONSTRAINT service_keys_service_account_fkey FOREIGN KEY (service_account) REFERENCES service_accounts(email) ON DELETE CASCADE
);

CREATE INDEX service_keys_account ON service_keys USING btree (service_account);

CREATE INDEX service_keys_lenient ON service_keys USING btree (id) WHERE (without_jti OR audience_in_header OR legacy_audience);

CREATE TABLE session_apps (
    session_id TEXT NOT NULL,
    app_id TEXT NOT NULL,
    account_id TEXT,
    back_url TEXT,
    back_url_text TEXT,
    entered_at BIGINT NOT NULL,
    CONSTRAINT session_apps_pkey PRIMARY KEY (session_id, app_id),
    CONSTRAINT session_apps_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE
);

CREATE TABLE sessions (
    id TEXT NOT NULL,
    hash TEXT NOT NULL,
    environment TEXT NOT NULL,
    partner_id TEXT NOT NULL,
    person_id TEXT NOT NULL,
    partner_session TEXT NOT NULL,
    authenticated_at BIGINT NOT NULL,
    detail TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    touched_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    CONSTRAINT sessions_person_id_fkey FOREIGN KEY (person_id) REFERENCES people(id) ON DELETE CASCADE,
    CONSTRAINT sessions_pkey PRIMARY KEY (id)
);

CREATE INDEX sessions_expires_at ON sessions USING btree (expires_at);

CREATE UNIQUE INDEX sessions_hash ON sessions USING btree (hash);

CREATE INDEX sessions_partner_session ON sessions USING btree (partner_id, partner_session);

CREATE INDEX sessions_person ON sessions USING btree (person_id);

CREATE TABLE signing_keys (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    material_kind TEXT NOT NULL,
    material TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    retires_at BIGINT,
    revoked_at BIGINT,
    CONSTRAINT signing_keys_material_kind_check CHECK ((material_kind = ANY (ARRAY['secret'::text, 'jwk'::text, 'jwks_url'::text]))),
    CONSTRAINT signing_keys_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id),
    CONSTRAINT signing_keys_pkey PRIMARY KEY (id)
);

CREATE INDEX signing_keys_organization ON signing_keys USING btree (organization_id, environment);

CREATE TABLE tenant_dynamic_configs (
    tenant_id BIGINT NOT NULL,
    organization_id TEXT NOT NULL,
    data TEXT NOT NULL,
    modified_at BIGINT NOT NULL,
    CONSTRAINT tenant_dynamic_configs_pkey PRIMARY KEY (tenant_id),
    CONSTRAINT tenant_dynamic_configs_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON DELETE CASCADE
);

CREATE TABLE tenant_metadata (
    tenant_id BIGINT NOT NULL,
    organization_id TEXT NOT NULL,
    data TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    CONSTRAINT tenant_metadata_pkey PRIMARY KEY (tenant_id),
    CONSTRAINT tenant_metadata_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON DELETE CASCADE
);

CREATE TABLE tenants (
    id BIGINT NOT NULL,
    organization_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    integration_id BIGINT NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    paused BOOLEAN NOT NULL,
    archived_at BIGINT,
    user_schedule TEXT,
    schedule TEXT,
    time_zone TEXT NOT NULL DEFAULT 'UTC'::text,
    channel TEXT NOT NULL,
    release_id BIGINT,
    configs TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    revision BIGINT NOT NULL DEFAULT 1,
    CONSTRAINT tenants_integration_id_fkey FOREIGN KEY (integration_id) REFERENCES integrations(id),
    CONSTRAINT tenants_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id),
    CONSTRAINT tenants_pkey PRIMARY KEY (id),
    CONSTRAINT tenants_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id)
);

CREATE INDEX tenants_by_id ON tenants USING btree (organization_id, environment, id);

CREATE INDEX tenants_integration ON tenants USING btree (integration_id);

CREATE UNIQUE INDEX tenants_live ON tenants USING btree (organization_id, environment, integration_id, user_id) WHERE (archived_at IS NULL);

CREATE UNIQUE INDEX tenants_name ON tenants USING btree (organization_id, environment, name) WHERE (archived_at IS NULL);

CREATE INDEX tenants_release ON tenants USING btree (release_id) WHERE (release_id IS NOT NULL);

CREATE INDEX tenants_user ON tenants USING btree (user_id);

CREATE SEQUENCE tenants_ids;

CREATE TABLE triggers (
    id BIGINT NOT NULL,
    organization_id TEXT NOT NULL,
    tenant_id BIGINT NOT NULL,
    source TEXT NOT NULL,
    mode TEXT NOT NULL,
    delivery_id TEXT,
    payload TEXT,
    created_at BIGINT NOT NULL,
    claimed_at BIGINT,
    run_id BIGINT,
    CONSTRAINT triggers_pkey PRIMARY KEY (id)
);

CREATE INDEX triggers_ahead ON triggers USING btree (tenant_id, id) WHERE ((claimed_at IS NULL) AND ((mode = 'init'::text) OR (source = 'Cron'::text)));

CREATE INDEX triggers_claimed_at ON triggers USING btree (claimed_at) WHERE (claimed_at IS NOT NULL);

CREATE INDEX triggers_run ON triggers USING btree (run_id) WHERE (run_id IS NOT NULL);

CREATE INDEX triggers_tenant ON triggers USING btree (tenant_id, id);

CREATE INDEX triggers_unclaimed ON triggers USING btree (tenant_id, id) WHERE (claimed_at IS NULL);

CREATE SEQUENCE triggers_ids;

CREATE TABLE used_assertions (
    principal TEXT NOT NULL,
    jti_hash TEXT NOT NULL,
    until_at BIGINT NOT NULL,
    CONSTRAINT used_assertions_pkey PRIMARY KEY (principal, jti_hash)
);

CREATE INDEX used_assertions_until_at ON used_assertions USING btree (until_at);

CREATE TABLE users (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    username TEXT NOT NULL,
    email TEXT,
    external_id TEXT,
    meta TEXT NOT NULL,
    attributes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    CONSTRAINT users_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id),
    CONSTRAINT users_pkey PRIMARY KEY (id)
);

CREATE UNIQUE INDEX users_username ON users USING btree (organization_id, environment, username);

CREATE TABLE webhooks (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    tenant_id BIGINT NOT NULL,
    connector TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    secret TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at BIGINT,
    CONSTRAINT webhooks_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id),
    CONSTRAINT webhooks_pkey PRIMARY KEY (id),
    CONSTRAINT webhooks_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id)
);

CREATE UNIQUE INDEX webhooks_current ON webhooks USING btree (tenant_id, connector) WHERE (ends_at IS NULL);

CREATE INDEX webhooks_ends_at ON webhooks USING btree (ends_at) WHERE (ends_at IS NOT NULL);

CREATE UNIQUE INDEX webhooks_secret ON webhooks USING btree (secret_hash);

CREATE INDEX webhooks_tenant ON webhooks USING btree (tenant_id);
