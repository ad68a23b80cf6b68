"""Find a user by whatever the caller calls her."""

from contextlib import suppress

from knownas.identities import InvalidIdentity
from knownas.identities.normalise import normalise
from knownas.ids import is_id
from knownas.transaction import Transaction
from knownas.users import User, UserNotFound


async def get_user(tx: Transaction, reference: str) -> User:
    """The user whose id, else whose external id, is `reference`; a former id of a merged user finds the survivor.

    Raises UserNotFound.
    """
    user = await tx.users.by_id(reference) if is_id(reference) else None
    if user is None:
        with suppress(InvalidIdentity):
            user = await tx.users.by_external_id(reference)
    if user is None:
        raise UserNotFound
    return user


async def list_by_email(tx: Transaction, email: str) -> list[User]:
    """The users with this e-mail identity, in any spelling; labels that visitors typed do not count (R2)."""
    try:
        key = normalise("email", email)
    except InvalidIdentity:
        return []
    return await tx.users.by_email(key)
