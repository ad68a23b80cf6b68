"""Which app a server API's caller may act on."""

from knownas.apps import App, AppNotFound
from knownas.errors import DomainError
from knownas.http.call import Call
from knownas.http.callers import server_caller
from knownas.keys import Scope
from knownas.keys.tokens import ServerClaims, UserClaims


class Forbidden(DomainError):
    """Good credentials, but not for this."""

    kind = "forbidden"
    code = "forbidden"

    def __init__(self, message: str = "Forbidden") -> None:
        super().__init__(message)


async def caller_with(call: Call, scopes: tuple[Scope, ...]) -> ServerClaims:
    """The caller, when its scope is among `scopes`.

    Raises Forbidden for another scope, and for a user's token always: it opens nothing on a server API (R4).
    """
    caller = await server_caller(call.services, call.header(b"authorization"))
    if isinstance(caller, UserClaims):
        raise Forbidden("A token with user scope cannot be used with this API")
    if caller.scope not in scopes:
        raise Forbidden(
            f"This operation needs {' or '.join(scopes)} scope, and these credentials have {caller.scope} scope"
        )
    return caller


async def app_for(call: Call, caller: ServerClaims, app_id: str) -> App:
    """The app, when the caller may act on it.

    Raises Forbidden for any app but the key's own, whether it exists or not (R13), and AppNotFound for an account's
    caller when the account has no such app.
    """
    if caller.scope != "account" and caller.app_id != app_id:
        raise Forbidden
    app = await call.services.database.directory.app(app_id)
    if app is None or app.account_id != caller.account_id:
        raise AppNotFound
    return app
