"""Participants of a conversation: join, list, leave."""

from knownas.conversations.find import list_participants
from knownas.conversations.join import join_conversation
from knownas.conversations.leave import leave_conversation
from knownas.http.call import Answer, Call, json_answer
from knownas.http.sunshine_v2 import wire_conversations as wire
from knownas.http.sunshine_v2.paging import page_of, paged
from knownas.http.sunshine_v2.scope import INTEGRATION, acting_on_app


async def join(call: Call) -> Answer:
    """POST …/conversations/{c}/join: 201 and the participant, also for a user who is one already."""
    app, _ = await acting_on_app(call, INTEGRATION)
    body = await call.json(wire.ParticipantBody)
    joined = await call.services.database.write(app, join_conversation, call.params["conversation"], body.invitation())
    return json_answer({"participant": wire.participant(joined)}, 201)


async def list_page(call: Call) -> Answer:
    """GET …/conversations/{c}/participants: in the order in which they joined."""
    app, _ = await acting_on_app(call, INTEGRATION)
    page = page_of(call)
    found = await call.services.database.read(
        app,
        list_participants,
        call.params["conversation"],
        after=page.after,
        before=page.before,
        limit=page.size + 1,
    )
    shown, around = paged(call, page, found)
    return json_answer({"participants": [wire.participant(one) for one in shown], **around})


async def leave(call: Call) -> Answer:
    """POST …/conversations/{c}/leave: 200 and an empty object."""
    app, _ = await acting_on_app(call, INTEGRATION)
    body = await call.json(wire.LeaveBody)
    await call.services.database.write(
        app, leave_conversation, call.params["conversation"], body.reference(), body.participant_id
    )
    return json_answer({})
