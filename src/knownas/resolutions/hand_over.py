"""Give an owned identity to another user, so that it can be given back."""

from typing import Any

from msgspec import Struct, to_builtins

from knownas.conflicts import Case, ConflictSettled
from knownas.identities import Identity, IdentityAttached, IdentityTakenOver, InvalidIdentity
from knownas.identities.normalise import normalise
from knownas.resolutions import Action, By, Resolution
from knownas.transaction import Transaction
from knownas.users import User, UserUpdated


class HandOver(Struct, frozen=True):
    """An identity on its way: `held` as `owner`, or one merged into her, has it, and as it is `wanted`.

    `claimant` is the external id of whoever gets it. `made` says that her user is made for this, so that undo takes
    her away again.
    """

    action: Action
    case: Case | None
    held: Identity
    wanted: Identity
    owner: User
    claimant: str
    made: bool = False


def hand_over(tx: Transaction, what: HandOver, by: By) -> Resolution:
    """Hold that the identity has another owner, and that its case is settled.

    The former owner's label goes with it where it is the same e-mail. Loses its race when the former owner was written
    meanwhile, or no longer has it.
    Emits identity.taken_over, identity.attached, user.updated of the former owner, conflict.settled.
    """
    held, wanted, owner = what.held, what.wanted, what.owner
    before: dict[str, Any] = {"identity": to_builtins(held), "made": what.made, **case_before(what.case)}
    tx.identities.move(wanted)
    if _is_label(owner, held):
        before["label"] = owner.email
        tx.users.change(owner, email=None)
        tx.emit(UserUpdated(owner.id, ("email",)))
    else:
        tx.users.rely_on(owner)
    tx.emit(IdentityTakenOver(wanted.user_id, (owner.id,), wanted.type))
    tx.emit(IdentityAttached(wanted.user_id, wanted.type, wanted.verification))
    resolution = Resolution(
        tx.new_id(), what.case.id if what.case else None, what.action, held.type, held.key, owner.id, what.claimant,
        wanted.user_id, by.actor, by.note, None, before, tx.now,
    )  # fmt: skip
    tx.resolutions.add(resolution)
    if what.case is not None:
        settle(tx, what.case, resolution)
    return resolution


def case_before(case: Case | None) -> dict[str, Any]:
    """What undo has to put back of the case. Pure."""
    return {"state": case.state, "claimant_id": case.claimant_id} if case else {}


def settle(tx: Transaction, case: Case, resolution: Resolution) -> None:
    """Hold that the case is settled by this. Emits conflict.settled."""
    tx.conflicts.settle(
        case, "dismissed" if resolution.action == "dismiss" else "resolved", resolution.claimant_id or case.claimant_id
    )
    tx.emit(ConflictSettled(case.id, resolution.id, resolution.action, resolution.actor))


def _is_label(owner: User, held: Identity) -> bool:
    """Whether what the owner's profile shows is the e-mail that she loses. Pure."""
    if held.type != "email" or owner.email is None:
        return False
    try:
        return normalise("email", owner.email) == normalise("email", held.value)
    except InvalidIdentity:
        return False
