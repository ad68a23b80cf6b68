"""The audit log, and whether nobody has changed it."""

from knownas import documents
from knownas.audit import NUMBER_AT_MOST, ORIGIN, head_of
from knownas.audit.find import list_entries
from knownas.audit.verify import AT_ONCE, verify_audit
from knownas.http.admin.scope import acting_on, number_of, size_of, text_of
from knownas.http.call import Answer, Call, json_answer


async def list_page(call: Call) -> Answer:
    """GET …/audit?after=&limit=: entries behind a number, in order."""
    app, _ = await acting_on(call, "after", "limit")
    after, size = number_of(call, "after", 0, 0, NUMBER_AT_MOST), size_of(call)
    found = await call.services.database.read(app, list_entries, after, size + 1)
    return json_answer(documents.page("entries", [documents.entry(one) for one in found], size, after, place="number"))


async def verify(call: Call) -> Answer:
    """GET …/audit/verify?after=&expected=&limit=: 200 whether or not the stretch holds; `broken` says where not."""
    app, _ = await acting_on(call, "after", "expected", "limit")
    after, expected = text_of(call, "after"), text_of(call, "expected")
    verified = await call.services.database.read(
        app,
        verify_audit,
        None if expected is None else head_of(expected),
        after=ORIGIN if after is None else head_of(after),
        limit=number_of(call, "limit", AT_ONCE, 1, AT_ONCE),
    )
    return json_answer(documents.verified(verified))
