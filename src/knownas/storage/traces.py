"""Where the values of a user may be besides her own rows, as SQL (R10).

Every statement here takes the same parameters, as far as it names them, each one JSON text: `$2` the ids that stand for
her, `$3` who showed her values as her own, from when to when, and `$4` everyone in whose streams and conversations
there may be something of her.
"""

# ruff: noqa: S608  every statement is put together from the ones above it, and nothing else
from typing import Final

_HERS: Final = "(SELECT value->>0 FROM json_array_elements($2))"
_EVERYONE: Final = "(SELECT value->>0 FROM json_array_elements($4))"
_SHOWN: Final = """(
    SELECT w.value->>0 AS user_id, CAST(w.value->>1 AS BIGINT) AS since, CAST(w.value->>2 AS BIGINT) AS until
    FROM json_array_elements($3) w) shown"""

# Cases that name her, or her external ids from before they had a user; those about what she owns, whoever owned it
# when they were opened; and those of somebody who was asked for it in her stead, unless it is that one's own.
_EXTERNAL_IDS: Final = f"""(
    SELECT i.value FROM identities i WHERE i.app_id = $1 AND i.type = 'external_id' AND i.user_id IN {_HERS})"""


def _about_her(table: str, since: str, until: str) -> str:
    """The ids of the rows of `conflicts` or `resolutions` that say something of her; each branch has an index."""
    select = f"SELECT k.id FROM {table} k"
    during = f"""k.{since} <= shown.until AND k.{until} >= shown.since AND NOT EXISTS (
            SELECT 1 FROM identities o WHERE o.app_id = $1 AND o.type = k.type AND o.key = k.key AND o.owned = 1
                AND o.user_id = shown.user_id)"""
    return f"""
        {select} WHERE k.app_id = $1 AND k.owner_id IN {_HERS}
        UNION {select} WHERE k.app_id = $1 AND k.claimant_id IN {_HERS}
        UNION {select} WHERE k.app_id = $1 AND k.claimant_id IS NULL AND k.claimant IN {_EXTERNAL_IDS}
        UNION {select} JOIN identities i ON i.app_id = k.app_id AND i.type = k.type AND i.key = k.key
            WHERE k.app_id = $1 AND i.owned = 1 AND i.user_id IN {_HERS}
        UNION {select}, {_SHOWN} WHERE k.app_id = $1 AND k.owner_id = shown.user_id AND {during}
        UNION {select}, {_SHOWN} WHERE k.app_id = $1 AND k.claimant_id = shown.user_id AND {during}"""


_CASES: Final = f"({_about_her('conflicts', 'first_seen', 'last_seen')})"
_RESOLUTIONS: Final = f"""({_about_her("resolutions", "created_at", "created_at")}
        UNION SELECT r.id FROM resolutions r WHERE r.app_id = $1 AND r.case_id IN {_CASES})"""

# Her own streams whole; elsewhere whatever names her; and whatever somebody did while her values were shown as theirs.
_STREAMS: Final = f"""(
    SELECT value->>0 FROM json_array_elements($4)
    UNION SELECT conversation_id FROM participants WHERE app_id = $1 AND user_id IN {_EVERYONE}
    UNION SELECT conversation_id FROM former_participants WHERE app_id = $1 AND user_id IN {_EVERYONE}
    UNION SELECT conversation_id FROM messages WHERE app_id = $1 AND author_id IN {_EVERYONE}
    UNION SELECT id FROM conflicts WHERE app_id = $1 AND owner_id IN {_EVERYONE}
    UNION SELECT id FROM conflicts WHERE app_id = $1 AND claimant_id IN {_EVERYONE})"""
_EVENT: Final = "SELECT e.app_id, e.stream, e.seq, e.id FROM events e"
_TOLD: Final = f"""
    {_EVENT} WHERE e.app_id = $1 AND e.stream IN {_HERS}
    UNION {_EVENT} WHERE e.app_id = $1 AND e.stream IN {_CASES}
    UNION {_EVENT} WHERE e.app_id = $1 AND e.stream IN {_STREAMS} AND EXISTS (
        SELECT 1 FROM json_array_elements($2) n WHERE e.body LIKE '%"' || (n.value->>0) || '"%')
    UNION {_EVENT}, {_SHOWN}
    WHERE e.app_id = $1 AND e.stream IN {_STREAMS} AND e.created_at BETWEEN shown.since AND shown.until
        AND e.body LIKE '%"' || shown.user_id || '"%'"""

_DELIVERIES: Final = f"""deliveries WHERE app_id = $1 AND webhook_id IN (SELECT id FROM webhooks WHERE app_id = $1)
    AND event_id IN (SELECT told.id FROM ({_TOLD}) told)"""
_ATTEMPTS: Final = f"attempts WHERE app_id = $1 AND event_id IN (SELECT told.id FROM ({_TOLD}) told)"
_EVENTS: Final = f"""events WHERE (app_id, stream, seq) IN (
    SELECT told.app_id, told.stream, told.seq FROM ({_TOLD}) told)"""
_PLAN_IDS: Final = f"""(
    SELECT plan_id FROM plan_subjects WHERE app_id = $1 AND subject IN {_HERS}
    UNION SELECT plan_id FROM plan_subjects WHERE app_id = $1 AND subject IN {_CASES}
    UNION SELECT p.plan_id FROM plan_subjects p, {_SHOWN} WHERE p.app_id = $1 AND p.subject = shown.user_id)"""
_PLANS: Final = f"plans WHERE app_id = $1 AND id IN {_PLAN_IDS}"
_DETAILS: Final = f"""audit_details WHERE app_id = $1 AND number IN (
    SELECT number FROM audit_subjects WHERE app_id = $1 AND subject IN {_HERS}
    UNION SELECT number FROM audit_subjects WHERE app_id = $1 AND subject IN {_CASES}
    UNION SELECT s.number FROM audit_subjects s JOIN audit a ON a.app_id = s.app_id AND a.number = s.number, {_SHOWN}
    WHERE s.app_id = $1 AND s.subject = shown.user_id AND a.at BETWEEN shown.since AND shown.until)"""
_EVIDENCE: Final = f"conflict_evidence WHERE app_id = $1 AND case_id IN {_CASES}"

FORGET_TOLD: Final = tuple(f"DELETE FROM {rows}" for rows in (_DELIVERIES, _ATTEMPTS, _EVENTS))
FORGET_SETTLED: Final = (
    f"DELETE FROM {_DETAILS}",
    f"DELETE FROM {_PLANS}",
    f"DELETE FROM plan_subjects WHERE app_id = $1 AND plan_id IN {_PLAN_IDS}",
    f"DELETE FROM {_EVIDENCE}",
    f"DELETE FROM resolutions WHERE app_id = $1 AND id IN {_RESOLUTIONS}",
    f"DELETE FROM conflicts WHERE app_id = $1 AND id IN {_CASES}",
)

_HER_MERGES: Final = f"(surviving IN {_HERS} OR discarded IN {_HERS})"
_THEIR_MERGES: Final = f"""EXISTS (
    SELECT 1 FROM {_SHOWN} WHERE merges.created_at BETWEEN shown.since AND shown.until
        AND (merges.surviving = shown.user_id OR merges.discarded = shown.user_id))"""
_SOMEBODY_S: Final = f"""(surviving IN (SELECT shown.user_id FROM {_SHOWN})
    OR discarded IN (SELECT shown.user_id FROM {_SHOWN}))"""
_BLANK_MERGES: Final = "UPDATE merges SET before = '{}', discarded_metadata = '{}', note = '' WHERE app_id = $1"
# PostgreSQL asks for the type of each parameter up to the last that is named.
_FORGET_THEIR_MERGES: Final = f"{_BLANK_MERGES} AND {_SOMEBODY_S} AND {_THEIR_MERGES} AND json_array_length($2) > 0"
FORGET_MERGES: Final = (f"{_BLANK_MERGES} AND {_HER_MERGES}", _FORGET_THEIR_MERGES)
REMOVE_MERGES: Final = (f"DELETE FROM merges WHERE app_id = $1 AND {_HER_MERGES}", _FORGET_THEIR_MERGES)

_OF_HERS: Final = f"WHERE app_id = $1 AND user_id IN {_HERS}"
_PERSONAL: Final = f"""(
    SELECT p.conversation_id FROM participants p
    JOIN conversations c ON c.app_id = p.app_id AND c.id = p.conversation_id
    WHERE p.app_id = $1 AND p.user_id IN {_HERS} AND c.type = 'personal')"""
# By what is counted: what both kinds of erasure remove or clear, and what a deletion removes besides.
_COUNTED: Final = {
    "audit_details": _DETAILS,
    "attempts": _ATTEMPTS,
    "clients": f"clients {_OF_HERS}",
    "conflict_evidence": _EVIDENCE,
    "conflicts": f"conflicts WHERE app_id = $1 AND id IN {_CASES}",
    "deliveries": _DELIVERIES,
    "devices": f"devices {_OF_HERS}",
    "events": _EVENTS,
    "identities": f"identities {_OF_HERS} AND type <> 'external_id'",
    "merges": f"merges WHERE app_id = $1 AND {_HER_MERGES}",
    "plans": _PLANS,
    "resolutions": f"resolutions WHERE app_id = $1 AND id IN {_RESOLUTIONS}",
    "users": f"users WHERE app_id = $1 AND id IN {_HERS}",
    "zendesk_links": f"zendesk_links {_OF_HERS}",
}
_COUNTED_WHOLE: Final = {
    **_COUNTED,
    "attachments": f"""attachments WHERE app_id = $1 AND removed = 0 AND name IN (
        SELECT name FROM attachments WHERE app_id = $1 AND author_id IN {_HERS}
        UNION SELECT name FROM attachments WHERE app_id = $1 AND conversation_id IN {_PERSONAL})""",
    "conversations": f"conversations WHERE app_id = $1 AND id IN {_PERSONAL}",
    "identities": f"identities {_OF_HERS}",
    "messages": f"""messages WHERE app_id = $1 AND (conversation_id, id) IN (
        SELECT conversation_id, id FROM messages WHERE app_id = $1 AND author_id IN {_HERS}
        UNION SELECT conversation_id, id FROM messages WHERE app_id = $1 AND conversation_id IN {_PERSONAL})""",
    "participants": f"participants {_OF_HERS}",
    "sessions": f"sessions {_OF_HERS}",
}


def _counting(counted: dict[str, str]) -> str:
    return " UNION ALL ".join(f"SELECT '{sort}', count(*) FROM {rows}" for sort, rows in counted.items())


_COUNTING: Final = {whole: _counting(_COUNTED_WHOLE if whole else _COUNTED) for whole in (False, True)}


def counting(*, whole: bool) -> str:
    """The statement that counts, by sort, what an erasure removes or clears, or what a deletion removes."""
    return _COUNTING[whole]
