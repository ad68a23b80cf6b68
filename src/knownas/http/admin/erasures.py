"""Receipts of erasures."""

from knownas import documents
from knownas.erasures.find import get_receipt, list_receipts
from knownas.http.admin.scope import acting_on, after_of, size_of
from knownas.http.call import Answer, Call, json_answer


async def list_page(call: Call) -> Answer:
    """GET …/erasures?after=&limit=: oldest first."""
    app, _ = await acting_on(call, "after", "limit")
    after, size = after_of(call), size_of(call)
    found = await call.services.database.read(app, list_receipts, after, size + 1)
    return json_answer(documents.page("erasures", [documents.receipt(one) for one in found], size, after))


async def get(call: Call) -> Answer:
    """GET …/erasures/{erasure}."""
    app, _ = await acting_on(call)
    found = await call.services.database.read(app, get_receipt, call.params["erasure"])
    return json_answer({"erasure": documents.receipt(found)})
