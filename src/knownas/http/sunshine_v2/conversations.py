"""Conversations: create, list a user's, get, update, delete."""

from knownas.conversations import Reference
from knownas.conversations.create import create_conversation
from knownas.conversations.delete import delete_conversation
from knownas.conversations.find import get_conversation, list_conversations
from knownas.conversations.update import update_conversation
from knownas.http.call import Answer, Call, json_answer
from knownas.http.decode import InvalidBody
from knownas.http.sunshine_v2 import wire_conversations as wire
from knownas.http.sunshine_v2.paging import page_of, paged
from knownas.http.sunshine_v2.scope import INTEGRATION, acting_on_app


async def create(call: Call) -> Answer:
    """POST …/conversations: 201."""
    app, _ = await acting_on_app(call, INTEGRATION)
    body = await call.json(wire.ConversationCreateBody)
    invited = [participant.invitation() for participant in body.participants or ()]
    created = await call.services.database.write(app, create_conversation, body.type, invited, body.changes())
    return json_answer({"conversation": wire.conversation(created)}, 201)


async def list_page(call: Call) -> Answer:
    """GET …/conversations?filter[userId]= or filter[userExternalId]=: oldest first."""
    app, _ = await acting_on_app(call, INTEGRATION)
    page, user = page_of(call), _filter_of(call)
    found = await call.services.database.read(
        app, list_conversations, user, after=page.after, before=page.before, limit=page.size + 1
    )
    shown, around = paged(call, page, found)
    return json_answer({"conversations": [wire.conversation(one) for one in shown], **around})


async def get(call: Call) -> Answer:
    """GET …/conversations/{c}: a former id of one that was merged finds the survivor."""
    app, _ = await acting_on_app(call, INTEGRATION)
    found = await call.services.database.read(app, get_conversation, call.params["conversation"])
    return json_answer({"conversation": wire.conversation(found)})


async def update(call: Call) -> Answer:
    """PATCH …/conversations/{c}: fields that are absent stay, null clears, metadata is merged key by key."""
    app, _ = await acting_on_app(call, INTEGRATION)
    body = await call.json(wire.DetailsBody)
    updated = await call.services.database.write(app, update_conversation, call.params["conversation"], body.changes())
    return json_answer({"conversation": wire.conversation(updated)})


async def delete(call: Call) -> Answer:
    """DELETE …/conversations/{c}: 200 and an empty object, or 400 for a default one."""
    app, _ = await acting_on_app(call, INTEGRATION)
    await call.services.database.write(app, delete_conversation, call.params["conversation"])
    return json_answer({})


def _filter_of(call: Call) -> Reference:
    """Whose conversations are asked for. Raises InvalidBody."""
    filters = call.query().get("filter", {})
    if not isinstance(filters, dict) or not all(isinstance(value, str) for value in filters.values()):
        raise InvalidBody("filter should be an object with either userId or userExternalId")
    return Reference(filters.get("userId"), filters.get("userExternalId"))
