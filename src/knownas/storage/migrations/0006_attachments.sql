-- Files that were uploaded. What was removed stays as a name until its file is removed too.

CREATE TABLE attachments (
    app_id TEXT NOT NULL,
    name TEXT NOT NULL,
    filename TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size BIGINT NOT NULL,
    for_message SMALLINT NOT NULL,
    conversation_id TEXT,
    message_id TEXT,
    author_id TEXT,
    created_at BIGINT NOT NULL,
    removed SMALLINT NOT NULL,
    PRIMARY KEY (app_id, name)
);
CREATE INDEX attachments_of_conversation ON attachments (app_id, conversation_id) WHERE conversation_id IS NOT NULL;
CREATE INDEX attachments_of_message ON attachments (app_id, message_id) WHERE message_id IS NOT NULL;
CREATE INDEX attachments_of_author ON attachments (app_id, author_id) WHERE author_id IS NOT NULL;
CREATE INDEX attachments_removed ON attachments (app_id, name) WHERE removed = 1;
