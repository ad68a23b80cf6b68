"""Reach a user with the user's own credentials, on the SDK API (R4)."""

from knownas.keys.tokens import UserClaims
from knownas.sessions import AnonymousProof, InvalidSession, NotThisUser
from knownas.transaction import Transaction
from knownas.users import User, UserNotFound


async def reach(tx: Transaction, caller: UserClaims | AnonymousProof, reference: str) -> User:
    """The caller's own user, when `reference` is her id (a former one too) or her external id.

    Raises InvalidSession for a session that is not hers, NotThisUser for anybody else's user whether or not there is
    one (R13), and UserNotFound when the token names somebody who has never been seen.
    """
    if isinstance(caller, AnonymousProof):
        user = await tx.sessions.visitor(caller)
        if user is None or reference not in (user.id, caller.user_id):
            raise InvalidSession
        return user
    user = await tx.users.by_external_id(caller.external_id)
    if user is None and reference == caller.external_id:
        raise UserNotFound
    if user is None or not (
        reference in (user.id, user.external_id, caller.external_id)
        or (user.absorbed and reference in await tx.users.members(user))
    ):
        raise NotThisUser
    return user
