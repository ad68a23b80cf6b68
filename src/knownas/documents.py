"""What the admin API answers and `--json` prints: camelCase, times as text, nothing secret."""

from typing import Any

from msgspec import Raw, to_builtins

from knownas.apps import App
from knownas.audit import Entry
from knownas.audit.verify import Verified
from knownas.conflicts import Case, Evidence, ShadowCount
from knownas.deliveries import Recorded
from knownas.erasures import Receipt
from knownas.identities.provenance import Provenance
from knownas.merges import Merge
from knownas.plans import Done, Plan
from knownas.resolutions import Resolution
from knownas.times import iso

Json = dict[str, Any]


def page(name: str, found: list[Json], size: int, after: object, place: str = "id") -> Json:
    """A list's page, out of one record more than it has room for. `next` is where the next page begins.

    On an empty page it is `after`, what was asked for: where events and audit entries that come later will begin.
    """
    kept = found[:size]
    return {name: kept, "hasMore": len(found) > size, "next": kept[-1][place] if kept else after}


def policy(app: App) -> Json:
    """How the app treats contested identities."""
    settings = app.settings
    return {
        "conflictPolicy": settings.conflict_policy,
        "shadowPolicy": settings.shadow_policy,
        "undoDays": settings.undo_days,
        "duplicateEvents": to_builtins(settings.duplicate_events),
    }


def shadow(count: ShadowCount) -> Json:
    """One line of what a shadow policy would have changed."""
    return {
        "outcome": count.outcome,
        "shadowOutcome": count.shadow_outcome,
        "cases": count.cases,
        "attempts": count.attempts,
        "examples": list(count.examples),
    }


def case(one: Case) -> Json:
    """A conflict."""
    return {
        "id": one.id,
        "type": one.type,
        "value": one.value,
        "state": one.state,
        "ownerId": one.owner_id,
        "claimant": one.claimant,
        "claimantId": one.claimant_id,
        "assertedBy": one.asserted_by,
        "outcome": one.outcome,
        "shadowPolicy": one.shadow_policy,
        "shadowOutcome": one.shadow_outcome,
        "count": one.count,
        "firstSeen": iso(one.first_seen),
        "lastSeen": iso(one.last_seen),
    }


def whole_case(one: Case, attempts: list[Evidence], done: list[Resolution]) -> Json:
    """A conflict, its evidence and what was done about it."""
    return {
        "conflict": case(one),
        "evidence": [evidence(attempt) for attempt in attempts],
        "resolutions": [resolution(act) for act in done],
    }


def evidence(one: Evidence) -> Json:
    """One attempt."""
    info = one.info
    return {
        "number": one.number,
        "assertedBy": one.asserted_by,
        "outcome": one.outcome,
        "deviceGuid": one.device_guid,
        "platform": one.platform,
        "address": info.address,
        "userAgent": info.user_agent,
        "deviceName": info.device_name,
        "deviceType": info.device_type,
        "os": info.os,
        "browser": info.browser,
        "place": to_builtins(info.place) if info.place else None,
        "seenAt": iso(one.seen_at),
    }


def resolution(one: Resolution) -> Json:
    """What was done about a conflict."""
    return {
        "id": one.id,
        "conflictId": one.case_id,
        "action": one.action,
        "ownerId": one.owner_id,
        "claimant": one.claimant,
        "claimantId": one.claimant_id,
        "mergeId": one.merge_id,
        "actor": one.actor,
        "reason": one.note,
        "createdAt": iso(one.created_at),
        "undoneAt": None if one.undone_at is None else iso(one.undone_at),
        "undoneBy": one.undone_by,
    }


def merge(one: Merge) -> Json:
    """An entry of the merge journal, without what undo needs."""
    return {
        "id": one.id,
        "surviving": one.surviving,
        "discarded": one.discarded,
        "how": one.reason,
        "actor": one.actor or None,
        "reason": one.note or None,
        "discardedMetadata": one.discarded_metadata,
        "createdAt": iso(one.created_at),
        "undoneAt": None if one.undone_at is None else iso(one.undone_at),
        "undoneBy": one.undone_by,
    }


def plan(one: Plan) -> Json:
    """A plan and its preview."""
    preview = one.preview
    request = {
        "conflictId" if name == "case_id" else _camel(name): value for name, value in to_builtins(one.request).items()
    }
    return {
        "id": one.id,
        "request": request,
        "preview": {
            "does": list(preview.does),
            "parties": [
                {_camel(name): _party(name, value) for name, value in to_builtins(party).items()}
                for party in preview.parties
            ],
            "discardedMetadata": preview.discarded_metadata,
            "removes": preview.removes,
            "warnings": list(preview.warnings),
        },
        "expiresAt": iso(one.expires_at),
    }


def done(one: Done) -> Json:
    """What was carried out."""
    return {
        "kind": one.kind,
        "userId": one.user_id,
        "resolution": resolution(one.resolution) if one.resolution else None,
        "mergeId": one.merge_id,
        "receipt": receipt(one.receipt) if one.receipt else None,
        "continuedConversations": one.continued,
        "auditNumber": one.audit_number,
        "auditHash": one.audit_hash,
    }


def receipt(one: Receipt) -> Json:
    """What was erased."""
    return {
        "id": one.id,
        "kind": one.kind,
        "userId": one.user_id,
        "actor": one.actor,
        "removed": one.removed,
        "auditNumber": one.audit_number,
        "auditHash": one.audit_hash,
        "createdAt": iso(one.created_at),
    }


def entry(one: Entry) -> Json:
    """An entry of the audit log; `details` is null where they were erased."""
    return {
        "number": one.number,
        "id": one.id,
        "at": iso(one.at),
        "actor": one.actor,
        "action": one.action,
        "subjects": list(one.subjects),
        "details": one.details,
        "commitment": one.commitment,
        "previous": one.previous,
        "hash": one.hash,
    }


def verified(one: Verified) -> Json:
    """How far the audit log holds."""
    return {
        "entries": one.entries,
        "erasedDetails": one.erased_details,
        "head": str(one.head),
        "broken": one.broken,
        "hasMore": one.more,
        "next": str(one.head),
    }


def event(one: Recorded) -> Json:
    """An event of the outbox, with its body as it was committed."""
    return {
        "id": one.id,
        "type": one.type,
        "createdAt": iso(one.created_at),
        "stream": one.stream,
        "seq": one.seq,
        "cursor": str(one.cursor),
        "body": Raw(one.body.encode()),
    }


def provenance(one: Provenance) -> Json:
    """An identity and its chain."""
    return {
        "type": one.type,
        "value": one.value,
        "holderId": one.holder_id,
        "steps": [
            {"at": iso(step.at), "what": step.what, "text": step.text, "by": step.by, "ref": step.ref}
            for step in one.steps
        ],
    }


def _party(name: str, value: Any) -> Any:
    return [{"type": type, "value": held} for type, held in value] if name == "identities" else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
