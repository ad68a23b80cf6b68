"""Messages: post, list, delete one, delete all."""

from typing import Final
from urllib.parse import quote, urlencode

from knownas.conversations import ConversationNotFound
from knownas.http.call import Answer, Call, json_answer
from knownas.http.decode import InvalidBody
from knownas.http.sunshine_v2 import wire_messages as wire
from knownas.http.sunshine_v2.paging import Page, page_of
from knownas.http.sunshine_v2.scope import INTEGRATION, acting_on_app
from knownas.http.sunshine_v2.wire_messages import MessageBody
from knownas.messages import MessageNotFound, Shown
from knownas.messages.delete import delete_all_messages, delete_message
from knownas.messages.post import post_message
from knownas.messages.read import Listed, show_messages

IDEMPOTENCY_KEY_CHARACTERS: Final = 255


async def post(call: Call) -> Answer:
    """POST …/messages: 201 and the message in a list. An `Idempotency-Key` makes repeating it safe (decision 7)."""
    app, _ = await acting_on_app(call, INTEGRATION)
    body = await call.json(MessageBody)
    posted = await call.services.database.write(
        app, post_message, call.params["conversation"], body.draft(), _idempotency_key(call)
    )
    return json_answer({"messages": [wire.message(posted.message, posted.quoted)]}, 201)


async def list_page(call: Call) -> Answer:
    """GET …/messages: the last hundred, or the hundred before or after an id. `page[size]` changes nothing."""
    app, _ = await acting_on_app(call, INTEGRATION)
    page = page_of(call)
    try:
        found = await call.services.database.read(
            app, show_messages, call.params["conversation"], after=page.after, before=page.before
        )
    except ConversationNotFound:
        raise MessageNotFound from None  # the one operation of a conversation whose 404 is `not_found` (its spec)
    shown = wire.messages(found, animal_names=app.settings.use_animal_names)
    return json_answer({"messages": shown, **_around(call, page, found)})


async def delete(call: Call) -> Answer:
    """DELETE …/messages/{message}: 200 and an empty object."""
    app, _ = await acting_on_app(call, INTEGRATION)
    await call.services.database.write(app, delete_message, call.params["conversation"], call.params["message"])
    return json_answer({})


async def delete_all(call: Call) -> Answer:
    """DELETE …/messages: 200 and an empty object; the conversation stays and is no longer full."""
    app, _ = await acting_on_app(call, INTEGRATION)
    await call.services.database.write(app, delete_all_messages, call.params["conversation"])
    return json_answer({})


def _idempotency_key(call: Call) -> str | None:
    """The header of the IETF's draft, taken as it stands: with or without the quotes that the draft puts around it."""
    header = call.header(b"idempotency-key")
    if header is None:
        return None
    key = header.decode("latin-1").strip()
    if not 1 <= len(key) <= IDEMPOTENCY_KEY_CHARACTERS or not key.isprintable():
        raise InvalidBody(f"Idempotency-Key should have 1 to {IDEMPOTENCY_KEY_CHARACTERS} printable characters")
    return key


def _around(call: Call, page: Page, found: Shown | Listed) -> dict[str, object]:
    """`meta` and `links`: a cursor is there when there is something to find beyond it."""
    meta: dict[str, object] = {"hasMore": found.more}
    links: dict[str, str] = {}
    ids = found.ids
    if ids and (found.more if page.after else page.before):
        meta["afterCursor"] = ids[1]
        links["next"] = _link(call, "after", ids[1])
    if ids and (page.after or found.more):
        meta["beforeCursor"] = ids[0]
        links["prev"] = _link(call, "before", ids[0])
    return {"meta": meta, "links": links} if links else {"meta": meta}


def _link(call: Call, direction: str, cursor: str) -> str:
    path = quote(call.scope["raw_path"], safe="/%:@!$&'()*+,;=~")
    return f"{call.origin}{path}?{urlencode({f'page[{direction}]': cursor})}"
