-- What goes on after connecting: the queue, releases, runs, schedules, refreshes, notices (decision 0012).

-- sequence: runs
-- sequence: releases

-- The one queue. A row is one thing to do about one subject, and asking again for what is there already makes no second
-- row. What is asked for while it is being done is kept in `again_at`, so that it is done once more and nothing is
-- forgotten between two transactions.
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
CREATE UNIQUE INDEX jobs_subject ON jobs (kind, subject);
-- Organizations take turns: the next one with something ready is one step in this index.
CREATE INDEX jobs_ready ON jobs (kind, organization_id, due_at) WHERE state = 'ready';
CREATE INDEX jobs_waiting ON jobs (due_at) WHERE state = 'waiting';
CREATE INDEX jobs_held ON jobs (held_until) WHERE state = 'held';
CREATE INDEX jobs_died_at ON jobs (died_at) WHERE state = 'dead';
-- Younger than the one above, so that PostgreSQL takes it for an organization's (see `runs_open`).
CREATE INDEX jobs_dead ON jobs (organization_id, id) WHERE state = 'dead';

-- A version of an integration that can run. Its files are kept in parts, so that every node has them.
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
CREATE UNIQUE INDEX releases_tag ON releases (integration_id, tag);
CREATE INDEX releases_integration ON releases (integration_id, id);
CREATE INDEX releases_modified_at ON releases (modified_at);
-- Those of tenants are not cleaned up.
CREATE INDEX tenants_release ON tenants (release_id) WHERE release_id IS NOT NULL;

CREATE TABLE release_parts (
    release_id BIGINT NOT NULL REFERENCES releases (id) ON DELETE CASCADE,
    part BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (release_id, part)
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
CREATE INDEX runs_tenant ON runs (tenant_id, id);
CREATE INDEX runs_organization ON runs (organization_id, environment, id);
CREATE INDEX runs_succeeded ON runs (tenant_id, id) WHERE phase = 'Succeeded';
CREATE INDEX runs_completed_at ON runs (completed_at) WHERE completed_at IS NOT NULL;
-- One run of a tenant at a time. The last of these: of two that seem to cost the same PostgreSQL reads the younger one, and
-- this one is short, however many runs a tenant has had.
CREATE UNIQUE INDEX runs_open ON runs (tenant_id) WHERE completed_at IS NULL;

-- What was chosen for a run that is to be done once more, until it is: beside its trigger.
CREATE TABLE reruns (
    trigger_id BIGINT NOT NULL PRIMARY KEY REFERENCES triggers (id) ON DELETE CASCADE,
    tenant_id BIGINT NOT NULL,
    run_id BIGINT NOT NULL,
    configs TEXT,
    -- Sealed for the place `rerun:{trigger_id}`.
    state TEXT
);
CREATE INDEX reruns_tenant ON reruns (tenant_id);

-- Those that go before others are found without reading the others.
CREATE INDEX triggers_ahead ON triggers (tenant_id, id)
    WHERE claimed_at IS NULL AND (mode = 'init' OR source = 'Cron');

CREATE TABLE run_logs (
    run_id BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    part BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (run_id, part)
);

-- When a tenant's schedule fires next. A narrow row of its own, because it is written at each firing.
CREATE TABLE schedules (
    tenant_id BIGINT NOT NULL PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    organization_id TEXT NOT NULL,
    integration_id BIGINT NOT NULL,
    cron TEXT NOT NULL,
    zone TEXT NOT NULL,
    next_at BIGINT NOT NULL
);
CREATE INDEX schedules_next_at ON schedules (next_at);

CREATE TABLE tenant_metadata (
    tenant_id BIGINT NOT NULL PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    organization_id TEXT NOT NULL,
    data TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL
);

CREATE TABLE tenant_dynamic_configs (
    tenant_id BIGINT NOT NULL PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    organization_id TEXT NOT NULL,
    data TEXT NOT NULL,
    modified_at BIGINT NOT NULL
);

-- Where an organization wants to hear of events.
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
CREATE INDEX notice_endpoints_organization ON notice_endpoints (organization_id, environment);
CREATE INDEX notice_endpoints_deleted_at ON notice_endpoints (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE notice_choices (
    endpoint_id TEXT NOT NULL REFERENCES notice_endpoints (id) ON DELETE CASCADE,
    event TEXT NOT NULL,
    PRIMARY KEY (endpoint_id, event)
);

-- An event that some endpoint chose. The body is what is posted, to the byte. Ids are ordered by time, so that old
-- ones are found by id.
CREATE TABLE events (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    event TEXT NOT NULL,
    tenant_id BIGINT,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- A message: one event for one endpoint. The job that delivers it has its id as subject, or the lane of an ordered
-- endpoint. Nothing refers to other tables: many writers at once would meet in the row of the endpoint.
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

-- Every try but a first one that delivered: that one stands in the message.
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

-- What a POST with an `Idempotency-Key` was answered, to be answered again.
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
