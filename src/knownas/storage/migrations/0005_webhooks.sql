-- Where businesses want to be told.

CREATE TABLE webhooks (
    app_id TEXT NOT NULL,
    id TEXT NOT NULL,
    integration_id TEXT NOT NULL,
    slot BIGINT NOT NULL,
    target TEXT NOT NULL,
    triggers TEXT NOT NULL,
    include_full_user SMALLINT NOT NULL,
    include_full_source SMALLINT NOT NULL,
    sealed_secret TEXT NOT NULL,
    sealed_former TEXT,
    former_until BIGINT,
    failing_since BIGINT,
    disabled_at BIGINT,
    created_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (app_id, id)
);
-- An app has ten slots, so ten webhooks, however many are asked for at once.
CREATE UNIQUE INDEX webhooks_one_per_slot ON webhooks (app_id, slot);
CREATE INDEX webhooks_of_integration ON webhooks (app_id, integration_id, id);
