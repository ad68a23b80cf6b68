-- Programs of other companies that a business lets act on one of its apps (RFC 6749). No secret is here, only hashes.

CREATE TABLE oauth_clients (
    id TEXT NOT NULL PRIMARY KEY,
    display_name TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    redirect_uris TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- An operator who has shown a key and is looking at the page that asks for consent.
CREATE TABLE oauth_consents (
    ticket_hash TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL,
    app_id TEXT,
    key_id TEXT NOT NULL,
    request TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX oauth_consents_by_age ON oauth_consents (expires_at);

-- Used codes stay for a day, so that one that comes twice is noticed.
CREATE TABLE oauth_codes (
    code_hash TEXT NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    app_id TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    challenge TEXT,
    granted_by TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX oauth_codes_by_age ON oauth_codes (expires_at);

-- The integration that stands for a client in an app; it is found by nobody once the integration is gone.
CREATE TABLE oauth_grants (
    app_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    integration_id TEXT NOT NULL,
    PRIMARY KEY (app_id, client_id)
);

CREATE TABLE oauth_tokens (
    token_hash TEXT NOT NULL PRIMARY KEY,
    app_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    integration_id TEXT NOT NULL,
    code_hash TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX oauth_tokens_of_integration ON oauth_tokens (app_id, integration_id);
CREATE INDEX oauth_tokens_of_code ON oauth_tokens (code_hash);
