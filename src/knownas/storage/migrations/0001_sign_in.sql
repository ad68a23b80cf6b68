-- The ground: accounts, apps, keys, users and how they sign in. Both engines run this text: identifiers and JSON are
-- TEXT, times and counts BIGINT (milliseconds), flags SMALLINT. Every key of a user's data begins with the app id.
-- `seq` is the number of the last event told of a row, `revision` changes with every write of it (decision 2).

CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY,
    display_name TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
-- Two processes that start at once open one account.
CREATE UNIQUE INDEX accounts_by_name ON accounts (display_name);

CREATE TABLE apps (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    settings TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX apps_of_account ON apps (account_id, id);

CREATE TABLE keys (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL,
    app_id TEXT,
    integration_id TEXT,
    algorithm TEXT NOT NULL,
    display_name TEXT NOT NULL,
    sealed_secret TEXT,
    public_key TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX keys_of_app ON keys (app_id, integration_id, id);

CREATE TABLE integrations (
    app_id TEXT NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    display_name TEXT,
    settings TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, id)
);
CREATE UNIQUE INDEX integrations_by_id ON integrations (id);

CREATE TABLE users (
    app_id TEXT NOT NULL,
    id TEXT NOT NULL,
    external_id TEXT,
    authenticated SMALLINT NOT NULL,
    given_name TEXT,
    surname TEXT,
    email TEXT,
    avatar_url TEXT,
    locale TEXT,
    metadata TEXT NOT NULL,
    signed_up_at BIGINT,
    to_be_retained SMALLINT,
    client_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    absorbed BIGINT NOT NULL,
    merged_into TEXT,
    PRIMARY KEY (app_id, id)
);
CREATE INDEX users_merged_into ON users (app_id, merged_into) WHERE merged_into IS NOT NULL;

-- R1: at most one owner. Claims that nobody vouched for (owned = 0) may be many.
CREATE TABLE identities (
    app_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    type TEXT NOT NULL,
    key TEXT NOT NULL,
    owned SMALLINT NOT NULL,
    value TEXT NOT NULL,
    verification TEXT NOT NULL,
    asserted_by TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, user_id, type, key, owned)
);
CREATE UNIQUE INDEX identities_one_owner ON identities (app_id, type, key) WHERE owned = 1;
CREATE INDEX identities_claims ON identities (app_id, type, key) WHERE owned = 0;

CREATE TABLE devices (
    app_id TEXT NOT NULL,
    guid TEXT NOT NULL,
    id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    platform TEXT NOT NULL,
    integration_id TEXT,
    status TEXT NOT NULL,
    last_seen BIGINT NOT NULL,
    push_token TEXT,
    info TEXT,
    app_version TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, guid)
);
CREATE INDEX devices_of_user ON devices (app_id, user_id);

CREATE TABLE sessions (
    app_id TEXT NOT NULL,
    token_hash TEXT NOT NULL,
    user_id TEXT NOT NULL,
    device_guid TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, token_hash)
);
CREATE INDEX sessions_of_user ON sessions (app_id, user_id);

-- The outbox (R11): written with the change, read by delivery and realtime. A stream is a user's, or the app's own.
CREATE TABLE events (
    app_id TEXT NOT NULL,
    stream TEXT NOT NULL,
    seq BIGINT NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, stream, seq)
);

CREATE TABLE merges (
    app_id TEXT NOT NULL,
    id TEXT NOT NULL,
    surviving TEXT NOT NULL,
    discarded TEXT NOT NULL,
    reason TEXT NOT NULL,
    before TEXT NOT NULL,
    discarded_metadata TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, id)
);
CREATE INDEX merges_of_discarded ON merges (app_id, discarded);
CREATE INDEX merges_of_surviving ON merges (app_id, surviving);

-- One row per (identity, claimant), however often the claim is repeated (R7).
CREATE TABLE conflicts (
    app_id TEXT NOT NULL,
    type TEXT NOT NULL,
    key TEXT NOT NULL,
    claimant TEXT NOT NULL,
    id TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    claimant_id TEXT,
    asserted_by TEXT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    count BIGINT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (app_id, type, key, claimant)
);
CREATE INDEX conflicts_open ON conflicts (app_id, id) WHERE state = 'open';
CREATE INDEX conflicts_of_owner ON conflicts (app_id, owner_id);
CREATE INDEX conflicts_of_claimant ON conflicts (app_id, claimant_id) WHERE claimant_id IS NOT NULL;
CREATE INDEX conflicts_of_nobody_yet ON conflicts (app_id, claimant) WHERE claimant_id IS NULL;
