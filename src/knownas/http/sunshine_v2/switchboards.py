"""Switchboards: create, list, update, delete."""

from knownas.http.call import Answer, Call, json_answer
from knownas.http.sunshine_v2 import wire_switchboards as wire
from knownas.http.sunshine_v2.scope import APP, acting_on_app
from knownas.switchboards.create import create_switchboard
from knownas.switchboards.find import list_switchboards
from knownas.switchboards.update import delete_switchboard, update_switchboard


async def create(call: Call) -> Answer:
    """POST …/switchboards: 201; it takes no body, and there is nothing yet that a new switchboard could direct to."""
    app, _ = await acting_on_app(call, APP)
    board = await call.services.database.write(app, create_switchboard)
    return json_answer({"switchboard": wire.switchboard(board)}, 201)


async def list_all(call: Call) -> Answer:
    """GET …/switchboards: one or none, so without paging."""
    app, _ = await acting_on_app(call, APP)
    boards = await call.services.database.read(app, list_switchboards)
    return json_answer({"switchboards": [wire.switchboard(board) for board in boards]})


async def update(call: Call) -> Answer:
    """PATCH …/switchboards/{switchboard}: what is absent stays."""
    app, _ = await acting_on_app(call, APP)
    body = await call.json(wire.SwitchboardUpdateBody)
    board = await call.services.database.write(
        app, update_switchboard, call.params["switchboard"], body.enabled, body.default_switchboard_integration_id
    )
    return json_answer({"switchboard": wire.switchboard(board)})


async def delete(call: Call) -> Answer:
    """DELETE …/switchboards/{switchboard}: 200 and an empty object."""
    app, _ = await acting_on_app(call, APP)
    await call.services.database.write(app, delete_switchboard, call.params["switchboard"])
    return json_answer({})
