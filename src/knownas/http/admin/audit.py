"""The audit log and its verification, receipts of erasures, and the replay of events."""

import msgspec

from knownas.audit import Entry
from knownas.audit.verify import verify_audit
from knownas.deliveries import BEGINNING, cursor_of
from knownas.deliveries.redeliver import list_events
from knownas.erasures import Receipt, ReceiptNotFound
from knownas.http.admin import wire
from knownas.http.admin.scope import acting_on, after_of, number_of, page, size_of, text_of
from knownas.http.call import Answer, Call, json_answer
from knownas.times import iso
from knownas.transaction import Transaction

_NUMBER_AT_MOST = 10**15 - 1


async def list_page(call: Call) -> Answer:
    """GET …/audit?after=&limit=: entries behind a number, in order."""
    app, _ = await acting_on(call)
    after, size = number_of(call, "after", 0, 0, _NUMBER_AT_MOST), size_of(call)
    found = await call.services.database.read(app, _entries, after, size + 1)
    shown = [wire.entry(one) for one in found[:size]]
    return json_answer(
        {"entries": shown, "hasMore": len(found) > size, "after": shown[-1]["number"] if shown else None}
    )


async def verify(call: Call) -> Answer:
    """GET …/audit/verify?expected=: 200 whether or not the chain holds; `broken` says where it does not."""
    app, _ = await acting_on(call)
    verified = await call.services.database.read(app, verify_audit, text_of(call, "expected"))
    return json_answer(
        {
            "entries": verified.entries,
            "erasedDetails": verified.erased_details,
            "head": verified.head,
            "broken": verified.broken,
        }
    )


async def list_receipts(call: Call) -> Answer:
    """GET …/erasures?after=&limit=: oldest first."""
    app, _ = await acting_on(call)
    size = size_of(call)
    found = await call.services.database.read(app, _receipts, after_of(call), size + 1)
    return json_answer(page("erasures", [wire.receipt(one) for one in found], size))


async def get_receipt(call: Call) -> Answer:
    """GET …/erasures/{erasure}."""
    app, _ = await acting_on(call)
    found = await call.services.database.read(app, _receipt, call.params["erasure"])
    return json_answer({"erasure": wire.receipt(found)})


async def replay(call: Call) -> Answer:
    """GET …/events?after=&limit=: what was committed behind a cursor, in the order of commit."""
    app, _ = await acting_on(call)
    after, size = text_of(call, "after"), size_of(call)
    cursor = cursor_of(after) if after is not None else BEGINNING
    found = await call.services.database.read(app, list_events, cursor, size)
    shown = [
        {
            "id": one.id,
            "type": one.type,
            "createdAt": iso(one.created_at),
            "stream": one.stream,
            "seq": one.seq,
            "cursor": str(one.cursor),
            "body": msgspec.Raw(one.body.encode()),
        }
        for one in found
    ]
    return json_answer({"events": shown, "after": str(found[-1].cursor if found else cursor)})


async def _entries(tx: Transaction, after: int, limit: int) -> list[Entry]:
    return await tx.audit.page(after=after, limit=limit)


async def _receipts(tx: Transaction, after: str | None, limit: int) -> list[Receipt]:
    return await tx.erasures.page(after=after, before=None, limit=limit)


async def _receipt(tx: Transaction, receipt_id: str) -> Receipt:
    found = await tx.erasures.by_id(receipt_id)
    if found is None:
        raise ReceiptNotFound
    return found
