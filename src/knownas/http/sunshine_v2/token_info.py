"""Which app a caller's credentials are for."""

from knownas.apps import AppNotFound
from knownas.http.app_scope import app_for, caller_with
from knownas.http.call import Answer, Call, json_answer
from knownas.http.sunshine_v2 import wire
from knownas.http.sunshine_v2.scope import INTEGRATION


async def get(call: Call) -> Answer:
    """GET /v2/tokenInfo: the key's own app; an account's key has none, which is a 404 with words."""
    caller = await caller_with(call, INTEGRATION)
    if caller.app_id is None:
        raise AppNotFound
    return json_answer({"app": wire.app(await app_for(call, caller, caller.app_id))})
