"""Find a user by whatever the caller calls her."""

from contextlib import suppress

from knownas.identities import InvalidIdentity
from knownas.identities.brands import branded
from knownas.ids import is_id
from knownas.transaction import Transaction
from knownas.users import User, UserNotFound


async def get_user(tx: Transaction, reference: str, brand_id: str | None = None) -> User:
    """The user whose id, else whose external id, is `reference`; a former id of a merged user finds the survivor.

    External ids are looked for among the users of that brand, or among those of none.

    Raises UserNotFound.
    """
    user = await tx.users.by_id(reference) if is_id(reference) else None
    if user is None:
        with suppress(InvalidIdentity):
            user = await tx.users.by_external_id(reference, brand_id)
    if user is None:
        raise UserNotFound
    return user


async def list_by_email(tx: Transaction, email: str, brand_id: str | None = None) -> list[User]:
    """The users with this e-mail identity, in any spelling, of the brand or of none; typed labels do not count (R2)."""
    try:
        key = branded("email", email, brand_id)
    except InvalidIdentity:
        return []
    return await tx.users.by_email(key)
