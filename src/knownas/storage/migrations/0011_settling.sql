-- What is done about a conflict, and how it is undone: cases with evidence, plans, resolutions, the audit log.

-- The events of a case are numbered in the case, so that they go with it and nothing of one user stays in another's
-- stream (R10). `value` is the identity as it was asserted, `outcome` what the last attempt came to, and the shadow what
-- another policy would have made of it.
ALTER TABLE conflicts ADD COLUMN value TEXT NOT NULL DEFAULT '';
ALTER TABLE conflicts ADD COLUMN outcome TEXT NOT NULL DEFAULT 'refused';
ALTER TABLE conflicts ADD COLUMN shadow_policy TEXT;
ALTER TABLE conflicts ADD COLUMN shadow_outcome TEXT;
ALTER TABLE conflicts ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;
ALTER TABLE conflicts ADD COLUMN revision BIGINT NOT NULL DEFAULT 1;
CREATE UNIQUE INDEX conflicts_by_id ON conflicts (app_id, id);
DROP INDEX conflicts_open;
CREATE INDEX conflicts_by_state ON conflicts (app_id, state, id);
CREATE INDEX conflicts_shadowed ON conflicts (app_id, shadow_policy, outcome, shadow_outcome, id)
    WHERE shadow_policy IS NOT NULL;

-- The first attempts and the latest ones of each case: a slot is written over once the case has had many.
CREATE TABLE conflict_evidence (
    app_id TEXT NOT NULL,
    case_id TEXT NOT NULL,
    slot BIGINT NOT NULL,
    number BIGINT NOT NULL,
    asserted_by TEXT NOT NULL,
    outcome TEXT NOT NULL,
    device_guid TEXT,
    platform TEXT,
    info TEXT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, case_id, slot)
);

-- Every act that settled a case, or gave an identity another owner without one. `before` is what undo puts back.
CREATE TABLE resolutions (
    app_id TEXT NOT NULL,
    id TEXT NOT NULL,
    case_id TEXT,
    action TEXT NOT NULL,
    type TEXT NOT NULL,
    key TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    claimant TEXT NOT NULL,
    claimant_id TEXT,
    actor TEXT NOT NULL,
    note TEXT NOT NULL,
    merge_id TEXT,
    before TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    undone_at BIGINT,
    undone_by TEXT,
    PRIMARY KEY (app_id, id)
);
CREATE INDEX resolutions_of_nobody_yet ON resolutions (app_id, claimant) WHERE claimant_id IS NULL;
CREATE INDEX resolutions_of_identity ON resolutions (app_id, type, key, id);
CREATE INDEX resolutions_of_case ON resolutions (app_id, case_id, id) WHERE case_id IS NOT NULL;
CREATE INDEX resolutions_of_merge ON resolutions (app_id, merge_id) WHERE merge_id IS NOT NULL;
CREATE INDEX resolutions_of_owner ON resolutions (app_id, owner_id);
CREATE INDEX resolutions_of_claimant ON resolutions (app_id, claimant_id) WHERE claimant_id IS NOT NULL;

-- Who merged, why, and whether it was undone.
ALTER TABLE merges ADD COLUMN actor TEXT NOT NULL DEFAULT '';
ALTER TABLE merges ADD COLUMN note TEXT NOT NULL DEFAULT '';
ALTER TABLE merges ADD COLUMN undone_at BIGINT;
ALTER TABLE merges ADD COLUMN undone_by TEXT;

-- What somebody is about to do, as it was shown to them. Short-lived.
CREATE TABLE plans (
    app_id TEXT NOT NULL,
    id TEXT NOT NULL,
    request TEXT NOT NULL,
    preview TEXT NOT NULL,
    relies_on TEXT NOT NULL,
    actor TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, id)
);
CREATE TABLE plan_subjects (
    app_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    plan_id TEXT NOT NULL,
    PRIMARY KEY (app_id, subject, plan_id)
);
CREATE INDEX plan_subjects_of_plan ON plan_subjects (app_id, plan_id);

-- Each entry names the one before by its hash. What is personal about it lies beside, under a salted commitment that
-- is part of the chain, so that it can be erased and the chain still be verified (R10).
CREATE TABLE audit (
    app_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    id TEXT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subjects TEXT NOT NULL,
    commitment TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (app_id, number)
);
CREATE TABLE audit_details (
    app_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    salt TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (app_id, number)
);
CREATE TABLE audit_subjects (
    app_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (app_id, subject, number)
);

-- What was erased, as counts.
CREATE TABLE erasures (
    app_id TEXT NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    user_id TEXT NOT NULL,
    actor TEXT NOT NULL,
    removed TEXT NOT NULL,
    audit_number BIGINT NOT NULL,
    audit_hash TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, id)
);
CREATE INDEX erasures_of_user ON erasures (app_id, user_id, id);

-- What was attempted for an erased event goes with it.
CREATE INDEX attempts_of_event ON attempts (app_id, event_id);

-- Webhooks of another format than the vendor's; `sealed_options` holds what only they have, some of it secret, and
-- `public_keys` what receivers verify their calls with.
ALTER TABLE webhooks ADD COLUMN format TEXT NOT NULL DEFAULT 'sunshine';
ALTER TABLE webhooks ADD COLUMN sealed_options TEXT;
ALTER TABLE webhooks ADD COLUMN public_keys TEXT;
CREATE INDEX webhooks_with_keys ON webhooks (created_at, id) WHERE public_keys IS NOT NULL;
