"""Control of a conversation: pass, offer, accept, release."""

from knownas.http.call import Answer, Call, json_answer
from knownas.http.sunshine_v2.scope import INTEGRATION, acting_on_app
from knownas.http.sunshine_v2.wire_switchboards import MetadataBody, TargetBody
from knownas.switchboards.accept_control import accept_control
from knownas.switchboards.offer_control import offer_control
from knownas.switchboards.pass_control import pass_control
from knownas.switchboards.release_control import release_control


async def pass_on(call: Call) -> Answer:
    """POST …/passControl: 200 and an empty object."""
    app, caller = await acting_on_app(call, INTEGRATION)
    body = await call.json(TargetBody)
    await call.services.database.write(
        app,
        pass_control,
        call.params["conversation"],
        body.switchboard_integration,
        body.metadata,
        caller.integration_id,
    )
    return json_answer({})


async def offer(call: Call) -> Answer:
    """POST …/offerControl: 200 and an empty object."""
    app, _ = await acting_on_app(call, INTEGRATION)
    body = await call.json(TargetBody)
    await call.services.database.write(
        app, offer_control, call.params["conversation"], body.switchboard_integration, body.metadata
    )
    return json_answer({})


async def accept(call: Call) -> Answer:
    """POST …/acceptControl: 200 and an empty object; the body may be absent."""
    app, caller = await acting_on_app(call, INTEGRATION)
    body = await call.json(MetadataBody, optional=True)
    await call.services.database.write(
        app, accept_control, call.params["conversation"], body.metadata, caller.integration_id
    )
    return json_answer({})


async def release(call: Call) -> Answer:
    """POST …/releaseControl: 200 and an empty object; the body may be absent."""
    app, caller = await acting_on_app(call, INTEGRATION)
    body = await call.json(MetadataBody, optional=True)
    await call.services.database.write(
        app, release_control, call.params["conversation"], body.metadata, caller.integration_id
    )
    return json_answer({})
