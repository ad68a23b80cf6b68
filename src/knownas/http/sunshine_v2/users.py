"""Users: create, list by e-mail identity, get, update, delete, delete personal information."""

from knownas.http.call import Answer, Call, json_answer
from knownas.http.decode import InvalidBody
from knownas.http.sunshine_v2 import wire
from knownas.http.sunshine_v2.brand import brand_of
from knownas.http.sunshine_v2.scope import INTEGRATION, acting_on_app
from knownas.http.sunshine_v2.wire import UserBody
from knownas.resolutions import By
from knownas.transaction import Transaction
from knownas.users import User, UserChanges
from knownas.users.create import create_user
from knownas.users.delete import delete_user, erase_personal_information
from knownas.users.find import get_user, list_by_email
from knownas.users.update import update_user


async def create(call: Call) -> Answer:
    """POST …/users: 201, or 409 when the external id is taken."""
    app, caller = await acting_on_app(call, INTEGRATION)
    body = await call.json(UserBody)
    user = await call.services.database.write(
        app, create_user, body.external_id, body.changes(), caller.key_id, body.brand_id
    )
    return json_answer({"user": wire.user(user)}, 201)


async def list_by_email_identity(call: Call) -> Answer:
    """GET …/users?filter[identities.email]=: matches owned and claimed identities, never `profile.email`."""
    app, _ = await acting_on_app(call, INTEGRATION)
    filters = call.query().get("filter")
    email = filters.get("identities.email") if isinstance(filters, dict) else None
    if not isinstance(email, str) or not email:
        raise InvalidBody("filter should have required property 'identities.email'")
    users = await call.services.database.read(app, list_by_email, email, brand_of(call))
    return json_answer({"users": [wire.user(user) for user in users]})


async def get(call: Call) -> Answer:
    """GET …/users/{id or external id}."""
    app, _ = await acting_on_app(call, INTEGRATION)
    user = await call.services.database.read(app, get_user, call.params["user"], brand_of(call))
    return json_answer({"user": wire.user(user)})


async def update(call: Call) -> Answer:
    """PATCH …/users/{u}: fields that are absent stay, null clears, metadata is merged key by key."""
    app, caller = await acting_on_app(call, INTEGRATION)
    body = await call.json(UserBody)
    user = await call.services.database.write(
        app, _update, call.params["user"], brand_of(call), body.changes(), body.external_id, caller.key_id
    )
    return json_answer({"user": wire.user(user)})


async def delete(call: Call) -> Answer:
    """DELETE …/users/{u}: 200 and an empty object; the user, her devices and her history are gone."""
    app, caller = await acting_on_app(call, INTEGRATION)
    await call.services.database.write(app, _delete, call.params["user"], brand_of(call), By(f"key:{caller.key_id}"))
    return json_answer({})


async def delete_personal_information(call: Call) -> Answer:
    """DELETE …/users/{u}/personalinformation: 200 and what is left of the user."""
    app, caller = await acting_on_app(call, INTEGRATION)
    by = By(f"key:{caller.key_id}")
    user = await call.services.database.write(app, _erase, call.params["user"], brand_of(call), by)
    return json_answer({"user": wire.user(user)})


async def _update(
    tx: Transaction,
    reference: str,
    brand_id: str | None,
    changes: UserChanges,
    external_id: str | None,
    asserted_by: str,
) -> User:
    user = await get_user(tx, reference, brand_id)
    return await update_user(tx, user, changes, external_id=external_id, asserted_by=asserted_by)


async def _delete(tx: Transaction, reference: str, brand_id: str | None, by: By) -> None:
    await delete_user(tx, await get_user(tx, reference, brand_id), by)


async def _erase(tx: Transaction, reference: str, brand_id: str | None, by: By) -> User:
    left, _ = await erase_personal_information(tx, await get_user(tx, reference, brand_id), by)
    return left
