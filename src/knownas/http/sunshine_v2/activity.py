"""Activities in a conversation: read, typing."""

from knownas.conversations.activity import post_activity
from knownas.http.call import Answer, Call, json_answer
from knownas.http.sunshine_v2.scope import INTEGRATION, acting_on_app
from knownas.http.sunshine_v2.wire_conversations import ActivityBody


async def post(call: Call) -> Answer:
    """POST …/conversations/{c}/activity: 200 and an empty object."""
    app, _ = await acting_on_app(call, INTEGRATION)
    body = await call.json(ActivityBody)
    await call.services.database.write(app, post_activity, call.params["conversation"], body.type, body.author.author())
    return json_answer({})
