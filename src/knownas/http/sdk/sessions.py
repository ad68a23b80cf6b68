"""Sign in and out: login, logout, upgrade."""

from knownas.conflicts import EmailContested
from knownas.devices import Device
from knownas.devices.clients import list_devices
from knownas.http.call import Answer, Call, json_answer
from knownas.http.callers import InvalidCredentials, Unauthorized, user_caller
from knownas.http.request_info import asks_about
from knownas.http.sdk import wire
from knownas.http.sdk.app import app_of, device_of
from knownas.http.sdk.wire import LoginBody, LogoutBody
from knownas.keys.tokens import UserClaims
from knownas.sessions import AnonymousProof
from knownas.sessions.log_in import log_in
from knownas.sessions.log_out import log_out
from knownas.sessions.reach import reach
from knownas.sessions.tokens import hash_of
from knownas.transaction import Transaction
from knownas.users import User


async def log_in_route(call: Call) -> Answer:
    """POST …/login: 200 and the user's state; 409 when the token's verified e-mail is another user's."""
    app = await app_of(call)
    caller = await user_caller(call.services, call.header(b"authorization"), app)
    if caller is None:
        raise Unauthorized
    if isinstance(caller, AnonymousProof):
        raise InvalidCredentials(
            "A login needs the signed token of a user: Authorization: Bearer ...", "login.not_bearer"
        )
    body = await call.json(LoginBody, optional=True)
    require_same_user(caller, body.user_id)
    proof = None
    if body.app_user_id and body.session_token:
        proof = AnonymousProof(body.app_user_id, hash_of(body.session_token))
    device = await device_of(call, app, body.client)
    try:
        access = await call.services.database.write(
            app, log_in, caller, device, proof, body.changes(), asks_about(call, device)
        )
    except EmailContested:
        call.services.metrics.logged_in("contested")
        raise
    call.services.metrics.logged_in("created" if access.created else "known")
    return json_answer(wire.access(access))


async def log_out_route(call: Call) -> Answer:
    """POST …/appusers/{id}/logout: 200 and an empty object, also when the user is gone already."""
    app = await app_of(call)
    caller = await user_caller(call.services, call.header(b"authorization"), app)
    if caller is None:
        raise Unauthorized
    body = await call.json(LogoutBody, optional=True)
    header = (call.header(b"x-smooch-clientid") or b"").decode("latin-1")
    guid = body.client.id or (header if header.isprintable() else "") or None
    await call.services.database.write(app, log_out, caller, call.params["user"], guid)
    return json_answer({})


async def upgrade(call: Call) -> Answer:
    """POST …/appusers/upgrade: an old install asks for its user by its device id, which proves nothing.

    So the answer is an empty object, which SDKs take for "start anew", unless a live session comes along (R4).
    """
    app = await app_of(call)
    caller = await user_caller(call.services, call.header(b"authorization"), app)
    if not isinstance(caller, AnonymousProof):
        return json_answer({})
    user, devices = await call.services.database.read(app, _with_devices, caller)
    return json_answer({"appUser": wire.app_user(user, devices)})


def require_same_user(claims: UserClaims, user_id: str | None) -> None:
    """Refuse a body that names another user than the token does (R6.1)."""
    if user_id is not None and user_id != claims.external_id:
        raise InvalidCredentials("userId in the body is not the external_id of the token", "login.user_id.mismatch")


async def _with_devices(tx: Transaction, caller: AnonymousProof) -> tuple[User, list[Device]]:
    user = await reach(tx, caller, caller.user_id)
    return user, await list_devices(tx, user)
