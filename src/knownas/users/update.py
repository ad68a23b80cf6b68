"""Change what is known about a user."""

from typing import Any

import msgspec
from msgspec import UNSET, structs

from knownas.transaction import Transaction
from knownas.users import InvalidUser, User, UserChanges, UserExists, UserIdentified, UserUpdated
from knownas.users.create import own_external_id
from knownas.users.metadata import merge_metadata


def differences(user: User, changes: UserChanges) -> dict[str, Any]:
    """The fields of `user` that `changes` would really alter, with their new values. Pure."""
    altered: dict[str, Any] = {}
    for name in UserChanges.__struct_fields__:
        value = getattr(changes, name)
        if value is UNSET:
            continue
        if name == "metadata":
            value = merge_metadata(user.metadata, value)
        if not same(value, getattr(user, name)):
            altered[name] = value
    return altered


def same(one: object, other: object) -> bool:
    """Whether two values are the same JSON: unlike Python, which takes 1 for True and for 1.0."""
    return one == other and (not isinstance(one, dict) or msgspec.json.encode(one) == msgspec.json.encode(other))


def apply(tx: Transaction, user: User, changes: UserChanges) -> User:
    """Hold the changes for writing. Emits user.updated when there are any; the same update twice changes once."""
    altered = differences(user, changes)
    if not altered:
        return user
    tx.users.change(user, **altered)
    tx.emit(UserUpdated(user.id, tuple(altered)))
    return structs.replace(user, **altered)


async def update_user(
    tx: Transaction, user: User, changes: UserChanges, *, external_id: str | None = None, asserted_by: str = ""
) -> User:
    """Change the user's profile, properties and flags; give an anonymous user her external id.

    An external id is given once: another one raises InvalidUser, one that belongs to somebody raises UserExists.
    Her anonymous sessions end when she gets it (R4). Emits user.updated and user.identified.
    """
    if external_id is None or external_id == user.external_id:
        return apply(tx, user, changes)
    if user.external_id is not None:
        raise InvalidUser("externalId cannot be changed once it is set")
    if await tx.users.by_external_id(external_id, user.brand_id) is not None:
        raise UserExists
    return identify(tx, apply(tx, user, changes), external_id, asserted_by)


def identify(tx: Transaction, user: User, external_id: str, asserted_by: str, *, authenticated: bool = False) -> User:
    """Hold the external id for an anonymous user, who keeps id and history; her sessions end. Emits user.identified."""
    tx.users.change(user, external_id=external_id, authenticated=authenticated or user.authenticated)
    own_external_id(tx, user.id, external_id, asserted_by, user.brand_id, signed=authenticated)
    tx.sessions.end_all([user.id])
    identified = structs.replace(user, external_id=external_id, authenticated=authenticated or user.authenticated)
    tx.emit(UserIdentified(user.id, external_id, None if authenticated else identified))
    return identified
