"""Part what two users said while they were one: each has her conversations again, and what was said since is one's."""

from typing import Any

from msgspec import Struct, structs

from knownas.clients import LinkedClient
from knownas.conversations import Conversation, ConversationCreated, Participant
from knownas.conversations.create import FROM_API, new_participant
from knownas.merges import Merge
from knownas.resolutions import CannotUndo
from knownas.transaction import Transaction
from knownas.users import User

LOOKED_THROUGH = 100
CONTINUED_AT_MOST = 1000
CLIENTS_READ = 1000


class United(Struct, frozen=True):
    """Two conversations that the merge made one, and the survivor's seat in it."""

    surviving: Conversation
    discarded: Conversation
    seat: Participant | None


class Continued(Struct, frozen=True):
    """A conversation of the discarded user in which something was said since the merge, or a client linked.

    `messages` are so many since, `unread` wait of them still, and `last_message_at` is of what was said before.
    """

    conversation: Conversation
    seat: Participant
    messages: int
    unread: int
    last_message_at: int | None
    clients: tuple[LinkedClient, ...]


class Parting(Struct, frozen=True):
    """All conversations that have to be told apart: `set_aside` is the one that ceased to be the default one."""

    members: list[str]
    united: United | None = None
    set_aside: Conversation | None = None
    continued: tuple[Continued, ...] = ()


async def foresee_parting(tx: Transaction, merge: Merge, surviving: User, discarded: User) -> Parting:
    """What is to be told apart. Raises CannotUndo where one of the two would read what a third one said."""
    members = await tx.users.members(discarded)
    before = merge.before.get("conversations")
    await _check_unions(tx, merge, members, before["discarded"] if before else None)
    united = set_aside = None
    met = await tx.conversations.stored(before["discarded"]) if before else None
    if before and met is not None:
        if before["united"]:
            united = await _united(tx, met, before["surviving"])
        elif met.merged_into is None and not met.is_default:
            set_aside = met
    return Parting(members, united, set_aside, await _continued(tx, merge, surviving, members))


def carry_out_parting(tx: Transaction, parting: Parting, merge: Merge, surviving: User) -> dict[str, str]:
    """Hold the parting; where what was said since goes on, by the conversation in which it was said.

    `surviving` is as the undoing leaves her. Emits conversation.created for each new one.
    """
    before: dict[str, Any] = merge.before.get("conversations") or {}
    if parting.united is not None:
        _separate(tx, parting.united, before, merge.created_at)
    if parting.set_aside is not None:
        tx.conversations.change(parting.set_aside, default_of=before["default_of"])
    return {one.conversation.id: _go_on(tx, one, merge, surviving, parting.members) for one in parting.continued}


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


async def _united(tx: Transaction, discarded: Conversation, surviving_id: str) -> United | None:
    if discarded.merged_into is None:
        return None
    found = await tx.conversations.with_participants(surviving_id)
    if found is None or found[0].id != discarded.merged_into:
        raise CannotUndo("The conversations of the two were united with a third one since: undo that merge first")
    return United(found[0], discarded, found[1][0] if found[1] else None)


async def _continued(tx: Transaction, merge: Merge, surviving: User, members: list[str]) -> tuple[Continued, ...]:
    """Those of the discarded user's conversations in which the survivor went on."""
    hers = [member for member in await tx.users.members(surviving) if member not in members]
    linked: dict[str, list[LinkedClient]] = {}
    for client in await tx.clients.of_users(hers, after=None, before=None, limit=CLIENTS_READ):
        linked.setdefault(client.link.conversation_id, []).append(client)
    found = await tx.conversations.written_since(members, merge.created_at, list(linked), CONTINUED_AT_MOST + 1)
    if len(found) > CONTINUED_AT_MOST:
        raise CannotUndo(f"More than {CONTINUED_AT_MOST} conversations went on since, too many to part at once")
    every = [await _told_apart(tx, merge, one, linked.get(one.id, [])) for one in found]
    return tuple(one for one in every if one is not None)


async def _told_apart(
    tx: Transaction, merge: Merge, conversation: Conversation, clients: list[LinkedClient]
) -> Continued | None:
    found = await tx.conversations.with_participants(conversation.id)
    if found is None or not found[1]:
        return None
    seat = found[1][0]
    since = await tx.messages.since(conversation.id, merge.id)
    if not since.messages and not clients:
        return None
    family = await tx.conversations.family(conversation.id)
    last = await tx.messages.page(family, after=None, before=merge.id, limit=1)
    return Continued(
        found[0],
        seat,
        since.messages,
        min(since.of_business, seat.unread_count),  # the latest are those that wait
        last[0].received if last else None,
        tuple(clients),
    )


def _separate(tx: Transaction, united: United, before: dict[str, Any], united_at: int) -> None:
    discarded, surviving = united.discarded, united.surviving
    last = surviving.last_message_at
    tx.conversations.change(
        surviving,
        message_count=max(0, surviving.message_count - discarded.message_count),
        last_message_at=before["last_message_at"] if last == discarded.last_message_at else last,
    )
    tx.conversations.separate(discarded)
    if united.seat is not None:
        tx.conversations.less_unread(united.seat, discarded, united_at)


def _go_on(tx: Transaction, continued: Continued, merge: Merge, surviving: User, members: list[str]) -> str:
    """Hold a conversation of the survivor's own with what was said since, and that the former one is without it."""
    former, seat = continued.conversation, continued.seat
    new = structs.replace(
        former,
        id=tx.new_id(),
        message_count=continued.messages,
        last_message_at=former.last_message_at if continued.messages else None,
        created_at=tx.now,
        revision=1,
    )
    hers = {client.id for client in continued.clients}
    place = structs.replace(
        new_participant(tx, new, surviving, subscribe=False),
        unread_count=continued.unread,
        last_read=seat.last_read,
        associations=tuple(one for one in seat.associations if one.type == "sdk" or one.client_id in hers),
    )
    tx.conversations.add(new, surviving.id if new.is_default else None)
    tx.conversations.add_participant(place)
    tx.conversations.change(
        former,
        message_count=former.message_count - continued.messages,
        last_message_at=continued.last_message_at if continued.messages else former.last_message_at,
    )
    if continued.unread:
        tx.conversations.add_unread(seat, -continued.unread)
    if continued.messages:
        tx.messages.move_since(former.id, merge.id, new.id)
    tx.attachments.move_since(former.id, merge.id, merge.created_at, new.id)
    for client in continued.clients:
        tx.clients.move(client, new.id, members)
    tx.emit(ConversationCreated(surviving.id, new.id, new, "none", FROM_API, surviving))
    return new.id
