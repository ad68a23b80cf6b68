-- The outbox in the order of commit, and what is still to be delivered out of it (docs/decisions/0008-delivery.md).

-- SQLite has one writer, so its positions grow in the order of commit. AUTOINCREMENT: an erased event's position is
-- never given to another, which a reader would take for one that it has seen.
-- only: sqlite
CREATE TABLE outbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    app_id TEXT NOT NULL,
    stream TEXT NOT NULL,
    seq BIGINT NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
-- only: sqlite
INSERT INTO outbox (app_id, stream, seq, id, type, body, created_at)
    SELECT app_id, stream, seq, id, type, body, created_at FROM events ORDER BY created_at, stream, seq;
-- only: sqlite
DROP TABLE events;
-- only: sqlite
ALTER TABLE outbox RENAME TO events;
-- only: sqlite
CREATE UNIQUE INDEX events_of_stream ON events (app_id, stream, seq);

-- PostgreSQL gives positions out before the commit. A reader takes those of ended transactions only, and by transaction.
-- only: postgresql
ALTER TABLE events ADD COLUMN position BIGINT GENERATED ALWAYS AS IDENTITY;
-- only: postgresql
ALTER TABLE events ADD COLUMN written_in xid8 NOT NULL DEFAULT pg_current_xact_id();
-- only: postgresql
CREATE UNIQUE INDEX events_in_order ON events (written_in, position);

-- Who reads the outbox, and up to where. Only the holder may move on; `written_in` is 0 on SQLite.
CREATE TABLE outbox_readers (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    held_until BIGINT NOT NULL,
    written_in BIGINT NOT NULL,
    position BIGINT NOT NULL
);
INSERT INTO outbox_readers (name, holder, held_until, written_in, position) VALUES ('webhooks', '', 0, 0, 0);

-- One event that one webhook is to be told of. The row goes when it was told; without `due_at` it was given up. It holds
-- nothing about anybody: what is sent is rendered from the event, with the options that the webhook had.
CREATE TABLE deliveries (
    app_id TEXT NOT NULL,
    webhook_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    stream TEXT NOT NULL,
    seq BIGINT NOT NULL,
    include_full_user SMALLINT NOT NULL,
    include_full_source SMALLINT NOT NULL,
    attempts BIGINT NOT NULL,
    due_at BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, webhook_id, event_id)
);
CREATE INDEX deliveries_due ON deliveries (app_id, webhook_id, due_at, seq) WHERE due_at IS NOT NULL;

-- Every attempt, whatever came of it: neither bodies nor addresses, which may be secret.
CREATE TABLE attempts (
    app_id TEXT NOT NULL,
    webhook_id TEXT NOT NULL,
    id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    status BIGINT,
    error TEXT,
    took_ms BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, webhook_id, id)
);
