"""Keys of a custom integration: create, list, get, delete."""

from knownas.http.call import Answer, Call, json_answer
from knownas.http.sunshine_v2 import wire
from knownas.http.sunshine_v2.scope import APP, acting_on_app
from knownas.keys.of_integration import (
    create_integration_key,
    delete_integration_key,
    get_integration_key,
    list_integration_keys,
)


async def create(call: Call) -> Answer:
    """POST …/integrations/{integration}/keys: 201, and the only answer that ever holds the secret."""
    app, caller = await acting_on_app(call, APP)
    body = await call.json(wire.KeyCreateBody)
    key = await call.services.database.write(
        app, create_integration_key, call.params["integration"], caller.account_id, body.display_name, body.public_key
    )
    return json_answer({"key": wire.key(key, secret=True)}, 201)


async def list_all(call: Call) -> Answer:
    """GET …/integrations/{integration}/keys: at most ten, so without paging."""
    app, _ = await acting_on_app(call, APP)
    keys = await call.services.database.read(app, list_integration_keys, call.params["integration"])
    return json_answer({"keys": [wire.key(key) for key in keys]})


async def get(call: Call) -> Answer:
    """GET …/integrations/{integration}/keys/{key}."""
    app, _ = await acting_on_app(call, APP)
    key = await call.services.database.read(app, get_integration_key, call.params["integration"], call.params["key"])
    return json_answer({"key": wire.key(key)})


async def delete(call: Call) -> Answer:
    """DELETE …/integrations/{integration}/keys/{key}: its tokens are refused from now on."""
    app, _ = await acting_on_app(call, APP)
    await call.services.database.write(app, delete_integration_key, call.params["integration"], call.params["key"])
    return json_answer({})
