"""Switchboard integrations: create, list, update, delete."""

from knownas.http.call import Answer, Call, json_answer
from knownas.http.sunshine_v2 import wire_switchboards as wire
from knownas.http.sunshine_v2.scope import APP, acting_on_app
from knownas.switchboards.find import list_switchboard_integrations
from knownas.switchboards.integrate import (
    create_switchboard_integration,
    delete_switchboard_integration,
    update_switchboard_integration,
)


async def create(call: Call) -> Answer:
    """POST …/switchboardIntegrations: 201."""
    app, _ = await acting_on_app(call, APP)
    body = await call.json(wire.LinkCreateBody)
    one = await call.services.database.write(
        app, create_switchboard_integration, call.params["switchboard"], body.changes()
    )
    return json_answer({"switchboardIntegration": wire.switchboard_integration(one)}, 201)


async def list_all(call: Call) -> Answer:
    """GET …/switchboardIntegrations: at most ten, so without paging."""
    app, _ = await acting_on_app(call, APP)
    found = await call.services.database.read(app, list_switchboard_integrations, call.params["switchboard"])
    return json_answer({"switchboardIntegrations": [wire.switchboard_integration(one) for one in found]})


async def update(call: Call) -> Answer:
    """PATCH …/switchboardIntegrations/{link}: what is absent stays, null clears."""
    app, _ = await acting_on_app(call, APP)
    body = await call.json(wire.LinkBody)
    one = await call.services.database.write(
        app, update_switchboard_integration, call.params["switchboard"], call.params["link"], body.changes()
    )
    return json_answer({"switchboardIntegration": wire.switchboard_integration(one)})


async def delete(call: Call) -> Answer:
    """DELETE …/switchboardIntegrations/{link}: 200 and an empty object."""
    app, _ = await acting_on_app(call, APP)
    await call.services.database.write(
        app, delete_switchboard_integration, call.params["switchboard"], call.params["link"]
    )
    return json_answer({})
