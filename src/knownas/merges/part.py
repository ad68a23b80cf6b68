"""Part what two users said while they were one: each has her conversations again, and what was said since is one's."""

from typing import Any

from msgspec import Struct, structs

from knownas.clients import LinkedClient
from knownas.conversations import Conversation, ConversationCreated, Participant, Trunk
from knownas.conversations.branches import Grown
from knownas.conversations.create import FROM_API
from knownas.merges import Merge
from knownas.resolutions import CannotUndo
from knownas.transaction import Transaction
from knownas.users import User

LOOKED_THROUGH = 100
CONTINUED_AT_MOST = 1000
CLIENTS_READ = 1000


class United(Struct, frozen=True):
    """Two conversations that the merge made one, and the survivor's seat in it.

    `last_message_at` is the survivor's own, where the other's is the latest of both.
    """

    surviving: Conversation
    discarded: Conversation
    seat: Participant | None
    last_message_at: int | None


class Continued(Struct, frozen=True):
    """A conversation of the discarded user in which something was written for the survivor since the merge.

    It goes back to what its trunk was, and it `goes_on` as a conversation of the survivor's where there is anything to
    show: that it was read is not, nor who answers in it. `clients` are those linked for it since.
    """

    conversation: Conversation
    seat: Participant
    grown: Grown
    goes_on: bool
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
            united = await _united(tx, merge, met)
        elif met.merged_into is None and not met.is_default:
            set_aside = met
    apart = set(members)
    others = [member for member in await tx.users.members(surviving) if member not in apart]
    strays = await _strays(tx, members, others, united.discarded if united else set_aside)
    return Parting(members, others, strays, united, set_aside, await _continued(tx, discarded, others))


def carry_out_parting(tx: Transaction, parting: Parting, merge: Merge, surviving: User) -> dict[str, str]:
    """Hold the parting; where what was said since goes on, by the conversation in which it was said.

    `surviving` is as the undoing leaves her. Emits conversation.created for each of these.
    """
    before: dict[str, Any] = merge.before.get("conversations") or {}
    if parting.united is not None:
        _separate(tx, parting.united, merge.created_at)
    if parting.set_aside is not None:
        tx.conversations.change(parting.set_aside, default_of=before["default_of"])
    for client in parting.strays.clients:
        _bring_home(tx, client, parting)
    for one in parting.continued:
        _give_back(tx, one)
        if one.goes_on:
            _go_on(tx, one, surviving, parting.members)
        else:
            tx.branches.drop(one.grown)
    return {one.conversation.id: one.grown.conversation.id for one in parting.continued if one.goes_on}


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


async def _united(tx: Transaction, merge: Merge, discarded: Conversation) -> United | None:
    if discarded.merged_into is None:
        return None
    found = await tx.conversations.with_participants(merge.before["conversations"]["surviving"])
    if found is None or found[0].id != discarded.merged_into:
        raise CannotUndo("The conversations of the two were united with a third one since: undo that merge first")
    last = own_last_message(merge, await tx.merges.of_users([merge.surviving], LOOKED_THROUGH))
    return United(found[0], discarded, found[1][0] if found[1] else None, last)


def own_last_message(merge: Merge, journal: list[Merge]) -> int | None:
    """When the last message came to the survivor's conversation before the merge, without what has left again since.

    `journal` are her merges, newest first; the oldest of all do not say what they brought. Pure.
    """
    union = merge.before["conversations"]
    last: int | None = union["last_message_at"]
    for one in journal:
        other = one.before.get("conversations") or {}
        left = one.id < merge.id and one.undone_at is not None and other.get("surviving") == union["surviving"]
        if left and other["united"] and last is not None and other.get("brought") == last:
            last = other["last_message_at"]
    return last


async def _linked(tx: Transaction, users: list[str]) -> dict[str, list[LinkedClient]]:
    """The users' linked clients by the conversation that they are for."""
    linked: dict[str, list[LinkedClient]] = {}
    for client in await tx.clients.of_users(users, after=None, before=None, limit=CLIENTS_READ):
        linked.setdefault(client.link.conversation_id, []).append(client)
    return linked


async def _strays(tx: Transaction, members: list[str], others: list[str], home: Conversation | None) -> Strays:
    linked = await _linked(tx, members)
    found = await tx.conversations.of_them(others, list(linked)) if linked else []
    if found and home is None:
        home = await tx.conversations.default_of(members)
    return Strays(tuple(client for id in found for client in linked[id]), home.id if home else None)


async def _continued(tx: Transaction, discarded: User, others: list[str]) -> tuple[Continued, ...]:
    """Those of the discarded user's conversations in which the survivor went on."""
    every = await tx.branches.of(discarded.id, CONTINUED_AT_MOST + 1)
    if len(every) > CONTINUED_AT_MOST:
        raise CannotUndo(f"More than {CONTINUED_AT_MOST} conversations went on since, too many to part at once")
    linked = await _linked(tx, others) if every else {}
    return tuple([await _told_apart(tx, grown, linked) for grown in every])


async def _told_apart(tx: Transaction, grown: Grown, linked: dict[str, list[LinkedClient]]) -> Continued:
    branch = grown.conversation
    assert branch.merged_into is not None  # noqa: S101  or it would be none
    found = await tx.conversations.with_participants(branch.merged_into)
    if found is None or not found[1] or found[0].id != branch.merged_into:
        raise CannotUndo("A conversation of the two was united with somebody else's since: undo that merge first")
    trunk, seat = found[0], found[1][0]
    clients = tuple(linked.get(trunk.id, ()))
    goes_on = bool(
        branch.message_count or clients or details_since(trunk, grown.trunk) or await tx.attachments.any_of(branch.id)
    )
    return Continued(trunk, seat, grown, goes_on, clients)


def details_since(conversation: Conversation, was: Trunk) -> dict[str, Any]:
    """What the conversation is called and holds besides messages, less what it was: that is the other user's. Pure."""
    names = ("display_name", "description", "icon_url")
    changed = {name: getattr(conversation, name) for name in names if getattr(conversation, name) != getattr(was, name)}
    metadata = {key: value for key, value in conversation.metadata.items() if was.metadata.get(key) != value}
    return changed | ({"metadata": metadata} if metadata else {})


def _separate(tx: Transaction, united: United, united_at: int) -> None:
    discarded, surviving = united.discarded, united.surviving
    last = surviving.last_message_at
    tx.conversations.change(
        surviving,
        message_count=max(0, surviving.message_count - discarded.message_count),
        last_message_at=united.last_message_at if last == discarded.last_message_at else last,
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


def _give_back(tx: Transaction, continued: Continued) -> None:
    """Hold that the conversation is what it was; its user's seat has been so all the time."""
    trunk, was = continued.conversation, continued.grown.trunk
    tx.conversations.change(
        trunk,
        **structs.asdict(was),
        message_count=trunk.message_count - continued.grown.conversation.message_count,
    )


def _go_on(tx: Transaction, continued: Continued, surviving: User, members: list[str]) -> None:
    """Hold that the branch is a conversation of the survivor's own, with what was written since and nothing else.

    What the former one was called, and what stood in its metadata, is of the other user and stays with her (R13).
    """
    trunk, grown = continued.conversation, continued.grown
    read_before = trunk.business_last_read == grown.trunk.business_last_read
    now_is = structs.replace(
        grown.conversation,
        **details_since(trunk, grown.trunk),
        is_default=trunk.is_default,
        business_last_read=None if read_before else trunk.business_last_read,
        active=trunk.active,
        merged_into=None,
    )
    hers = {client.id for client in continued.clients}
    associations = tuple(one for one in continued.seat.associations if one.type == "sdk" or one.client_id in hers)
    seat = structs.replace(grown.seat, associations=associations)
    tx.branches.cut(structs.replace(grown, seat=seat), now_is, surviving.id if now_is.is_default else None)
    for client in continued.clients:
        tx.clients.move(client, now_is.id, members)
    tx.emit(ConversationCreated(surviving.id, now_is.id, now_is, "none", FROM_API, surviving))
