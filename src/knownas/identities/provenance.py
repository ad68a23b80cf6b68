"""Why an identity sits where it sits: who asserted it, and each act that moved it, as a chain that one can read."""

from typing import Literal

from msgspec import Struct

from knownas.identities import Identity, IdentityType
from knownas.merges import Merge
from knownas.resolutions import Resolution
from knownas.transaction import Transaction
from knownas.users import User
from knownas.users.find import get_user

What = Literal["asserted", "contested", "transferred", "moved", "reassigned", "merged", "undone"]
_DONE: dict[str, tuple[What, str]] = {
    "transfer": ("transferred", "The policy gave it to external id {claimant}, whose assertion was newer"),
    "move": ("moved", "An operator gave it to external id {claimant}"),
    "reassign": ("reassigned", "An operator gave its owner the external id {claimant}"),
    "merge": ("merged", "An operator decided that its owner and external id {claimant} are one"),
}
MERGES_AT_MOST = 1000


class Step(Struct, frozen=True):
    """One link of the chain. `at` is in milliseconds; `by` an actor or a key; `ref` the id of the act or the case."""

    at: int
    what: What
    text: str
    by: str
    ref: str | None = None


class Provenance(Struct, frozen=True):
    """One identity of a user, on the row of `holder_id`: hers, or of somebody merged into her."""

    type: IdentityType
    value: str
    holder_id: str
    steps: tuple[Step, ...]


async def explain_identities(tx: Transaction, user: User, skip: int = 0, limit: int | None = None) -> list[Provenance]:
    """The user's identities, external ids too, in the order in which she got them, each with its chain in that of time.

    Without a limit all of them; else at most so many behind the first `skip`.
    """
    members = await tx.users.members(user)
    merges = {one.discarded: one for one in await tx.merges.of_users(members, MERGES_AT_MOST) if one.undone_at is None}
    identities = await tx.identities.of_users(members)
    acts = [await tx.resolutions.of_identity(one.type, one.key) for one in identities]
    given = {act.claimant: act for some in acts for act in some if act.undone_at is None}
    told = list(zip(identities, acts, strict=True))
    return [
        await _explain(tx, user, one, about, given.get(one.value) if one.type == "external_id" else None, merges)
        for one, about in (told[skip:] if limit is None else told[skip : skip + limit])
    ]


async def explain_user(
    tx: Transaction, reference: str, skip: int = 0, limit: int | None = None
) -> tuple[User, list[Provenance]]:
    """The same of the user with this id or external id, and the user. Raises UserNotFound."""
    user = await get_user(tx, reference)
    return user, await explain_identities(tx, user, skip, limit)


async def _explain(
    tx: Transaction,
    user: User,
    identity: Identity,
    acts: list[Resolution],
    giving: Resolution | None,
    merges: dict[str, Merge],
) -> Provenance:
    """`giving` is the act on another identity by which an external id, the claimant's, may have come here."""
    steps = [_assertion(identity.created_at, identity.verification, identity.asserted_by)]
    if giving is not None and giving.action in _DONE and giving.created_at == identity.created_at:
        text = f"An operator gave it to user {identity.user_id}" + _because(giving)
        steps.append(Step(giving.created_at, _DONE[giving.action][0], text, giving.actor, giving.id))
    moved = [act for act in acts if "identity" in act.before]
    if moved and (first := moved[0].before["identity"])["created_at"] != identity.created_at:
        steps.append(_assertion(first["created_at"], first["verification"], first["asserted_by"]))
    for act in acts:
        steps += _steps_of(act)
    for case in await tx.conflicts.of_identity(identity.type, identity.key):
        times = "once" if case.count == 1 else f"{case.count} times"
        text = f"Claimed {times} by external id {case.claimant} while it was somebody else's ({case.state})"
        steps.append(Step(case.first_seen, "contested", text, case.asserted_by, case.id))
    holder = identity.user_id
    while holder != user.id and holder in merges:
        merge = merges[holder]
        text = f"User {merge.discarded}, who had it, was merged into user {merge.surviving}"
        steps.append(Step(merge.created_at, "merged", text, merge.actor or merge.reason, merge.id))
        holder = merge.surviving
    return Provenance(
        identity.type, identity.value, identity.user_id, tuple(sorted(steps, key=lambda step: (step.at, step.what)))
    )


def _assertion(at: int, verification: str, asserted_by: str | None) -> Step:
    how = "A signed token said so" if verification == "sso" else "A server said so over the API"
    return Step(at, "asserted", how, asserted_by or "")


def _steps_of(act: Resolution) -> list[Step]:
    """The act and, where it was undone, its undoing. Pure."""
    if act.action not in _DONE:
        return []
    what, text = _DONE[act.action]
    steps = [Step(act.created_at, what, text.format(claimant=act.claimant) + _because(act), act.actor, act.id)]
    if act.undone_at is not None:
        steps.append(Step(act.undone_at, "undone", "This was undone", act.undone_by or "", act.id))
    return steps


def _because(act: Resolution) -> str:
    return f": {act.note}" if act.note else ""
