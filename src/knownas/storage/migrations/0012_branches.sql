-- What is written for a survivor in a merged user's conversation has a place of its own, so that undo copies nothing (R9).

-- A branch is merged into the conversation that it left, for as long as the pointers lead to the user `led_to`; `trunk`
-- is what that conversation was before, as JSON. Its seat began with what waited in `grew_from`: the trunk, or the branch
-- of the user who was led to before.
ALTER TABLE conversations ADD COLUMN led_to TEXT;
ALTER TABLE conversations ADD COLUMN trunk TEXT;
ALTER TABLE conversations ADD COLUMN grew_from TEXT;
CREATE UNIQUE INDEX conversations_one_branch ON conversations (app_id, merged_into, led_to) WHERE led_to IS NOT NULL;

-- A repeated request is known by the conversation that it names, wherever the message is by then.
ALTER TABLE messages ADD COLUMN asked_of TEXT;
UPDATE messages SET asked_of = conversation_id WHERE idempotency_key IS NOT NULL;
DROP INDEX messages_idempotent;
CREATE UNIQUE INDEX messages_idempotent ON messages (app_id, asked_of, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
