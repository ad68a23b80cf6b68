"""Where the values of a user may be besides her own rows, as SQL (R10).

Every statement here takes the same parameters, as far as it names them, each one JSON text: `$2` the ids that stand for
her, `$3` who showed her values as her own, from when to when, and `$4` everyone in whose streams and conversations
there may be something of her. They begin with the same subqueries and stay short: drivers remember no long text.
"""

# ruff: noqa: S608  every statement is put together from the ones above it, and nothing else
from typing import Final


def _about_her(table: str, since: str, until: str) -> str:
    """The rows of `conflicts` or `resolutions` that say something of her; each branch has an index.

    They name her, or her external ids from before they had a user; or they are about what she owns, whoever owned it
    then; or they are of somebody who was asked for it in her stead, unless it is that one's own.
    """
    select = f"SELECT k.id FROM {table} k"
    during = f"""k.{since} <= s.until AND k.{until} >= s.since AND NOT EXISTS (
        SELECT 1 FROM identities o
        WHERE o.app_id = $1 AND o.type = k.type AND o.key = k.key AND o.owned = 1 AND o.user_id = s.user_id)"""
    return f"""
    {select} WHERE k.app_id = $1 AND k.owner_id IN (SELECT id FROM hers)
    UNION {select} WHERE k.app_id = $1 AND k.claimant_id IN (SELECT id FROM hers)
    UNION {select} WHERE k.app_id = $1 AND k.claimant_id IS NULL AND k.claimant IN (
        SELECT i.value FROM identities i
        WHERE i.app_id = $1 AND i.type = 'external_id' AND i.user_id IN (SELECT id FROM hers))
    UNION {select} JOIN identities i ON i.app_id = k.app_id AND i.type = k.type AND i.key = k.key
        WHERE k.app_id = $1 AND i.owned = 1 AND i.user_id IN (SELECT id FROM hers)
    UNION {select}, shown s WHERE k.app_id = $1 AND k.owner_id = s.user_id AND {during}
    UNION {select}, shown s WHERE k.app_id = $1 AND k.claimant_id = s.user_id AND {during}"""


_EVENT: Final = "SELECT e.app_id, e.stream, e.seq, e.id FROM events e"
_HERS: Final = """WITH hers AS (SELECT h.value->>0 AS id FROM json_array_elements($2) h)"""
_SHOWN: Final = f"""{_HERS}, shown AS (
    SELECT w.value->>0 AS user_id, CAST(w.value->>1 AS BIGINT) AS since, CAST(w.value->>2 AS BIGINT) AS until
    FROM json_array_elements($3) w)"""
_CASES: Final = f"{_SHOWN}, cases AS ({_about_her('conflicts', 'first_seen', 'last_seen')})"
_RESOLUTIONS: Final = f"""{_CASES}, settled AS ({_about_her("resolutions", "created_at", "created_at")}
    UNION SELECT r.id FROM resolutions r WHERE r.app_id = $1 AND r.case_id IN (SELECT id FROM cases))"""
_PLANS: Final = f"""{_CASES}, planned AS (
    SELECT plan_id AS id FROM plan_subjects WHERE app_id = $1 AND subject IN (SELECT id FROM hers)
    UNION SELECT plan_id FROM plan_subjects WHERE app_id = $1 AND subject IN (SELECT id FROM cases)
    UNION SELECT p.plan_id FROM plan_subjects p, shown s WHERE p.app_id = $1 AND p.subject = s.user_id)"""
_ENTRIES: Final = f"""{_CASES}, entries AS (
    SELECT number FROM audit_subjects WHERE app_id = $1 AND subject IN (SELECT id FROM hers)
    UNION SELECT number FROM audit_subjects WHERE app_id = $1 AND subject IN (SELECT id FROM cases)
    UNION SELECT b.number FROM audit_subjects b JOIN audit a ON a.app_id = b.app_id AND a.number = b.number, shown s
    WHERE b.app_id = $1 AND b.subject = s.user_id AND a.at BETWEEN s.since AND s.until)"""
# Her own streams and those of the cases whole; elsewhere whatever names her; and whatever somebody did while her values
# were shown as theirs.
_TOLD: Final = f"""{_CASES}, everyone AS (SELECT a.value->>0 AS id FROM json_array_elements($4) a), streams AS (
    SELECT id FROM everyone
    UNION SELECT conversation_id FROM participants WHERE app_id = $1 AND user_id IN (SELECT id FROM everyone)
    UNION SELECT conversation_id FROM former_participants WHERE app_id = $1 AND user_id IN (SELECT id FROM everyone)
    UNION SELECT conversation_id FROM messages WHERE app_id = $1 AND author_id IN (SELECT id FROM everyone)
    UNION SELECT id FROM conflicts WHERE app_id = $1 AND owner_id IN (SELECT id FROM everyone)
    UNION SELECT id FROM conflicts WHERE app_id = $1 AND claimant_id IN (SELECT id FROM everyone)
), told AS (
    {_EVENT} WHERE e.app_id = $1 AND e.stream IN (SELECT id FROM hers)
    UNION {_EVENT} WHERE e.app_id = $1 AND e.stream IN (SELECT id FROM cases)
    UNION {_EVENT} WHERE e.app_id = $1 AND e.stream IN (SELECT id FROM streams)
        AND EXISTS (SELECT 1 FROM hers n WHERE e.body LIKE '%"' || n.id || '"%')
    UNION {_EVENT}, shown s
        WHERE e.app_id = $1 AND e.stream IN (SELECT id FROM streams) AND e.created_at BETWEEN s.since AND s.until
        AND e.body LIKE '%"' || s.user_id || '"%')"""

_OF_DELIVERIES: Final = """deliveries WHERE app_id = $1 AND webhook_id IN (SELECT id FROM webhooks WHERE app_id = $1)
    AND event_id IN (SELECT id FROM told)"""
_OF_ATTEMPTS: Final = "attempts WHERE app_id = $1 AND event_id IN (SELECT id FROM told)"
_OF_EVENTS: Final = "events WHERE (app_id, stream, seq) IN (SELECT app_id, stream, seq FROM told)"
_OF_DETAILS: Final = "audit_details WHERE app_id = $1 AND number IN (SELECT number FROM entries)"
_OF_PLANS: Final = "plans WHERE app_id = $1 AND id IN (SELECT id FROM planned)"
_OF_EVIDENCE: Final = "conflict_evidence WHERE app_id = $1 AND case_id IN (SELECT id FROM cases)"
_OF_RESOLUTIONS: Final = "resolutions WHERE app_id = $1 AND id IN (SELECT id FROM settled)"
_OF_CASES: Final = "conflicts WHERE app_id = $1 AND id IN (SELECT id FROM cases)"
_OF_MERGES: Final = """merges WHERE app_id = $1
    AND (surviving IN (SELECT id FROM hers) OR discarded IN (SELECT id FROM hers))"""

FORGET_TOLD: Final = tuple(f"{_TOLD} DELETE FROM {rows}" for rows in (_OF_DELIVERIES, _OF_ATTEMPTS, _OF_EVENTS))
FORGET_SETTLED: Final = (
    f"{_ENTRIES} DELETE FROM {_OF_DETAILS}",
    f"{_PLANS} DELETE FROM {_OF_PLANS}",
    f"{_PLANS} DELETE FROM plan_subjects WHERE app_id = $1 AND plan_id IN (SELECT id FROM planned)",
    f"{_CASES} DELETE FROM {_OF_EVIDENCE}",
    f"{_RESOLUTIONS} DELETE FROM {_OF_RESOLUTIONS}",
    f"{_CASES} DELETE FROM {_OF_CASES}",
)
_BLANK: Final = "UPDATE merges SET before = '{}', discarded_metadata = '{}', note = '' WHERE app_id = $1"
_FORGET_THEIR_MERGES: Final = f"""{_SHOWN} {_BLANK}
    AND (surviving IN (SELECT user_id FROM shown) OR discarded IN (SELECT user_id FROM shown))
    AND EXISTS (
        SELECT 1 FROM shown s WHERE merges.created_at BETWEEN s.since AND s.until
            AND (merges.surviving = s.user_id OR merges.discarded = s.user_id))"""
# What a conversation was before a merge is as much of the journal as what its users were.
_FORGET_TRUNKS: Final = f"""{_HERS}
    UPDATE conversations SET trunk = NULL
    WHERE app_id = $1 AND led_to IS NOT NULL AND id IN (
        SELECT conversation_id FROM participants WHERE app_id = $1 AND user_id IN (SELECT id FROM hers))"""
FORGET_MERGES: Final = (
    f"""{_HERS} {_BLANK}
    AND (surviving IN (SELECT id FROM hers) OR discarded IN (SELECT id FROM hers))""",
    _FORGET_THEIR_MERGES,
    _FORGET_TRUNKS,
)
REMOVE_MERGES: Final = (f"{_HERS} DELETE FROM {_OF_MERGES}", _FORGET_THEIR_MERGES)

# By what is counted: what both kinds of erasure remove or clear, and what a deletion removes besides.
_OF_HERS: Final = "WHERE app_id = $1 AND user_id IN (SELECT id FROM hers)"
_PERSONAL: Final = f"""{_HERS}, personal AS (
    SELECT p.conversation_id AS id FROM participants p
    JOIN conversations c ON c.app_id = p.app_id AND c.id = p.conversation_id
    WHERE p.app_id = $1 AND p.user_id IN (SELECT id FROM hers) AND c.type = 'personal')"""


def _counting(subqueries: str, **counted: str) -> str:
    return f"{subqueries} " + " UNION ALL ".join(
        f"SELECT '{sort}', count(*) FROM {rows}" for sort, rows in counted.items()
    )


_SHARED: Final = (
    _counting(_TOLD, attempts=_OF_ATTEMPTS, deliveries=_OF_DELIVERIES, events="told"),
    _counting(_ENTRIES, audit_details=_OF_DETAILS, conflict_evidence=_OF_EVIDENCE, conflicts=_OF_CASES),
    _counting(_RESOLUTIONS, resolutions="settled"),
    _counting(_PLANS, plans=_OF_PLANS),
)
_ROWS: Final = {
    "clients": f"clients {_OF_HERS}",
    "devices": f"devices {_OF_HERS}",
    "identities": f"identities {_OF_HERS}",
    "merges": _OF_MERGES,
    "users": "users WHERE app_id = $1 AND id IN (SELECT id FROM hers)",
    "zendesk_links": f"zendesk_links {_OF_HERS}",
}
COUNT_ERASED: Final = (
    *_SHARED,
    _counting(_HERS, **_ROWS | {"identities": f"identities {_OF_HERS} AND type <> 'external_id'"}),
)
COUNT_DELETED: Final = (
    *_SHARED,
    _counting(
        _PERSONAL,
        **_ROWS,
        attachments="""(
            SELECT name FROM attachments
            WHERE app_id = $1 AND removed = 0 AND author_id IN (SELECT id FROM hers)
            UNION SELECT name FROM attachments
            WHERE app_id = $1 AND removed = 0 AND conversation_id IN (SELECT id FROM personal)) gone""",
        conversations="personal",
        messages="""(
            SELECT conversation_id, id FROM messages WHERE app_id = $1 AND author_id IN (SELECT id FROM hers)
            UNION SELECT conversation_id, id FROM messages
            WHERE app_id = $1 AND conversation_id IN (SELECT id FROM personal)) gone""",
        participants=f"participants {_OF_HERS}",
        sessions=f"sessions {_OF_HERS}",
    ),
)
