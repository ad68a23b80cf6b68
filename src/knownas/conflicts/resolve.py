"""Settle a case, as an operator decides (R8)."""

from typing import Any

from msgspec import structs

from knownas.conflicts import Case, CaseNotFound
from knownas.identities import Identity, IdentityAttached
from knownas.identities.brands import branded
from knownas.merges.merge import ForeseenMerge, carry_out_merge, foresee_merge
from knownas.plans import Foreseen, Party, Preview
from knownas.plans.party import named, party, sentence, state_of, stranger
from knownas.resolutions import Action, By, CannotResolve, Resolution
from knownas.resolutions.hand_over import HandOver, case_before, hand_over, settle
from knownas.transaction import Transaction
from knownas.users import User, UserChanges, UserIdentified
from knownas.users.create import new_user, own_external_id


class ForeseenResolution(Foreseen, frozen=True):
    """The case, who is in it by now, and the identity as its owner has it."""

    action: Action
    case: Case
    owner: User | None
    held: Identity | None
    claimant: User | None
    merge: ForeseenMerge | None
    members: tuple[str, ...]


async def foresee_resolution(tx: Transaction, case_id: str, action: Action) -> ForeseenResolution:
    """What settling the case like this will do. Raises CaseNotFound, CannotResolve."""
    case = await tx.conflicts.by_id(case_id)
    if case is None:
        raise CaseNotFound
    if case.state == "resolved":
        raise CannotResolve("This conflict is resolved already; undo that first to settle it in another way")
    held = await tx.identities.owned(case.type, case.key)
    owner = await tx.users.by_id(held.user_id) if held else None
    claimant = await tx.users.by_external_id(case.claimant)
    if action != "dismiss":
        _check(action, owner, claimant)
    merge = None
    if action == "merge" and owner is not None and claimant is not None:
        merge = await foresee_merge(tx, owner, claimant)
    members = tuple(await tx.users.members(owner)) if owner and action == "reassign" else ()
    relies_on: dict[str, str | int | None] = {
        f"case:{case.id}": case.state,
        f"identity:{case.type}": held.user_id if held else None,
        "claimant": f"{claimant.id}:{state_of(claimant)}" if claimant else None,
        "owner": f"{owner.id}:{state_of(owner)}" if owner else None,
        **(merge.relies_on if merge else {}),
    }
    parties = await _parties(tx, case, owner, claimant, merge)
    preview = Preview(
        _does(action, case, owner, claimant, merge),
        parties,
        merge.preview.discarded_metadata if merge else {},
        warnings=merge.preview.warnings if merge else (),
    )
    subjects = (case.id, *(user.id for user in (owner, claimant) if user))
    return ForeseenResolution(preview, subjects, relies_on, action, case, owner, held, claimant, merge, members)


def carry_out_resolution(tx: Transaction, foreseen: ForeseenResolution, by: By) -> tuple[Resolution, str]:
    """Hold the act, and that the case is settled; who is there afterwards.

    Loses its race when somebody concerned was written meanwhile.
    Emits conflict.settled, and what the act itself tells.
    """
    action, owner = foreseen.action, foreseen.owner
    if action == "dismiss" or owner is None or foreseen.held is None:
        return _settled(tx, foreseen, by, {}), owner.id if owner else ""
    if action == "move":
        return _move(tx, foreseen, owner, foreseen.held, by)
    if action == "reassign":
        return _reassign(tx, foreseen, owner, by), owner.id
    if foreseen.merge is not None:
        merge_id = carry_out_merge(tx, foreseen.merge, by)
        return _settled(tx, foreseen, by, {}, merge_id), owner.id
    own_external_id(tx, owner.id, foreseen.case.claimant, foreseen.case.asserted_by, signed=True)
    tx.users.rely_on(owner)
    tx.emit(IdentityAttached(owner.id, "external_id", "api"))
    return _settled(tx, foreseen, by, {"alias": foreseen.case.claimant}), owner.id


def _check(action: Action, owner: User | None, claimant: User | None) -> None:
    """Refuse what makes no sense for the users that there are. Pure."""
    if owner is None:
        raise CannotResolve("Nobody owns the identity any more: the next login gets it, so dismiss this conflict")
    if claimant is not None and claimant.id == owner.id:
        raise CannotResolve("Owner and claimant are one user by now: dismiss this conflict")
    if action == "reassign" and claimant is not None:
        raise CannotResolve(
            "The claimant is a user with a history of her own, which would be left without an external id: merge the"
            " two, or move the identity"
        )
    if action == "reassign" and owner.anonymous:
        raise CannotResolve("The owner is anonymous: she has no external id that could be exchanged")
    if action == "merge" and owner.anonymous:
        raise CannotResolve("The owner is anonymous, and an anonymous user cannot survive an identified one")


def _does(
    action: Action, case: Case, owner: User | None, claimant: User | None, merge: ForeseenMerge | None
) -> tuple[str, ...]:
    """The act in sentences. Pure."""
    if action == "dismiss" or owner is None:
        return ("Everything stays as it is. Repeats are counted, and the conflict stays dismissed.",)
    what = f"{case.type} {case.value}"
    if action == "move":
        to = named(claimant) if claimant else f"a new user with external id {case.claimant}"
        return (f"The {what} moves from {named(owner)} to {to}.",)
    if action == "reassign":
        return (
            f"{sentence(named(owner))} has external id {case.claimant} from now on, and keeps everything else.",
            f"Logins with her former external id {owner.external_id} still find her.",
        )
    if merge is not None:
        return merge.preview.does
    return (f"External id {case.claimant} is one more of {named(owner)}'s: logins with either find her.",)


async def _parties(
    tx: Transaction, case: Case, owner: User | None, claimant: User | None, merge: ForeseenMerge | None
) -> tuple[Party, ...]:
    if merge is not None:
        return merge.preview.parties
    found = [await party(tx, owner, "owner")] if owner else []
    found.append(await party(tx, claimant, "claimant") if claimant else stranger(case.claimant, "claimant"))
    return tuple(found)


def _move(tx: Transaction, foreseen: ForeseenResolution, owner: User, held: Identity, by: By) -> tuple[Resolution, str]:
    """Hold the identity as the claimant's, who is made where she does not exist yet."""
    case, claimant = foreseen.case, foreseen.claimant
    made = claimant is None
    if claimant is None:
        claimant = new_user(tx, case.claimant, "api", UserChanges(), authenticated=False)
        own_external_id(tx, claimant.id, case.claimant, case.asserted_by, signed=True)
    else:
        tx.users.rely_on(claimant)
    wanted = structs.replace(
        held,
        user_id=claimant.id,
        value=case.value or held.value,
        verification="sso",
        asserted_by=case.asserted_by,
        created_at=tx.now,
    )
    what = HandOver("move", case, held, wanted, owner, case.claimant, made)
    return hand_over(tx, what, by), claimant.id


def _reassign(tx: Transaction, foreseen: ForeseenResolution, owner: User, by: By) -> Resolution:
    """Hold the claimant's external id as the owner's; her former one keeps finding her."""
    case = foreseen.case
    own_external_id(tx, owner.id, case.claimant, case.asserted_by, signed=True)
    tx.users.change(owner, external_id=case.claimant)
    renamed = structs.replace(owner, external_id=case.claimant)
    tx.emit(UserIdentified(owner.id, case.claimant, renamed))
    return _settled(tx, foreseen, by, {"external_id": owner.external_id})


def _settled(
    tx: Transaction, foreseen: ForeseenResolution, by: By, before: dict[str, Any], merge_id: str | None = None
) -> Resolution:
    case = foreseen.case
    before = {**before, **case_before(case)}
    resolution = Resolution(
        tx.new_id(), case.id, foreseen.action, case.type, case.key, foreseen.owner.id if foreseen.owner else "",
        case.claimant, foreseen.claimant.id if foreseen.claimant else None, by.actor, by.note, merge_id, before, tx.now,
    )  # fmt: skip
    tx.resolutions.add(resolution)
    settle(tx, case, resolution)
    return resolution


def key_of_external_id(external_id: str) -> str:
    """The normal form under which an external id without a brand is owned. Pure."""
    return branded("external_id", external_id, None)
