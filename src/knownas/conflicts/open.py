"""Open or refresh the case of a contested identity, and refuse whoever claims it (R7)."""

from typing import NoReturn

from knownas.conflicts import Case, EmailContested, IdentityContested
from knownas.identities import Contest, IdentityType
from knownas.keys.tokens import UserClaims
from knownas.transaction import Transaction
from knownas.users import User


async def contest(
    tx: Transaction, contested: Contest, type: IdentityType, key: str, claims: UserClaims, claimant: User | None
) -> NoReturn:
    """Keep a case of the conflict, tell of it and refuse: the policy `reject`.

    Always raises EmailContested: the case is kept, nothing else of the login is.
    Emits identity.contested, numbered in the owner's sequence.
    """
    claimant_id = claimant.id if claimant else None
    tx.conflicts.refresh(
        Case(tx.new_id(), type, key, contested.owner, claims.external_id, claimant_id, claims.key_id, tx.now, tx.now)
    )
    tx.emit(IdentityContested(contested.owner, type, claimant_id))
    raise EmailContested
