"""App keys: create, list, get, delete. Account scope only."""

from knownas.http.call import Answer, Call, json_answer
from knownas.http.sunshine_v2 import wire
from knownas.http.sunshine_v2.scope import ACCOUNT, acting_on_app
from knownas.http.sunshine_v2.wire import KeyCreateBody
from knownas.keys import Key
from knownas.keys.create import create_key
from knownas.keys.delete import delete_key, get_key
from knownas.transaction import Transaction


async def create(call: Call) -> Answer:
    """POST …/keys: 201, and the only answer that ever holds the secret."""
    app, caller = await acting_on_app(call, ACCOUNT)
    body = await call.json(KeyCreateBody)
    key = await call.services.database.write(
        app, create_key, caller.account_id, body.display_name, public_key=body.public_key
    )
    return json_answer({"key": wire.key(key, secret=True)}, 201)


async def list_all(call: Call) -> Answer:
    """GET …/keys: at most ten, so without paging."""
    app, _ = await acting_on_app(call, ACCOUNT)
    keys = await call.services.database.read(app, _list)
    return json_answer({"keys": [wire.key(key) for key in keys]})


async def get(call: Call) -> Answer:
    """GET …/keys/{key}."""
    app, _ = await acting_on_app(call, ACCOUNT)
    return json_answer({"key": wire.key(await call.services.database.read(app, get_key, call.params["key"]))})


async def delete(call: Call) -> Answer:
    """DELETE …/keys/{key}: its tokens are refused from now on."""
    app, _ = await acting_on_app(call, ACCOUNT)
    await call.services.database.write(app, delete_key, call.params["key"])
    return json_answer({})


async def _list(tx: Transaction) -> list[Key]:
    return await tx.keys.all()
