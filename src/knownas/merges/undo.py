"""Take a merge back: both users are as they were, and what was written since stays with the survivor (R9)."""

from typing import Any

from msgspec import Struct

from knownas.conversations import Conversation, Participant
from knownas.merges import Merge, UsersUnmerged
from knownas.plans import Foreseen, Preview
from knownas.plans.party import named, party, sentence, state_of
from knownas.resolutions import By, CannotUndo
from knownas.transaction import Transaction
from knownas.users import User

DAY_MS = 86_400_000
LOOKED_THROUGH = 100


class Parting(Struct, frozen=True):
    """Two conversations that were united, or the default one that ceased to be it."""

    surviving: Conversation | None
    discarded: Conversation
    seat: Participant | None


class ForeseenUnmerge(Foreseen, frozen=True):
    """The merge, and both users as they are now."""

    merge: Merge
    surviving: User
    discarded: User
    parting: Parting | None


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
    before = merge.before.get("conversations")
    members = await tx.users.members(discarded)
    await _check_unions(tx, merge, members, before["discarded"] if before else None)
    parting = await _parting(tx, before)
    does = (
        f"{sentence(named(discarded))} is a user of her own again, with what she had before the merge.",
        f"What was written since the merge stays with {named(surviving)}.",
    )
    relies_on: dict[str, str | int | None] = {
        f"user:{surviving.id}": state_of(surviving),
        f"user:{discarded.id}": state_of(discarded),
    }
    preview = Preview(
        does,
        (await party(tx, surviving, "surviving"),),
        warnings=await _warnings(tx, merge, discarded, members if parting is None else []),
    )
    return ForeseenUnmerge(preview, (surviving.id, discarded.id), relies_on, merge, surviving, discarded, parting)


def carry_out_unmerge(tx: Transaction, foreseen: ForeseenUnmerge, by: By) -> None:
    """Hold that the two are two again. Loses its race when either was written meanwhile. Emits users.unmerged."""
    merge, surviving, discarded = foreseen.merge, foreseen.surviving, foreseen.discarded
    tx.users.change(
        surviving,
        metadata=without(surviving.metadata, merge, discarded.metadata),
        absorbed=surviving.absorbed - 1 - discarded.absorbed,
    )
    tx.users.separate(discarded)
    if foreseen.parting is not None:
        _part(tx, foreseen.parting, merge.before["conversations"], merge.created_at)
    tx.merges.undo(merge, by.actor, tx.now)
    tx.emit(UsersUnmerged(surviving.id, discarded.id, merge.id, by.actor))


def without(metadata: dict[str, Any], merge: Merge, discarded: dict[str, Any]) -> dict[str, Any]:
    """The survivor's metadata less what the merge gave her and nobody has changed since. Pure."""
    had: dict[str, Any] = merge.before["metadata"]
    given = {key: value for key, value in discarded.items() if key not in had and key not in merge.discarded_metadata}
    return {key: value for key, value in metadata.items() if key not in given or value != given[key]}


async def _warnings(tx: Transaction, merge: Merge, discarded: User, alone: list[str]) -> tuple[str, ...]:
    """What undoing does not put back, and what it takes along.

    `alone` are the ids of the discarded user where the merge found no two conversations to unite: if she had one, the
    survivor went on in it.
    """
    found = ["A session that ended with the merge stays ended."] if discarded.anonymous else []
    theirs = await tx.conversations.default_of(alone)
    if theirs is not None and (theirs.last_message_at or 0) > merge.created_at:
        found.append(
            f"Conversation {theirs.id} is the discarded user's: it goes back with all that was said in it since."
        )
    return tuple(found)


async def _check_unions(tx: Transaction, merge: Merge, members: list[str], own: str | None) -> None:
    """Refuse to part users whose conversations a later merge has united: one would read what the other one said.

    `members` are all ids of who parts, `own` is the conversation that this very merge united. Raises CannotUndo.
    """
    united = await tx.conversations.united_with_others(members)
    others = [conversation_id for conversation_id in united if conversation_id != own]
    if not others:
        return
    later = [
        one.id
        for one in await tx.merges.of_users([merge.surviving], LOOKED_THROUGH)
        if one.undone_at is None and (one.before.get("conversations") or {}).get("discarded") in others
    ]
    which = f" ({', '.join(later)})" if later else ""
    raise CannotUndo(f"A conversation of the two was united with somebody else's since: undo that merge first{which}")


async def _parting(tx: Transaction, before: dict[str, Any] | None) -> Parting | None:
    """The conversations that the merge touched, as far as they are still there."""
    if before is None:
        return None
    discarded = await tx.conversations.stored(before["discarded"])
    if discarded is None:
        return None
    if not before["united"]:
        return Parting(None, discarded, None) if discarded.merged_into is None and not discarded.is_default else None
    if discarded.merged_into is None:
        return None
    found = await tx.conversations.with_participants(before["surviving"])
    if found is None or found[0].id != discarded.merged_into:
        raise CannotUndo("The conversations of the two were united with a third one since: undo that merge first")
    return Parting(found[0], discarded, found[1][0] if found[1] else None)


def _part(tx: Transaction, parting: Parting, before: dict[str, Any], united_at: int) -> None:
    discarded, surviving = parting.discarded, parting.surviving
    if surviving is None:
        tx.conversations.change(discarded, default_of=before["default_of"])
        return
    last = surviving.last_message_at
    tx.conversations.change(
        surviving,
        message_count=max(0, surviving.message_count - discarded.message_count),
        last_message_at=before["last_message_at"] if last == discarded.last_message_at else last,
    )
    tx.conversations.separate(discarded)
    if parting.seat is not None:
        tx.conversations.less_unread(parting.seat, discarded, united_at)
