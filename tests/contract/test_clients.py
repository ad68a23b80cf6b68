"""Linked clients, brands and synchronisation, as both engines promise them alike."""

import asyncio
from typing import Any

from knownas.clients import Link, LinkedClient, Profile
from knownas.clients.confirm import confirm_client
from knownas.clients.find import list_clients
from knownas.clients.link import link_client
from knownas.clients.match import match_client
from knownas.clients.remove import remove_client
from knownas.conversations import Conversation, ConversationChanges, Invitation, Reference
from knownas.conversations.create import create_conversation
from knownas.integrations import Integration
from knownas.integrations.create import create_integration
from knownas.transaction import Transaction
from knownas.users import User, UserChanges, UserExists
from knownas.users.create import create_user
from knownas.users.delete import erase_personal_information
from knownas.users.find import get_user
from knownas.users.sync import CoreRecord, sync_user
from tests.given import BY, KEY_ID, World, claims, numbered_without_gaps

PHONE = "+12125552368"
HELLO = {"content": {"type": "text", "text": "Is this you?"}}


async def open_one(tx: Transaction, user: User) -> Conversation:
    invited = [Invitation(Reference(user.id), subscribe=True)]
    return await create_conversation(tx, "personal", invited, ConversationChanges())


async def link(world: World, user: User, twilio: Integration, talk: Conversation, kind: Any) -> LinkedClient:
    message = HELLO if kind == "userActivity" else None
    return await world.do_to(user, link_client, Link("twilio", twilio.id, PHONE, talk.id, kind, message=message))


async def ways_into(world: World, talk: Conversation) -> list[str]:
    async def read(tx: Transaction) -> list[str]:
        found = await tx.conversations.with_participants(talk.id)
        assert found is not None
        return [one.type for place in found[1] for one in place.associations]

    return await world.ask(read)


async def test_a_link_from_the_question_to_its_end(world_on_both: World) -> None:
    world = world_on_both
    ada, eve = await world.user("1234"), await world.user("5678")
    twilio = await world.do(create_integration, "twilio")
    hers, theirs = await world.do_to(ada, open_one), await world.do_to(eve, open_one)
    client = await link(world, ada, twilio, hers, "userActivity")
    await world.do(match_client, client.id, Profile(display_name="Ada", info={"a": 1}, raw={"b": [2]}))
    await world.do(confirm_client, client.id)
    [found] = await world.ask_of(ada, list_clients)
    assert isinstance(found, LinkedClient)
    assert (found.status, found.profile.info, found.profile.raw) == ("active", {"a": 1}, {"b": [2]})
    assert await ways_into(world, hers) == ["twilio", "sdk"]

    stolen = await link(world, eve, twilio, theirs, "immediate")
    await world.do(match_client, stolen.id, Profile())
    assert await world.ask_of(ada, list_clients) == []
    assert await ways_into(world, hers) == ["sdk"]
    assert await ways_into(world, theirs) == ["twilio", "sdk"]
    await world.do_to(eve, erase_personal_information, BY)
    await world.do_to(eve, remove_client, stolen.id)
    assert await ways_into(world, theirs) == ["sdk"]
    assert numbered_without_gaps(await world.snapshot())


async def test_two_anonymous_owners_of_one_number_become_one(world_on_both: World) -> None:
    world = world_on_both
    first, second = (await world.visitor()).user, (await world.visitor()).user
    twilio = await world.do(create_integration, "twilio")
    old, new = await world.do_to(first, open_one), await world.do_to(second, open_one)
    former = await link(world, first, twilio, old, "immediate")
    await world.do(match_client, former.id, Profile())
    again = await link(world, second, twilio, new, "immediate")
    assert (await world.do(match_client, again.id, Profile())).id == former.id
    assert (await world.get(first.id)).id == second.id
    assert [c.id for c in await world.ask_of(first.id, list_clients) if isinstance(c, LinkedClient)] == [former.id]
    assert set(await ways_into(world, new)) == {"twilio", "sdk"}
    assert numbered_without_gaps(await world.snapshot())


async def test_of_many_who_confirm_one_number_at_once_one_has_it(world_on_both: World) -> None:
    """The unique index decides; whoever comes later takes it from who came before, and nobody is left half linked."""
    world = world_on_both
    twilio = await world.do(create_integration, "twilio")
    clients = []
    for number in range(6):
        user = await world.user(f"user-{number}")
        talk = await world.do_to(user, open_one)
        client = await link(world, user, twilio, talk, "userActivity")
        await world.do(match_client, client.id, Profile())
        clients.append((client, talk))
    await asyncio.gather(*(world.do(confirm_client, client.id) for client, _ in clients))
    rows = (await world.snapshot())["clients"]
    assert [row["status"] for row in rows] == ["active"]
    assert sum(["twilio" in await ways_into(world, talk) for _, talk in clients]) == 1
    assert numbered_without_gaps(await world.snapshot())


async def test_an_external_id_has_one_user_in_each_brand_and_one_in_none(world_on_both: World) -> None:
    """R1, brand by brand: the same index guards them all, also when many ask at once."""
    world = world_on_both
    results = await asyncio.gather(
        *(world.do(create_user, "1234", UserChanges(), KEY_ID, brand) for brand in (None, "a", "b") for _ in range(4)),
        return_exceptions=True,
    )
    made = [result for result in results if isinstance(result, User)]
    assert sorted(user.brand_id or "" for user in made) == ["", "a", "b"]
    assert sum(isinstance(result, UserExists) for result in results) == 9
    for user in made:
        assert (await world.ask(get_user, "1234", user.brand_id)).id == user.id


async def test_synchronising_merges_moves_and_links(world_on_both: World) -> None:
    world = world_on_both
    ada = await world.user("ada")
    await world.log_in(claims("bea", "bea@example.com"))
    cat = (await world.log_in(claims("cat", "cat@example.com"))).user
    for zendesk_id, user in (("1", ada), ("3", cat)):
        await world.do(sync_user, CoreRecord(zendesk_id, user_id=user.id), KEY_ID)
    one = await world.do(sync_user, CoreRecord("1", email="bea@example.com", given_name="Ada"), KEY_ID)
    assert (one.id, (await world.get("bea")).id) == (ada.id, ada.id)
    one = await world.do(sync_user, CoreRecord("1", external_id="cat", email="cat@example.com"), KEY_ID)
    assert (one.id, one.external_id) == (ada.id, "cat")
    assert (await world.get(cat.id)).external_id is None
    assert await world.owner("email", "cat@example.com") == ada.id
    one = await world.do(sync_user, CoreRecord("1", external_id="bea"), KEY_ID)
    assert (await world.get("bea")).external_id == "bea", "it came by the merge, and is on the survivor's row now"
    one = await world.do(sync_user, CoreRecord("3", "1"), KEY_ID)
    assert (one.id, (await world.get(cat.id)).id) == (ada.id, ada.id)
    assert numbered_without_gaps(await world.snapshot())


async def test_a_zendesk_id_is_one_users_also_when_many_ask_at_once(world_on_both: World) -> None:
    world = world_on_both
    users = [await world.user(f"user-{number}") for number in range(4)]
    results = await asyncio.gather(
        *(world.do(sync_user, CoreRecord("1", user_id=user.id), KEY_ID) for user in users), return_exceptions=True
    )
    assert sum(isinstance(result, User) for result in results) == 1
    assert len((await world.snapshot())["zendesk_links"]) == 1
