"""Who may call which operation (the scope column of the vendor's table of operations)."""

from knownas.apps import App
from knownas.http.app_scope import app_for, caller_with
from knownas.http.call import Call
from knownas.keys import Scope
from knownas.keys.tokens import ServerClaims

ACCOUNT: tuple[Scope, ...] = ("account",)
APP: tuple[Scope, ...] = ("account", "app")
INTEGRATION: tuple[Scope, ...] = ("account", "app", "integration")


async def acting_on_app(call: Call, scopes: tuple[Scope, ...]) -> tuple[App, ServerClaims]:
    """The app in the path and the caller who may act on it. Raises what callers and app_scope raise."""
    caller = await caller_with(call, scopes)
    return await app_for(call, caller, call.params["app"]), caller
