"""Linking a channel to a user, what its connector may do, and who owns what a channel calls somebody."""

from typing import Any

import pytest
from hypothesis import given as given_values
from hypothesis import strategies as st

from knownas.clients import PENDING_AT_MOST, InvalidLink, Link, LinkedClient, LinkError, Profile, WrongState
from knownas.clients.block import block_client, unblock_client
from knownas.clients.confirm import confirm_client
from knownas.clients.find import list_clients
from knownas.clients.link import link_client
from knownas.clients.match import match_client
from knownas.clients.remove import end_link, remove_client
from knownas.clients.rules import LINK_TYPES, check_link, decide_owner
from knownas.conversations import (
    Conversation,
    ConversationChanges,
    ConversationNotFound,
    Invitation,
    NotAMember,
    Reference,
)
from knownas.conversations.create import create_conversation
from knownas.devices import ClientNotFound, SdkClient, SdkClientStays
from knownas.integrations import Integration, IntegrationNotFound
from knownas.integrations.create import create_integration
from knownas.transaction import Transaction
from knownas.users import User
from knownas.users.delete import delete_user, erase_personal_information
from tests.given import BY, World, claims, device, numbered_without_gaps, proof

PHONE = "+12125552368"
HELLO = {"author": {"type": "business"}, "content": {"type": "text", "text": "Is this you?"}}


async def channel(world: World, type: str = "whatsapp") -> Integration:
    return await world.do(create_integration, type)


async def conversation(world: World, user: User | str) -> Conversation:
    async def open_one(tx: Transaction, user: User) -> Conversation:
        return await create_conversation(tx, "personal", [Invitation(Reference(user.id))], ConversationChanges())

    return await world.do_to(user, open_one)


async def asked(world: World, user: User, integration: Integration, talk: Conversation, **other: Any) -> LinkedClient:
    """A link that waits."""
    kind = other.pop("kind", "immediate")
    return await world.do_to(user, link_client, Link(integration.type, integration.id, PHONE, talk.id, kind, **other))


async def linked(world: World, user: User, integration: Integration, talk: Conversation, **other: Any) -> LinkedClient:
    """A client that is active."""
    client = await asked(world, user, integration, talk, **other)
    return await world.do(match_client, client.id, Profile(display_name="Steve"))


async def associations(world: World, talk: Conversation) -> list[tuple[str, str]]:
    async def read(tx: Transaction) -> list[tuple[str, str]]:
        found = await tx.conversations.with_participants(talk.id)
        assert found is not None
        return [(one.type, one.client_id) for place in found[1] for one in place.associations]

    return await world.ask(read)


async def clients_of(world: World, user: User | str) -> list[tuple[str, str]]:
    found = await world.ask_of(user, list_clients)
    return [
        ("sdk", "active" if c.active else "inactive") if isinstance(c, SdkClient) else (c.link.type, c.status)
        for c in found
    ]


async def updates(world: World, user: User) -> list[tuple[str, str]]:
    return [
        (event["event"].removeprefix("client."), event["reason"])
        for event in await world.events(user.id)
        if event["event"].startswith("client.")
    ]


async def test_a_link_waits_until_its_channel_says_something(world: World) -> None:
    ada = await world.user("1234")
    whatsapp, talk = await channel(world), await conversation(world, ada)
    client = await world.do_to(ada, link_client, Link("whatsapp", whatsapp.id, "+1 212-555-2368", talk.id, "immediate"))
    assert (client.status, client.link.address, client.profile.external_id) == ("pending", PHONE, None)
    assert await associations(world, talk) == []
    assert await clients_of(world, ada) == [("whatsapp", "pending")]
    [added] = [event for event in await world.events(ada.id) if event["event"] == "client.added"]
    assert (added["reason"], added["client"]["id"]) == ("channelLinking", client.id)
    assert added["user"]["external_id"] == "1234"
    assert added["conversation"]["id"] == talk.id


async def test_an_immediate_link_is_active_as_soon_as_its_channel_found_her(world: World) -> None:
    ada = await world.user("1234")
    talk = await conversation(world, ada)
    client = await linked(world, ada, await channel(world), talk)
    assert (client.status, client.profile.external_id, client.profile.display_name) == ("active", PHONE, "Steve")
    assert await associations(world, talk) == [("whatsapp", client.id)]
    assert await updates(world, ada) == [
        ("added", "channelLinking"), ("updated", "matched"), ("updated", "confirmed"),
    ]  # fmt: skip


@pytest.mark.parametrize(("kind", "message"), [("userActivity", HELLO), ("prompt", None)])
async def test_a_link_that_asks_waits_for_her_to_agree(world: World, kind: str, message: dict[str, Any] | None) -> None:
    ada = await world.user("1234")
    talk = await conversation(world, ada)
    client = await asked(world, ada, await channel(world, "twilio"), talk, kind=kind, message=message)
    with pytest.raises(WrongState, match="has not matched"):
        await world.do(confirm_client, client.id)
    matched = await world.do(match_client, client.id, Profile())
    assert matched.status == "pending"
    assert await associations(world, talk) == []
    confirmed = await world.do(confirm_client, client.id)
    assert (confirmed.status, confirmed.linked_at is not None) == ("active", True)
    before = await world.snapshot()
    await world.do(confirm_client, client.id)
    assert await world.snapshot() == before, "twice is as once"


async def test_the_primary_comes_first_and_another_last(world: World) -> None:
    ada = (await world.log_in(claims("1234"), device())).user
    talk = await conversation(world, ada)
    one = await linked(world, ada, await channel(world), talk)
    two = await linked(world, ada, await channel(world), talk)
    three = await linked(world, ada, await channel(world), talk, primary=False)
    assert [client_id for _, client_id in await associations(world, talk)] == [two.id, one.id, three.id]
    await world.do_to(ada, remove_client, one.id)
    assert [client_id for _, client_id in await associations(world, talk)] == [two.id, three.id]
    await world.do_to(ada, remove_client, three.id)
    await world.do_to(ada, remove_client, two.id)
    assert await associations(world, talk) == []


async def test_what_a_link_may_not_ask_for_makes_no_client(world: World) -> None:
    ada, eve = await world.user("1234"), await world.user("5678")
    whatsapp, talk, hers = await channel(world), await conversation(world, ada), await conversation(world, eve)
    before = await world.snapshot()
    wrong: list[tuple[type[Exception], Link]] = [
        (InvalidLink, Link("telegram", whatsapp.id, PHONE, talk.id, "immediate")),
        (InvalidLink, Link("twilio", whatsapp.id, PHONE, talk.id, "immediate")),
        (IntegrationNotFound, Link("whatsapp", "0" * 24, PHONE, talk.id, "immediate")),
        (ConversationNotFound, Link("whatsapp", whatsapp.id, PHONE, "0" * 24, "immediate")),
        (NotAMember, Link("whatsapp", whatsapp.id, PHONE, hers.id, "immediate")),
    ]
    for error, link in wrong:
        with pytest.raises(error):
            await world.do_to(ada, link_client, link)
    assert await world.snapshot() == before


@pytest.mark.parametrize("phone", ["212 555 2368", "1 212 555 2368", "+1 555", "ada@example.com", ""])
async def test_a_phone_number_needs_its_country(phone: str) -> None:
    with pytest.raises(InvalidLink, match="phoneNumber"):
        check_link(Link("whatsapp", "i", phone, "c", "immediate"))


@pytest.mark.parametrize(
    ("link", "says"),
    [
        (Link("mailgun", "i", "nobody", "c", "immediate"), "address"),
        (Link("twilio", "i", PHONE, "c", "userActivity"), "message"),
        (Link("twilio", "i", PHONE, "c", "prompt", message=HELLO), "prompt"),
        (Link("whatsapp", "i", PHONE, "c", "prompt"), "SMS"),
        (Link("mailgun", "i", "a@b.example", "c", "prompt"), "SMS"),
        (Link("twilio", "i", PHONE, "c", "immediate", message={"content": {"type": "carousel"}}), "text or image"),
        (Link("twilio", "i", PHONE, "c", "immediate", message={"content": {"type": "text"}}), "text"),
        (Link("twilio", "i", PHONE, "c", "immediate", message={}), "content"),
        (
            Link("twilio", "i", PHONE, "c", "immediate", message={
                "content": {"type": "text", "text": "x", "actions": [{"type": "reply"}]}
            }),
            "link",
        ),
    ],
)  # fmt: skip
def test_a_confirmation_keeps_its_rules(link: Link, says: str) -> None:
    with pytest.raises(InvalidLink, match=says):
        check_link(link)


def test_what_keeps_the_rules_passes() -> None:
    assert check_link(Link("mailgun", "i", "Ada@Example.com", "c", "userActivity", message=HELLO)) == "ada@example.com"
    assert check_link(Link("twilio", "i", PHONE, "c", "prompt")) == PHONE


async def test_links_that_wait_are_bounded(world: World) -> None:
    ada = await world.user("1234")
    whatsapp, talk = await channel(world), await conversation(world, ada)
    for _ in range(PENDING_AT_MOST):
        await asked(world, ada, whatsapp, talk)
    with pytest.raises(InvalidLink, match="pending"):
        await asked(world, ada, whatsapp, talk)


async def test_blocking_and_unblocking_are_told_once(world: World) -> None:
    ada = await world.user("1234")
    client = await linked(world, ada, await channel(world), await conversation(world, ada))
    for verb, status in ((block_client, "blocked"), (block_client, "blocked"), (unblock_client, "active")):
        assert (await world.do(verb, client.id)).status == status
    with pytest.raises(WrongState):
        await world.do(match_client, client.id, Profile())
    assert (await updates(world, ada))[-2:] == [("updated", "blocked"), ("updated", "unblocked")]


async def test_a_pending_client_cannot_be_blocked(world: World) -> None:
    ada = await world.user("1234")
    client = await asked(world, ada, await channel(world), await conversation(world, ada))
    for verb in (block_client, unblock_client):
        with pytest.raises(WrongState, match="pending"):
            await world.do(verb, client.id)


async def test_a_link_that_came_to_nothing_is_gone_and_says_why(world: World) -> None:
    ada = await world.user("1234")
    client = await asked(world, ada, await channel(world), await conversation(world, ada))
    await world.do(end_link, client.id, "linkFailed", LinkError("unreachable", "No such number"))
    assert await clients_of(world, ada) == []
    removed = (await world.events(ada.id))[-1]
    assert (removed["reason"], removed["error"]) == (
        "linkFailed", {"code": "unreachable", "message": "No such number"},
    )  # fmt: skip
    with pytest.raises(ClientNotFound):
        await world.do(end_link, client.id, "linkFailed", LinkError("x", "y"))


async def test_an_active_client_is_not_ended_as_a_link(world: World) -> None:
    ada = await world.user("1234")
    client = await linked(world, ada, await channel(world), await conversation(world, ada))
    with pytest.raises(WrongState):
        await world.do(end_link, client.id, "linkCancelled", LinkError("x", "y"))


async def test_a_removed_client_is_gone_and_the_sdk_client_stays(world: World) -> None:
    ada = (await world.log_in(claims("1234"), device())).user
    eve = await world.user("5678")
    client = await linked(world, ada, await channel(world), await conversation(world, ada))
    with pytest.raises(ClientNotFound):
        await world.do_to(eve, remove_client, client.id)
    with pytest.raises(SdkClientStays):
        await world.do_to(ada, remove_client, ada.client_id)
    await world.do_to(ada, remove_client, client.id)
    assert await clients_of(world, ada) == [("sdk", "active")]
    assert (await updates(world, ada))[-1] == ("removed", "api")


async def test_clients_are_paged_together(world: World) -> None:
    ada = (await world.log_in(claims("1234"), device())).user
    whatsapp, talk = await channel(world), await conversation(world, ada)
    made = [ada.client_id, *[(await asked(world, ada, whatsapp, talk)).id for _ in range(5)]]
    seen: list[str] = []
    while page := await world.ask_of(ada, list_clients, after=seen[-1] if seen else None, limit=2):
        seen += [client.id for client in page]
    assert seen == made
    back = await world.ask_of(ada, list_clients, before=made[3], limit=2)
    assert [client.id for client in back] == made[1:3]
    back = await world.ask_of(ada, list_clients, before=made[2], limit=5)
    assert [client.id for client in back] == made[:2]


async def test_an_identified_user_takes_a_channel_from_another_and_they_do_not_merge(world: World) -> None:
    """R7: two identified users never merge by themselves."""
    whatsapp = await channel(world)
    ada, eve = await world.user("1234"), await world.user("5678")
    hers, others = await conversation(world, ada), await conversation(world, eve)
    former = await linked(world, ada, whatsapp, hers)
    client = await linked(world, eve, whatsapp, others)
    assert client.status == "active"
    assert await clients_of(world, ada) == []
    assert await associations(world, hers) == []
    assert await associations(world, others) == [("whatsapp", client.id)]
    assert (await updates(world, ada))[-1] == ("removed", "theft")
    assert (await world.events(ada.id))[-1]["client"]["id"] == former.id
    assert (await world.get("1234")).id != (await world.get("5678")).id
    assert (await world.snapshot())["merges"] == []
    assert numbered_without_gaps(await world.snapshot())


async def test_two_anonymous_users_of_one_channel_are_one_person(world: World) -> None:
    whatsapp = await channel(world)
    first, second = await world.visitor(), await world.visitor()
    old, new = await conversation(world, first.user), await conversation(world, second.user)
    former = await linked(world, first.user, whatsapp, old)
    pending = await asked(world, second.user, whatsapp, new)
    kept = await world.do(match_client, pending.id, Profile())
    assert kept.id == former.id
    assert (await world.get(first.user.id)).id == second.user.id
    assert [merge["reason"] for merge in (await world.snapshot())["merges"]] == ["channel"]
    assert await clients_of(world, first.user) == [("sdk", "active"), ("whatsapp", "active")]
    assert await world.sessions_of(second.user.id) == 1, "she who links stays signed in"
    told = await world.events(second.user.id)
    assert [e["reason"] for e in told if e["event"].startswith("client.")][-2:] == ["confirmed", "linkFailed"]
    assert told[-1]["error"]["code"] == "already_linked"
    assert (await world.ask_of(proof(second).user_id, list_clients))[-1].id == former.id
    assert ("whatsapp", former.id) in await associations(world, new)


async def test_an_anonymous_and_an_identified_user_do_not_merge_through_a_channel(world: World) -> None:
    whatsapp = await channel(world)
    ada, visitor = await world.user("1234"), await world.visitor()
    await linked(world, ada, whatsapp, await conversation(world, ada))
    await linked(world, visitor.user, whatsapp, await conversation(world, visitor.user))
    assert await clients_of(world, ada) == []
    assert ("whatsapp", "active") in await clients_of(world, visitor.user)
    assert (await world.snapshot())["merges"] == []


async def test_linking_the_same_channel_again_keeps_the_client_and_joins_the_conversation(world: World) -> None:
    whatsapp, ada = await channel(world), await world.user("1234")
    talk = await conversation(world, ada)
    former = await linked(world, ada, whatsapp, talk)
    again = await linked(world, ada, whatsapp, talk)
    assert again.id == former.id
    assert await clients_of(world, ada) == [("whatsapp", "active")]
    assert await associations(world, talk) == [("whatsapp", former.id)]


async def test_a_merged_users_clients_are_the_survivors(world: World) -> None:
    visitor = await world.visitor(phone := device())
    client = await linked(world, visitor.user, await channel(world), await conversation(world, visitor.user))
    await world.log_in(claims("1234"))
    await world.log_in(claims("1234"), phone, visitor)
    assert ("whatsapp", "active") in await clients_of(world, "1234")
    await world.do_to("1234", remove_client, client.id)
    assert ("whatsapp", "active") not in await clients_of(world, "1234")


async def test_erasing_clears_what_channels_say_and_keeps_the_client(world: World) -> None:
    ada = await world.user("1234")
    twilio, talk = await channel(world, "twilio"), await conversation(world, ada)
    client = await asked(world, ada, twilio, talk, kind="userActivity", message=HELLO, subject="subject-line")
    await world.do(
        match_client,
        client.id,
        Profile("chan-1", "shown-name", "https://x.example/face.png", {"city": "info-city"}, {"From": "raw-from"}),
    )
    await world.do(confirm_client, client.id)
    private = ("shown-name", "face.png", "info-city", "raw-from", "Is this you?", "subject-line")
    assert await world.traces_of(*private)
    await world.do_to(ada, erase_personal_information, BY)
    assert await world.traces_of(*private) == []
    assert await clients_of(world, ada) == [("twilio", "active")]


async def test_a_deleted_users_clients_are_gone(world: World) -> None:
    ada = await world.user("1234")
    whatsapp = await channel(world)
    await linked(world, ada, whatsapp, await conversation(world, ada))
    await world.do_to(ada, delete_user, BY)
    assert (await world.snapshot())["clients"] == []
    eve = await world.user("5678")
    assert (await linked(world, eve, whatsapp, await conversation(world, eve))).status == "active"


async def test_an_app_does_not_reach_another_apps_client(world: World) -> None:
    ada = await world.user("1234")
    client = await asked(world, ada, await channel(world), await conversation(world, ada))
    other = await world.another_app()
    for verb, args in ((confirm_client, ()), (match_client, (Profile(),)), (block_client, ())):
        with pytest.raises(ClientNotFound):
            await other.do(verb, client.id, *args)


async def test_a_profile_that_is_too_large_is_refused(world: World) -> None:
    ada = await world.user("1234")
    client = await asked(world, ada, await channel(world), await conversation(world, ada))
    for profile in (Profile(raw={"x": "y" * 9000}), Profile(external_id="x" * 257), Profile(external_id="a\x00b")):
        with pytest.raises(InvalidLink):
            await world.do(match_client, client.id, profile)


@given_values(st.sampled_from(LINK_TYPES), st.text(max_size=40))
def test_an_address_is_its_own_normal_form_or_refused(type: str, address: str) -> None:
    try:
        normal = check_link(Link(type, "i", address, "c", "immediate"))
    except InvalidLink:
        return
    assert check_link(Link(type, "i", normal, "c", "immediate")) == normal


def user_with(id: str, external_id: str | None) -> User:
    return User(id, external_id, False, None, None, None, None, None, {}, None, None, "c" + id, 0)


@given_values(*[st.one_of(st.none(), st.text(min_size=1))] * 2)
def test_only_two_whom_nobody_knows_merge(one: str | None, other: str | None) -> None:
    outcome = decide_owner(user_with("1", one), user_with("2", other))
    assert (outcome == "merge") == (one is None and other is None)
    assert outcome in ("merge", "steal")
