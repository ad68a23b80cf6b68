"""Merge one user into another."""

from typing import Any

from msgspec import structs

from knownas.conversations.branch_off import keep_apart
from knownas.merges import Meeting, Merge, MergedConversations, MergeReason, UsersMerged
from knownas.resolutions import By
from knownas.transaction import Transaction
from knownas.users import User
from knownas.users.metadata import combine


async def merge_users(tx: Transaction, surviving: User, discarded: User, reason: MergeReason) -> User:
    """Merge `discarded` into `surviving`, conversations included: for callers who hold no writes yet."""
    return absorb(tx, surviving, discarded, reason, await meet(tx, surviving, discarded))


async def meet(tx: Transaction, surviving: User, discarded: User) -> Meeting | None:
    """What `absorb` has to know of the two users' conversations; None when not both have a default one."""
    theirs = await tx.conversations.default_of(await tx.users.members(discarded))
    if theirs is None:
        return None
    hers = await tx.conversations.default_of(await tx.users.members(surviving))
    if hers is None:
        return None
    here = await tx.conversations.with_participants(hers.id)
    there = await tx.conversations.with_participants(theirs.id)
    seat = here[1][0] if here and here[1] else None
    unread = sum(participant.unread_count for participant in there[1]) if there else 0
    return Meeting(hers, theirs, await tx.conversations.default_holder(theirs.id), seat, unread)


def absorb(tx: Transaction, surviving: User, visitor: User, reason: MergeReason, meeting: Meeting | None) -> User:
    """Hold the merge of `visitor` into `surviving`, as `unite` does; the survivor as it leaves her."""
    return unite(tx, surviving, visitor, reason, meeting)[0]


def unite(
    tx: Transaction,
    surviving: User,
    visitor: User,
    reason: MergeReason,
    meeting: Meeting | None,
    by: By | None = None,
) -> tuple[User, Merge]:
    """Hold the merge of `visitor` into `surviving`: a pointer, a journal entry, the combined metadata.

    Whatever carries the visitor's id stays where it is and is found through the pointer. Her sessions end (R4).
    `meeting` is what `meet` found: where users have one conversation each, the two become one, by a pointer too.
    `by` is who merged them, where somebody did.
    Raises nothing; loses its race when either user is gone or the visitor was identified meanwhile. Emits users.merged.
    """
    metadata, left_over = combine(surviving.metadata, visitor.metadata)
    changed = {"metadata": metadata, "absorbed": surviving.absorbed + 1 + visitor.absorbed}
    before = {name: getattr(surviving, name) for name in changed}
    merged = None
    if meeting is not None:
        united = not tx.settings.multi_convo_enabled
        before["conversations"] = _before(meeting, united=united)
        if united:
            merged = _unite(tx, meeting)
        else:  # hers becomes one among the survivor's others
            tx.conversations.change(meeting.discarded, default_of=None)
    actor, note = (by.actor, by.note) if by else ("", "")
    merge = Merge(tx.new_id(), surviving.id, visitor.id, reason, before, left_over, tx.now, actor, note)
    tx.users.change(surviving, **changed)
    tx.users.change(visitor, merged_into=surviving.id)
    tx.sessions.end_all([visitor.id])
    tx.merges.add(merge)
    survivor = structs.replace(surviving, **changed)
    tx.emit(UsersMerged(surviving.id, visitor.id, merge.id, reason, survivor, visitor, merged, left_over))
    return survivor, merge


def _unite(tx: Transaction, meeting: Meeting) -> MergedConversations:
    """Hold the pointer from one conversation to the other, which counts the messages of both from now on."""
    surviving, discarded = meeting.surviving, meeting.discarded
    times = [time for time in (surviving.last_message_at, discarded.last_message_at) if time is not None]
    sums: dict[str, Any] = {
        "message_count": surviving.message_count + discarded.message_count,
        "last_message_at": max(times, default=None),
    }
    tx.conversations.change(surviving, **sums)
    tx.conversations.change(discarded, merged_into=surviving.id)
    if meeting.seat is not None:
        place = keep_apart(tx, surviving, [meeting.seat], waiting=meeting.unread)
        if place == surviving.id and meeting.unread:
            tx.conversations.add_unread(meeting.seat, meeting.unread)
    return MergedConversations(structs.replace(surviving, **sums), discarded)


def _before(meeting: Meeting, *, united: bool) -> dict[str, Any]:
    """What undo needs, for the journal. Pure."""
    return {
        "default_of": meeting.default_of,
        "surviving": meeting.surviving.id,
        "discarded": meeting.discarded.id,
        "united": united,
        "last_message_at": meeting.surviving.last_message_at,
        "brought": meeting.discarded.last_message_at,
    }
