"""Take back what was done about an identity, or a merge: the world is as it was, or nothing is changed (R8, R9)."""

from msgspec import convert

from knownas.conflicts import Case, ConflictReopened
from knownas.conflicts.resolve import key_of_external_id
from knownas.identities import Identity, IdentityAttached
from knownas.merges.undo import DAY_MS, ForeseenUnmerge, carry_out_unmerge, foresee_unmerge
from knownas.plans import Foreseen, Preview
from knownas.plans.party import named, party, sentence, state_of
from knownas.resolutions import ActNotFound, By, CannotUndo, Resolution
from knownas.transaction import Transaction
from knownas.users import User, UserRemoved, UserUpdated


class ForeseenUndo(Foreseen, frozen=True):
    """The act, its case if there still is one, and those concerned as they are now.

    `owner` owned the identity before the act and `holder` has it now. `made` is the user who was made by the act and
    has done nothing since.
    """

    resolution: Resolution | None
    case: Case | None
    owner: User | None
    holder: User | None
    held: Identity | None
    made: User | None
    unmerge: ForeseenUnmerge | None


async def foresee_undo(tx: Transaction, act_id: str) -> ForeseenUndo:
    """What undoing the merge or resolution will do. Raises ActNotFound, CannotUndo."""
    resolution = await tx.resolutions.by_id(act_id)
    merge = await tx.merges.by_id(resolution.merge_id if resolution and resolution.merge_id else act_id)
    if resolution is None and merge is None:
        raise ActNotFound
    if resolution is None and merge is not None:
        resolution = await tx.resolutions.by_merge(merge.id)
    unmerge = await foresee_unmerge(tx, merge) if merge is not None else None
    if resolution is not None:
        await _check_last(tx, resolution)
    case = await tx.conflicts.by_id(resolution.case_id) if resolution and resolution.case_id else None
    if resolution is not None and unmerge is None:
        return await _foresee(tx, resolution, case)
    assert unmerge is not None, "one of the two was found"  # noqa: S101
    subjects = (*unmerge.subjects, *((case.id,) if case else ()))
    relies_on = {**unmerge.relies_on, **_of_case(case)}
    return ForeseenUndo(unmerge.preview, subjects, relies_on, resolution, case, None, None, None, None, unmerge)


def carry_out_undo(tx: Transaction, foreseen: ForeseenUndo, by: By) -> tuple[str | None, dict[str, str]]:
    """Hold the act's undoing, and that its case is open again.

    Answers who is there afterwards, and what `carry_out_unmerge` does.

    Loses its race when somebody concerned was written meanwhile. Emits conflict.reopened, and what the undoing tells.
    """
    resolution, case = foreseen.resolution, foreseen.case
    user_id: str | None = None
    continued: dict[str, str] = {}
    if foreseen.unmerge is not None:
        continued = carry_out_unmerge(tx, foreseen.unmerge, by)
        user_id = foreseen.unmerge.surviving.id
    elif resolution is not None and resolution.action in ("move", "transfer"):
        user_id = _give_back(tx, foreseen, resolution)
    elif resolution is not None and foreseen.owner is not None and resolution.action != "dismiss":
        user_id = _take_external_id(tx, foreseen.owner, resolution)
    if resolution is not None:
        tx.resolutions.undo(resolution, by.actor, tx.now)
        if case is not None:
            former = {name: resolution.before[name] for name in ("state", "claimant_id") if name in resolution.before}
            if resolution.action == "transfer":  # which found the case as it opened it
                former["state"] = "open"
            tx.conflicts.change(case, **former)
            tx.emit(ConflictReopened(case.id, resolution.id, by.actor))
    return user_id, continued


async def _check_last(tx: Transaction, resolution: Resolution) -> None:
    """Refuse to take back what a later act on the same case was built on. Raises CannotUndo."""
    last = await tx.resolutions.standing_of_case(resolution.case_id) if resolution.case_id else None
    if resolution.undone_at is None and last is not None and last.id != resolution.id:
        raise CannotUndo(f"The conflict was settled anew since: undo that first ({last.action}, {last.id})")


async def _foresee(tx: Transaction, resolution: Resolution, case: Case | None) -> ForeseenUndo:
    """The undoing of what was not a merge of two users."""
    if resolution.undone_at is not None:
        raise CannotUndo("This has been undone already")
    if tx.now - resolution.created_at > tx.settings.undo_days * DAY_MS:
        raise CannotUndo(f"This can be undone for {tx.settings.undo_days} days, and it is older")
    owner = await tx.users.by_id(resolution.owner_id) if resolution.owner_id else None
    if owner is None and resolution.action != "dismiss":
        raise CannotUndo("The user who owned the identity before has been deleted")
    held, holder, made = None, None, None
    if resolution.action in ("move", "transfer"):
        held = await tx.identities.owned(resolution.type, resolution.key)
        holder = await tx.users.by_id(held.user_id) if held else None
        now_of = await tx.users.by_id(resolution.claimant_id) if resolution.claimant_id else None
        if held is None or holder is None or now_of is None or now_of.id != holder.id:
            raise CannotUndo(
                "The identity has gone on to somebody else since, or was removed: undo the later act first"
            )
        made = holder if resolution.before.get("made") and await _untouched(tx, holder) else None
        does = [f"The {resolution.type} {held.value} goes back to {named(owner) if owner else ''}."]
        if made is not None:
            does.append(f"{sentence(named(made))} was made for this and has done nothing since: she is removed.")
    elif resolution.action == "dismiss" or owner is None:
        does = ["The conflict is open again."]
    else:
        claimant = await tx.users.by_external_id(resolution.claimant)
        if claimant is None or claimant.id != owner.id:
            raise CannotUndo("The external id has gone on to another user since")
        if resolution.action == "reassign" and owner.external_id != resolution.claimant:
            raise CannotUndo("The user has got yet another external id since: undo that first")
        does = [f"External id {resolution.claimant} is nobody's again."]
        if resolution.action == "reassign":
            does.insert(0, f"{sentence(named(owner))} has external id {resolution.before['external_id']} again.")
    users = [user for user in (owner, holder) if user]
    relies_on: dict[str, str | int | None] = {f"user:{user.id}": state_of(user) for user in users}
    relies_on |= _of_case(case) | {f"resolution:{resolution.id}": None, "made": made.id if made else None}
    preview = Preview(
        tuple(does), tuple([await party(tx, user, "owner" if user is owner else "holder") for user in users])
    )
    subjects = (*dict.fromkeys(user.id for user in users), *((case.id,) if case else ()))
    return ForeseenUndo(preview, subjects, relies_on, resolution, case, owner, holder, held, made, None)


async def _untouched(tx: Transaction, user: User) -> bool:
    """Whether nothing has happened to a user since she was made."""
    holdings = await tx.users.holdings([user.id])
    return user.revision == 1 and not user.absorbed and not (holdings.conversations or holdings.devices)


def _of_case(case: Case | None) -> dict[str, str | int | None]:
    return {f"case:{case.id}": case.state} if case else {}


def _give_back(tx: Transaction, foreseen: ForeseenUndo, resolution: Resolution) -> str | None:
    """Hold the identity as its former owner had it, the very row; and her label."""
    owner, holder = foreseen.owner, foreseen.holder
    former = convert(resolution.before["identity"], Identity)
    if owner is None or holder is None:
        return None
    tx.identities.move(former)
    label = resolution.before.get("label")
    if label is not None and owner.email is None:
        tx.users.change(owner, email=label)
        tx.emit(UserUpdated(owner.id, ("email",)))
    else:
        tx.users.rely_on(owner)
    tx.emit(IdentityAttached(owner.id, former.type, former.verification))
    if foreseen.made is None:
        tx.users.rely_on(holder)
    else:
        tx.users.unmake(foreseen.made)
        tx.emit(UserRemoved(foreseen.made.id, None, foreseen.made.authenticated))
    return owner.id


def _take_external_id(tx: Transaction, owner: User, resolution: Resolution) -> str:
    """Hold that the claimant's external id is nobody's again, and the former one is what she shows."""
    tx.identities.release("external_id", key_of_external_id(resolution.claimant))
    if resolution.action == "reassign":
        tx.users.change(owner, external_id=resolution.before["external_id"])
    else:
        tx.users.rely_on(owner)
    tx.emit(UserUpdated(owner.id, ("external_id",)))
    return owner.id
