"""Note that a channel found the person whom a link looks for."""

from msgspec import structs

from knownas.clients import ClientUpdated, LinkedClient, Profile, WrongState
from knownas.clients.confirm import confirmed, holder_of
from knownas.clients.find import get_client
from knownas.clients.rules import check_profile
from knownas.transaction import Transaction


async def match_client(tx: Transaction, client_id: str, profile: Profile) -> LinkedClient:
    """The client with what its channel says about her. One that asks for no confirmation is active from now on.

    Without `external_id` the channel calls her by her address. Matched twice is as once, with the newer profile.
    Raises ClientNotFound, InvalidLink, and WrongState when the client is not pending. Emits client.updated (matched),
    and then what confirm_client emits if the confirmation is immediate.
    """
    check_profile(profile)
    client, user, members = await get_client(tx, client_id)
    if client.status != "pending":
        raise WrongState(f"The client is {client.status}; only a pending one can be matched")
    profile = structs.replace(profile, external_id=profile.external_id or client.link.address)
    matched = structs.replace(client, profile=profile, matched_at=client.matched_at or tx.now)
    conversation = await tx.conversations.by_id(client.link.conversation_id)
    immediate = client.link.confirmation == "immediate"
    holder = await holder_of(tx, matched, user) if immediate else None
    if matched == client:
        return client
    tx.users.rely_on(user)
    tx.emit(ClientUpdated(user.id, user, matched, "matched", conversation))
    if immediate:
        return confirmed(tx, client, matched, user, members, holder, conversation)
    tx.clients.update(client, matched)
    return matched
