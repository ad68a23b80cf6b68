"""Find the merges that a user was part of."""

from knownas.merges import Merge
from knownas.transaction import Transaction
from knownas.users import User
from knownas.users.find import get_user


async def list_merges(tx: Transaction, reference: str, after: str | None, limit: int) -> tuple[User, list[Merge]]:
    """A user, and merges of hers and of those who are one with her, behind the one with the id `after`, oldest first.

    Undone ones too. Raises UserNotFound.
    """
    user = await get_user(tx, reference)
    return user, await tx.merges.page(await tx.users.members(user), after=after, limit=limit)
