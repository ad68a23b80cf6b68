"""Take a merge back: both users are as they were, and what was written since stays with the survivor (R9)."""

from typing import Any

from msgspec import structs

from knownas.merges import Merge, UsersUnmerged
from knownas.merges.part import Parting, carry_out_parting, foresee_parting
from knownas.plans import Foreseen, Preview
from knownas.plans.party import named, party, sentence, state_of
from knownas.resolutions import By, CannotUndo
from knownas.transaction import Transaction
from knownas.users import User

DAY_MS = 86_400_000
CONTINUED_SHOWN = 10


class ForeseenUnmerge(Foreseen, frozen=True):
    """The merge, and both users as they are now."""

    merge: Merge
    surviving: User
    discarded: User
    parting: Parting


async def foresee_unmerge(tx: Transaction, merge: Merge) -> ForeseenUnmerge:
    """What undoing the merge will do. Raises CannotUndo where it cannot be done, or not any more."""
    if merge.undone_at is not None:
        raise CannotUndo("This merge has been undone already")
    if tx.now - merge.created_at > tx.settings.undo_days * DAY_MS:
        raise CannotUndo(f"A merge can be undone for {tx.settings.undo_days} days, and this one is older")
    if "metadata" not in merge.before:
        raise CannotUndo("What undo needs was erased with the personal information of one of the two users")
    surviving, discarded = await tx.users.by_id(merge.surviving), await tx.users.stored(merge.discarded)
    if surviving is None or discarded is None:
        raise CannotUndo("One of the two users has been deleted")
    if surviving.id != merge.surviving:
        raise CannotUndo(f"The surviving user was merged into user {surviving.id} since: undo that merge first")
    if discarded.merged_into != merge.surviving:
        raise CannotUndo("The two users are not one any more")
    parting = await foresee_parting(tx, merge, surviving, discarded)
    does = (
        f"{sentence(named(discarded))} is a user of her own again, with what she had before the merge.",
        f"What was written since the merge stays with {named(surviving)}.",
        *_going_on(parting),
    )
    relies_on: dict[str, str | int | None] = {
        f"user:{surviving.id}": state_of(surviving),
        f"user:{discarded.id}": state_of(discarded),
    }
    warnings = ("A session that ended with the merge stays ended.",) if discarded.anonymous else ()
    preview = Preview(does, (await party(tx, surviving, "surviving"),), warnings=warnings)
    return ForeseenUnmerge(preview, (surviving.id, discarded.id), relies_on, merge, surviving, discarded, parting)


def carry_out_unmerge(tx: Transaction, foreseen: ForeseenUnmerge, by: By) -> dict[str, str]:
    """Hold that the two are two again; in which conversation what was said in another since goes on, by its id.

    Loses its race when either was written meanwhile. Emits users.unmerged, and conversation.created.
    """
    merge, surviving, discarded = foreseen.merge, foreseen.surviving, foreseen.discarded
    changed = {
        "metadata": without(surviving.metadata, merge, discarded.metadata),
        "absorbed": surviving.absorbed - 1 - discarded.absorbed,
    }
    tx.users.change(surviving, **changed)
    tx.users.separate(discarded)
    continued = carry_out_parting(tx, foreseen.parting, merge, structs.replace(surviving, **changed))
    tx.merges.undo(merge, by.actor, tx.now)
    tx.emit(UsersUnmerged(surviving.id, discarded.id, merge.id, by.actor, continued))
    return continued


def without(metadata: dict[str, Any], merge: Merge, discarded: dict[str, Any]) -> dict[str, Any]:
    """The survivor's metadata less what the merge gave her and nobody has changed since. Pure."""
    had: dict[str, Any] = merge.before["metadata"]
    given = {key: value for key, value in discarded.items() if key not in had and key not in merge.discarded_metadata}
    return {key: value for key, value in metadata.items() if key not in given or value != given[key]}


def _going_on(parting: Parting) -> list[str]:
    """What becomes of the discarded user's conversations that went on. Pure."""
    told = []
    for one in parting.continued[:CONTINUED_SHOWN]:
        count = one.grown.conversation.message_count
        since = (
            f"what came since ({count} message{'s' * (count != 1)}) goes on in a new one"
            if one.goes_on
            else "nothing came since"
        )
        told.append(f"Conversation {one.conversation.id} goes back as it was; {since}.")
    if (more := len(parting.continued) - CONTINUED_SHOWN) > 0:
        told.append(f"So do {more} more.")
    return told
