-- The second door: partners and their people, apps and their clients, entries, sessions, grants (decision 0009).

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

-- `environment` is the partner's, repeated so that every look-up by a published id names it.
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
-- Who somebody is. It is also what lets a hundred first entries at once make one user.
CREATE UNIQUE INDEX people_identity ON people (partner_id, partner_user);
CREATE INDEX people_email ON people (partner_id, email) WHERE email IS NOT NULL;

CREATE TABLE associations (
    person_id TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    roles TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (person_id, account_id)
);
CREATE INDEX associations_account ON associations (account_id);

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

CREATE TABLE activations (
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    activated_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, account_id)
);
CREATE INDEX activations_account ON activations (account_id);

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

-- Two in force during a change.
CREATE TABLE client_secrets (
    hash TEXT NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    ends_at BIGINT
);
CREATE INDEX client_secrets_client ON client_secrets (client_id);

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
-- What `doctor` shows.
CREATE INDEX service_keys_lenient ON service_keys (id)
    WHERE without_jti OR audience_in_header OR legacy_audience;

-- The `jti` of assertions, of service accounts and clients alike: what refuses the second use, on any node.
CREATE TABLE used_assertions (
    principal TEXT NOT NULL,
    jti_hash TEXT NOT NULL,
    until_at BIGINT NOT NULL,
    PRIMARY KEY (principal, jti_hash)
);
CREATE INDEX used_assertions_until_at ON used_assertions (until_at);

-- The gateway's own keys, which sign what it says of users. One set per environment, as each is an issuer.
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

-- The key is the code's time and its hash: rows of one time lie together, and older ones are found by it. Partner and
-- app are not referred to: where one of them is gone, the code is worth nothing.
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

-- Authorize requests that wait while their user is at the partner's. The browser's cookie has the nonces.
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

-- Entries whose code is used up and whose person is being asked ("You are now A; continue as B?"). The question is
-- answered in the browser that has the cookie, once.
CREATE TABLE held_entries (
    token_hash TEXT NOT NULL PRIMARY KEY,
    cookie_hash TEXT NOT NULL,
    environment TEXT NOT NULL,
    code_hash TEXT NOT NULL REFERENCES entry_codes (hash) ON DELETE CASCADE,
    since BIGINT NOT NULL,
    answered_at BIGINT
);
CREATE INDEX held_entries_since ON held_entries (since);
CREATE INDEX held_entries_code ON held_entries (code_hash);

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
CREATE UNIQUE INDEX sessions_hash ON sessions (hash);
CREATE INDEX sessions_partner_session ON sessions (partner_id, partner_session);
CREATE INDEX sessions_person ON sessions (person_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

-- What each entry said for one app within a session: the way back, and for which account.
CREATE TABLE session_apps (
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    app_id TEXT NOT NULL,
    account_id TEXT,
    back_url TEXT,
    back_url_text TEXT,
    entered_at BIGINT NOT NULL,
    PRIMARY KEY (session_id, app_id)
);

CREATE TABLE pushed_requests (
    hash TEXT NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    -- JSON list of name and value, in their order.
    parameters TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX pushed_requests_expires_at ON pushed_requests (expires_at);

-- What grew out of one authorization: the code that began it, its refresh tokens, its access tokens. Revoked as one.
-- The id begins with its time, so that new rows lie together, and is written into the code and the refresh tokens:
-- these are found by it, and compared by their hash. Client, person and account are not referred to: where one of them
-- is gone, the grant is worth nothing, and it goes with its session.
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
CREATE INDEX grants_session ON grants (session_id);
CREATE INDEX grants_expires_at ON grants (expires_at);

-- The tokens of a family are counted, in the order in which they were given out, and never changed: what became of one
-- is told by those after it. The primary key is what lets one of many uses at once win.
CREATE TABLE refresh_tokens (
    grant_id TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    hash TEXT NOT NULL,
    -- The number of the token that it was given out for; 0 is the code.
    given_for BIGINT NOT NULL,
    issued_at BIGINT NOT NULL,
    PRIMARY KEY (grant_id, number)
);

-- Access tokens that were revoked by themselves, until they would have expired.
CREATE TABLE revoked_tokens (
    jti TEXT NOT NULL PRIMARY KEY,
    until_at BIGINT NOT NULL
);
CREATE INDEX revoked_tokens_until_at ON revoked_tokens (until_at);

CREATE TABLE consents (
    person_id TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    scopes TEXT NOT NULL,
    given_at BIGINT NOT NULL,
    PRIMARY KEY (person_id, client_id)
);

-- One line per app that is to hear of a session's end; kept until told, then as a record.
-- The session, its person and its partner may be gone by then: what is told of them stands here.
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
CREATE INDEX logout_notices_next_at ON logout_notices (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX logout_notices_created_at ON logout_notices (created_at) WHERE next_at IS NULL;
CREATE INDEX logout_notices_session ON logout_notices (session_id);
