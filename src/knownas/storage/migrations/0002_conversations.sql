-- Conversations, who takes part in them, what is said, and who answers in them.

CREATE TABLE conversations (
    app_id TEXT NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    display_name TEXT,
    description TEXT,
    icon_url TEXT,
    metadata TEXT NOT NULL,
    default_of TEXT,
    business_last_read BIGINT,
    last_message_at BIGINT,
    message_count BIGINT NOT NULL,
    active_holder TEXT,
    pending_holder TEXT,
    created_at BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    merged_into TEXT,
    PRIMARY KEY (app_id, id)
);
-- A user has one default conversation, however many requests make it at once.
CREATE UNIQUE INDEX conversations_one_default ON conversations (app_id, default_of) WHERE default_of IS NOT NULL;
CREATE INDEX conversations_merged_into ON conversations (app_id, merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE participants (
    app_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    unread_count BIGINT NOT NULL,
    last_read BIGINT,
    associations TEXT NOT NULL,
    joined_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, conversation_id, id)
);
CREATE UNIQUE INDEX participants_once ON participants (app_id, conversation_id, user_id);
CREATE INDEX participants_of_user ON participants (app_id, user_id, conversation_id);

-- Groups that a user left: their events still speak of her, until she is removed or erased (R10).
CREATE TABLE former_participants (
    app_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    PRIMARY KEY (app_id, user_id, conversation_id)
);

CREATE TABLE messages (
    app_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    id TEXT NOT NULL,
    received BIGINT NOT NULL,
    author_id TEXT,
    body TEXT NOT NULL,
    idempotency_key TEXT,
    PRIMARY KEY (app_id, conversation_id, id)
);
CREATE INDEX messages_of_author ON messages (app_id, author_id) WHERE author_id IS NOT NULL;
CREATE UNIQUE INDEX messages_idempotent ON messages (app_id, conversation_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

CREATE TABLE switchboards (
    app_id TEXT NOT NULL,
    id TEXT NOT NULL,
    enabled SMALLINT NOT NULL,
    default_integration TEXT,
    created_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (app_id, id)
);
-- One switchboard per app.
CREATE UNIQUE INDEX switchboards_one ON switchboards (app_id);

CREATE TABLE switchboard_integrations (
    app_id TEXT NOT NULL,
    id TEXT NOT NULL,
    switchboard_id TEXT NOT NULL,
    name TEXT NOT NULL,
    integration_id TEXT,
    integration_type TEXT NOT NULL,
    deliver_standby_events SMALLINT NOT NULL,
    next_integration TEXT,
    message_history_count BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, id)
);
CREATE UNIQUE INDEX switchboard_integrations_by_name ON switchboard_integrations (app_id, switchboard_id, name);
