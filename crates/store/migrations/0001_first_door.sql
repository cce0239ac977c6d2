-- One text for SQLite and PostgreSQL: TEXT, BIGINT and BOOLEAN only. Times are microseconds since 1970 in UTC,
-- from our clock. JSON and sealed secrets are TEXT and never searched inside. Unique indexes have names, because
-- an error tells the name. A line that begins with "sequence:" makes a source of published integers.

-- sequence: integrations
-- sequence: tenants
-- sequence: triggers

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

CREATE TABLE data_keys (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    wrapped TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT
);
-- At most one key seals at a time.
CREATE UNIQUE INDEX data_keys_current ON data_keys (organization_id) WHERE retired_at IS NULL;
CREATE INDEX data_keys_organization ON data_keys (organization_id, created_at);

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

CREATE TABLE origins (
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    environment TEXT NOT NULL,
    origin TEXT NOT NULL,
    PRIMARY KEY (organization_id, environment, origin)
);

-- Connectors that the organization defines itself: its own system, or one that no file ships.
-- What was stored for production is seen in both environments, what was stored for the sandbox only there.
CREATE TABLE organization_connectors (
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    environment TEXT NOT NULL CHECK (environment IN ('production', 'sandbox')),
    own BOOLEAN NOT NULL,
    definition TEXT NOT NULL,
    modified_at BIGINT NOT NULL,
    PRIMARY KEY (organization_id, name)
);

-- What the outside system gave the organization when it registered its app there.
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

CREATE TABLE integration_connectors (
    integration_id BIGINT NOT NULL REFERENCES integrations (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    connector TEXT NOT NULL,
    PRIMARY KEY (integration_id, position)
);
CREATE UNIQUE INDEX integration_connectors_connector ON integration_connectors (integration_id, connector);

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
-- One installation of one integration for one user: what keeps two connects at once from making twins.
CREATE UNIQUE INDEX tenants_live ON tenants (organization_id, environment, integration_id, user_id)
    WHERE archived_at IS NULL;
CREATE UNIQUE INDEX tenants_name ON tenants (organization_id, environment, name) WHERE archived_at IS NULL;
CREATE INDEX tenants_by_id ON tenants (organization_id, environment, id);
CREATE INDEX tenants_integration ON tenants (integration_id);
CREATE INDEX tenants_user ON tenants (user_id);

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

-- The hot table: one row per landing. Its id begins with the time, so that what is written together lies together, and
-- goes on with a hash of the dialog's bearer; old rows are found by it. It has no reference to
-- organizations: the statement that writes it takes the organization from there, and a reference would be one more
-- look-up and, on PostgreSQL, a lock on the one row that all landings of an organization share.
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
-- What refuses a token that comes a second time, on any node, also after a restart.
CREATE UNIQUE INDEX dialogs_jti ON dialogs (jti_hash);

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
CREATE UNIQUE INDEX attempts_ticket ON attempts (ticket_hash);
CREATE UNIQUE INDEX attempts_state ON attempts (state_hash);
CREATE INDEX attempts_dialog ON attempts (dialog_id);
CREATE INDEX attempts_expires_at ON attempts (expires_at);

-- `connector` is '' for the tenant's published address, which belongs to no connector.
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
CREATE UNIQUE INDEX webhooks_secret ON webhooks (secret_hash);
-- One current address per tenant and connector; the others are ending.
CREATE UNIQUE INDEX webhooks_current ON webhooks (tenant_id, connector) WHERE ends_at IS NULL;
CREATE INDEX webhooks_tenant ON webhooks (tenant_id);
CREATE INDEX webhooks_ends_at ON webhooks (ends_at) WHERE ends_at IS NOT NULL;

-- Organization and tenant are copied from the webhook's row, which has the references; two more for each delivery
-- would be two more look-ups and locks.
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
CREATE INDEX deliveries_fresh ON deliveries (id) WHERE trigger_id IS NULL;
-- Whether a tenant has one: what arrives now shall not overtake it.
CREATE INDEX deliveries_waiting ON deliveries (tenant_id) WHERE trigger_id IS NULL;
CREATE UNIQUE INDEX deliveries_dedupe ON deliveries (webhook_id, dedupe) WHERE dedupe IS NOT NULL;
CREATE INDEX deliveries_taken_at ON deliveries (taken_at) WHERE taken_at IS NOT NULL;

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
CREATE INDEX triggers_tenant ON triggers (tenant_id, id);
CREATE INDEX triggers_unclaimed ON triggers (tenant_id, id) WHERE claimed_at IS NULL;
CREATE INDEX triggers_run ON triggers (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX triggers_claimed_at ON triggers (claimed_at) WHERE claimed_at IS NOT NULL;

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

-- No reference to organizations: a refusal is kept whatever it was that was refused.
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

-- How often something was changed or taken away that is decided by from memory: see `revision.rs`.
CREATE TABLE revisions (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO revisions (name, value) VALUES ('second_door', 1);
