"""Part what two users said while they were one: each has her conversations again, and what was said since is one's."""

from typing import Any

from msgspec import Struct, structs

from knownas.clients import LinkedClient
from knownas.conversations import Conversation, ConversationCreated, Participant
from knownas.conversations.create import FROM_API, new_participant
from knownas.erasures import CLOCKS_APART_MS
from knownas.ids import make_id
from knownas.merges import Merge
from knownas.messages import Cut
from knownas.resolutions import CannotUndo
from knownas.transaction import Transaction
from knownas.users import User

LOOKED_THROUGH = 100
CONTINUED_AT_MOST = 1000
CLIENTS_READ = 1000
NEVER_MS = 1 << 62


class United(Struct, frozen=True):
    """Two conversations that the merge made one, and the survivor's seat in it."""

    surviving: Conversation
    discarded: Conversation
    seat: Participant | None


class Continued(Struct, frozen=True):
    """A conversation of the discarded user in which something was said since the merge, or uploaded, or linked.

    `messages` are so many since, `unread` wait of them still, and `last_message_at` is of what was said before.
    """

    conversation: Conversation
    seat: Participant
    messages: int
    unread: int
    last_message_at: int | None
    clients: tuple[LinkedClient, ...]


class Strays(Struct, frozen=True):
    """The discarded user's clients that were linked anew for the survivor's conversations, and where they belong."""

    clients: tuple[LinkedClient, ...]
    home: str | None


class Parting(Struct, frozen=True):
    """All that has to be told apart: `set_aside` is the conversation that ceased to be the default one.

    `members` are all ids of the user who parts, and `others` those of the one who stays.
    """

    members: list[str]
    others: list[str]
    strays: Strays
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
    apart = set(members)
    others = [member for member in await tx.users.members(surviving) if member not in apart]
    strays = await _strays(tx, members, others, united.discarded if united else set_aside)
    return Parting(members, others, strays, united, set_aside, await _continued(tx, merge, members, others))


def carry_out_parting(tx: Transaction, parting: Parting, merge: Merge, surviving: User) -> dict[str, str]:
    """Hold the parting; where what was said since goes on, by the conversation in which it was said.

    `surviving` is as the undoing leaves her. Emits conversation.created for each new one.
    """
    before: dict[str, Any] = merge.before.get("conversations") or {}
    if parting.united is not None:
        _separate(tx, parting.united, before, merge.created_at)
    if parting.set_aside is not None:
        tx.conversations.change(parting.set_aside, default_of=before["default_of"])
    for client in parting.strays.clients:
        _bring_home(tx, client, parting)
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


async def _linked(tx: Transaction, users: list[str]) -> dict[str, list[LinkedClient]]:
    """The users' linked clients by the conversation that they are for."""
    linked: dict[str, list[LinkedClient]] = {}
    for client in await tx.clients.of_users(users, after=None, before=None, limit=CLIENTS_READ):
        linked.setdefault(client.link.conversation_id, []).append(client)
    return linked


async def _strays(tx: Transaction, members: list[str], others: list[str], home: Conversation | None) -> Strays:
    linked = await _linked(tx, members)
    found = await tx.conversations.written_since(others, NEVER_MS, list(linked), CLIENTS_READ) if linked else []
    if found and home is None:
        home = await tx.conversations.default_of(members)
    return Strays(tuple(client for one in found for client in linked[one.id]), home.id if home else None)


async def _continued(tx: Transaction, merge: Merge, members: list[str], others: list[str]) -> tuple[Continued, ...]:
    """Those of the discarded user's conversations in which the survivor went on."""
    linked = await _linked(tx, others)
    found = await tx.conversations.written_since(
        members, merge.created_at - CLOCKS_APART_MS, list(linked), CONTINUED_AT_MOST + 1
    )
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
    cut = _cut(merge)
    since = await tx.messages.since(conversation.id, cut)
    uploaded = await tx.attachments.uploaded_since(conversation.id, merge.created_at)
    if not since.messages and not clients and not uploaded:
        return None
    stays_at = since.stays_at
    if stays_at is None:
        family = await tx.conversations.family(conversation.id)
        last = await tx.messages.page(family, after=None, before=cut.early, limit=1)
        stays_at = last[0].received if last else None
    return Continued(
        found[0],
        seat,
        since.messages,
        min(since.of_business, seat.unread_count),  # the latest are those that wait
        stays_at,
        tuple(clients),
    )


def _cut(merge: Merge) -> Cut:
    return Cut(merge.id, make_id(max(0, merge.created_at - CLOCKS_APART_MS), 0), merge.discarded)


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


def _bring_home(tx: Transaction, client: LinkedClient, parting: Parting) -> None:
    """Hold that the client takes part in its own user's conversation and in none of the other's."""
    home = parting.strays.home
    tx.clients.move(client, home or client.link.conversation_id, parting.others)
    if home is not None and client.status == "active":
        link = structs.replace(client.link, conversation_id=home)
        tx.clients.subscribe(structs.replace(client, link=link), parting.members)


def _go_on(tx: Transaction, continued: Continued, merge: Merge, surviving: User, members: list[str]) -> str:
    """Hold a conversation of the survivor's own with what was said since, and that the former one is without it.

    What the former one is called, and what stands in its metadata, is of the other user and stays with her (R13).
    """
    former, seat = continued.conversation, continued.seat
    new = Conversation(
        id=tx.new_id(),
        type="personal",
        display_name=None,
        description=None,
        icon_url=None,
        metadata={},
        is_default=former.is_default,
        business_last_read=former.business_last_read,
        last_message_at=former.last_message_at if continued.messages else None,
        message_count=continued.messages,
        created_at=tx.now,
        active=former.active,
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
        tx.messages.move_since(former.id, _cut(merge), new.id)
    tx.attachments.move_since(former.id, merge.created_at, new.id)
    for client in continued.clients:
        tx.clients.move(client, new.id, members)
    tx.emit(ConversationCreated(surviving.id, new.id, new, "none", FROM_API, surviving))
    return new.id
