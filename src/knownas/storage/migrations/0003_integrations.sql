-- What an integration needs to sign in elsewhere is sealed, all of it as one text; changes at once do not get lost.

ALTER TABLE integrations ADD COLUMN sealed_secrets TEXT;
ALTER TABLE integrations ADD COLUMN revision BIGINT NOT NULL DEFAULT 1;
