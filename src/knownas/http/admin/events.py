"""The replay of events: what was committed, in that order."""

from knownas import documents
from knownas.deliveries import BEGINNING, cursor_of
from knownas.deliveries.redeliver import list_events
from knownas.http.admin.scope import acting_on, size_of, text_of
from knownas.http.call import Answer, Call, json_answer


async def list_page(call: Call) -> Answer:
    """GET …/events?after=&limit=: what was committed behind a cursor."""
    app, _ = await acting_on(call, "after", "limit")
    after, size = text_of(call, "after"), size_of(call)
    cursor = cursor_of(after) if after is not None else BEGINNING
    found = await call.services.database.read(app, list_events, cursor, size + 1)
    return json_answer(
        documents.page("events", [documents.event(one) for one in found], size, str(cursor), place="cursor")
    )
