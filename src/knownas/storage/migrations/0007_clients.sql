-- Clients of channels such as WhatsApp, brand-separated users, and users who are known to Zendesk Support.

-- A link waits as `pending`; what its channel calls the person stands in `external_id` once the channel has found her.
CREATE TABLE clients (
    app_id TEXT NOT NULL,
    id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    type TEXT NOT NULL,
    integration_id TEXT NOT NULL,
    status TEXT NOT NULL,
    address TEXT NOT NULL,
    subject TEXT,
    is_primary SMALLINT NOT NULL,
    confirmation TEXT NOT NULL,
    confirmation_message TEXT,
    conversation_id TEXT NOT NULL,
    external_id TEXT,
    display_name TEXT,
    avatar_url TEXT,
    info TEXT,
    raw TEXT,
    created_at BIGINT NOT NULL,
    matched_at BIGINT,
    linked_at BIGINT,
    last_seen BIGINT,
    revision BIGINT NOT NULL,
    PRIMARY KEY (app_id, id)
);
-- What a channel calls one person belongs to one client. Links that are not confirmed yet may compete for it.
CREATE UNIQUE INDEX clients_one_owner ON clients (app_id, integration_id, external_id) WHERE status <> 'pending';
CREATE INDEX clients_of_user ON clients (app_id, user_id, id);

-- A brand-separated user's identities carry the brand in their keys, so that identities_one_owner guards them too.
ALTER TABLE users ADD COLUMN brand_id TEXT;

-- What stands in the user is for showing; whose a Zendesk id is stands here, also for one who was merged away.
ALTER TABLE users ADD COLUMN zendesk_id TEXT;
CREATE TABLE zendesk_links (
    app_id TEXT NOT NULL,
    zendesk_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, zendesk_id)
);
CREATE INDEX zendesk_links_of_user ON zendesk_links (app_id, user_id);
