"""An SDK's own user: create, get, update."""

from knownas.devices import Device
from knownas.devices.clients import list_devices
from knownas.errors import DomainError
from knownas.http.call import Answer, Call, json_answer
from knownas.http.callers import Unauthorized, user_caller
from knownas.http.request_info import asks_about
from knownas.http.sdk import wire
from knownas.http.sdk.app import app_of, device_of
from knownas.http.sdk.sessions import require_same_user
from knownas.http.sdk.wire import CreateBody, ProfileBody
from knownas.keys.tokens import UserClaims
from knownas.sessions import AnonymousProof
from knownas.sessions.log_in import log_in
from knownas.sessions.reach import reach
from knownas.sessions.start import start_anonymous
from knownas.transaction import Transaction
from knownas.users import User, UserChanges
from knownas.users.update import update_user


class ConversationsNotServed(DomainError):
    """Better refused than dropped: a message in this body would be lost."""

    kind = "not_implemented"
    code = "not_implemented"

    def __init__(self) -> None:
        super().__init__("This server does not keep conversations yet; create the user without one")


async def create(call: Call) -> Answer:
    """POST …/appusers: an anonymous user with a session token, or with a token the user whom it names; 201 when new."""
    app = await app_of(call)
    caller = await user_caller(call.services, call.header(b"authorization"), app)
    body = await call.json(CreateBody, optional=True)
    if body.conversation:
        raise ConversationsNotServed
    device = await device_of(call, app, body.client)
    if isinstance(caller, UserClaims):
        require_same_user(caller, body.user_id)
        access = await call.services.database.write(
            app, log_in, caller, device, None, body.changes(), asks_about(call, device)
        )
    elif body.user_id:
        raise Unauthorized
    else:
        # A stale session in the header says nothing: whoever wants a new user is given one.
        access = await call.services.database.write(app, start_anonymous, body.changes(), device)
    return json_answer(wire.access(access), 201 if access.created else 200)


async def get(call: Call) -> Answer:
    """GET …/appusers/{id}: 401 for a session that is over, 403 for anybody else's user."""
    app = await app_of(call)
    caller = await user_caller(call.services, call.header(b"authorization"), app)
    if caller is None:
        raise Unauthorized
    user, devices = await call.services.database.read(app, _own_state, caller, call.params["user"])
    return json_answer(wire.state(user, devices))


async def update(call: Call) -> Answer:
    """PUT …/appusers/{id}: additive, as the vendor has it; null or an empty text clears."""
    app = await app_of(call)
    caller = await user_caller(call.services, call.header(b"authorization"), app)
    if caller is None:
        raise Unauthorized
    body = await call.json(ProfileBody, optional=True)
    user, devices = await call.services.database.write(app, _update_own, caller, call.params["user"], body.changes())
    return json_answer(wire.state(user, devices))


async def _own_state(tx: Transaction, caller: UserClaims | AnonymousProof, reference: str) -> tuple[User, list[Device]]:
    user = await reach(tx, caller, reference)
    return user, await list_devices(tx, user)


async def _update_own(
    tx: Transaction, caller: UserClaims | AnonymousProof, reference: str, changes: UserChanges
) -> tuple[User, list[Device]]:
    user, devices = await _own_state(tx, caller, reference)
    return await update_user(tx, user, changes), devices
