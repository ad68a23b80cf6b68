"""Synchronising a user with a record that is kept elsewhere: nothing is guessed, and nothing is lost."""

from typing import Any

import pytest
from hypothesis import given as given_values
from hypothesis import strategies as st

from knownas.identities import InvalidIdentity
from knownas.users import User, UserNotFound
from knownas.users.create import create_user
from knownas.users.find import get_user, list_by_email
from knownas.users.sync import CoreRecord, Parties, SyncConflict, survivor_of, sync_user
from tests.given import KEY_ID, NOTHING_TYPED, World, claims, device, numbered_without_gaps


async def sync(world: World, zendesk_id: str, **record: Any) -> User:
    found = await world.do(sync_user, CoreRecord(zendesk_id, **record), KEY_ID)
    assert numbered_without_gaps(await world.snapshot())
    external = [r for r in (await world.snapshot())["identities"] if r["type"] == "external_id"]
    users = (await world.snapshot())["users"]
    assert {(r["user_id"], r["value"]) for r in external} == {
        (row["id"], row["external_id"]) for row in users if row["external_id"]
    }
    again = await world.get(found.id)
    assert (again.external_id, again.zendesk_id, again.given_name) == (
        found.external_id, found.zendesk_id, found.given_name,
    )  # fmt: skip
    assert {i.key for i in again.identities} == {i.key for i in found.identities}
    return found


async def linked(world: World, zendesk_id: str, external_id: str | None = None) -> User:
    """A user whom Zendesk knows."""
    made = await world.user(external_id)
    return await sync(world, zendesk_id, user_id=made.id)


async def test_a_user_is_linked_by_being_named_and_found_by_it_from_then_on(world: World) -> None:
    ada = await world.user("1234")
    assert (await sync(world, "35436", user_id=ada.id)).zendesk_id == "35436"
    synced = await sync(world, "35436", given_name="Ada", surname=None, email="Ada@Example.com")
    assert (synced.id, synced.given_name) == (ada.id, "Ada")
    assert [i.key for i in synced.identities] == ["ada@example.com"]
    assert await world.owner("email", "ada@example.com") == ada.id
    assert (await world.get("1234")).email is None, "the e-mail is an identity, not a label of the profile"


@pytest.mark.parametrize("record", [{"external_id": "1234"}, {"email": "ada@example.com"}])
async def test_a_user_is_linked_by_what_she_has(world: World, record: dict[str, str]) -> None:
    ada = (await world.log_in(claims("1234", "ada@example.com"))).user
    assert (await sync(world, "35436", **record)).id == ada.id


async def test_somebody_of_whom_nothing_is_known_is_not_found(world: World) -> None:
    before = await world.snapshot()
    for record in (
        {"given_name": "Ada"}, {"external_id": "1"}, {"email": "a@b.example"}, {"user_id": "0" * 24},
        {"surviving_zendesk_id": "9"},
    ):  # fmt: skip
        with pytest.raises(UserNotFound):
            await sync(world, "35436", **record)
    assert await world.snapshot() == before


async def test_the_same_record_twice_changes_once(world: World) -> None:
    await linked(world, "1", "old")
    record = {"external_id": "new", "email": "ada@example.com", "given_name": "Ada"}
    await sync(world, "1", **record)
    before = await world.snapshot(without="revision")
    await sync(world, "1", **record)
    assert await world.snapshot(without="revision") == before


async def test_a_changed_external_id_replaces_the_former_one(world: World) -> None:
    ada = await linked(world, "1", "old")
    assert (await sync(world, "1", external_id="new")).external_id == "new"
    assert (await world.get("new")).id == ada.id
    with pytest.raises(UserNotFound):
        await world.get("old")
    assert (await world.told(ada.id))[-1] == "user.identified"


async def test_an_anonymous_user_who_gets_an_external_id_loses_her_session(world: World) -> None:
    visitor = await world.visitor()
    await sync(world, "1", user_id=visitor.user.id, external_id="1234")
    assert await world.sessions_of(visitor.user.id) == 0


async def test_who_has_the_external_id_becomes_one_with_her_and_it_need_not_move(world: World) -> None:
    """R9: both external ids and both e-mails keep resolving, and both histories are found."""
    ada = (await world.log_in(claims("old", "old@example.com"), device())).user
    await sync(world, "1", user_id=ada.id)
    bea = (await world.log_in(claims("new", "new@example.com"), device())).user
    one = await sync(world, "1", external_id="new")
    assert (one.id, one.external_id, one.zendesk_id) == (bea.id, "new", "1")
    assert {(await world.get(reference)).id for reference in (ada.id, bea.id, "old", "new")} == {bea.id}
    assert {i.key for i in one.identities} == {"old@example.com", "new@example.com"}
    assert (await world.log_in(claims("old", "old@example.com"))).user.id == bea.id
    assert [m["reason"] for m in (await world.snapshot())["merges"]] == ["api"]
    assert (await sync(world, "1", given_name="Ada")).id == bea.id, "the link is found through the merge"


async def test_an_anonymous_user_never_outlives_an_identified_one(world: World) -> None:
    """R4: her session would then be a way to reach an identified user."""
    visitor = await world.visitor()
    await sync(world, "1", user_id=visitor.user.id)
    ada = (await world.log_in(claims("1234", "ada@example.com"))).user
    one = await sync(world, "1", email="ada@example.com")
    assert (one.id, one.external_id, one.zendesk_id) == (ada.id, "1234", "1")
    assert (await world.snapshot())["sessions"] == []


async def test_what_another_linked_user_has_moves_and_they_stay_two(world: World) -> None:
    ada = await linked(world, "1", "ada")
    bea = (await world.log_in(claims("bea", "bea@example.com"))).user
    await sync(world, "2", user_id=bea.id)
    synced = await sync(world, "1", external_id="bea", email="bea@example.com")
    assert (synced.id, synced.external_id) == (ada.id, "bea")
    left = await world.get(bea.id)
    assert (left.external_id, left.identities) == (None, ())
    assert (await world.snapshot())["merges"] == []
    assert await world.owner("email", "bea@example.com") == ada.id
    assert (await world.told(bea.id))[-1] == "user.updated"


async def test_two_records_that_became_one_make_one_user(world: World) -> None:
    ada, bea = await linked(world, "1", "ada"), await linked(world, "2", "bea")
    one = await sync(world, "1", surviving_zendesk_id="2")
    assert (one.id, one.zendesk_id) == (bea.id, "2")
    assert (await world.get(ada.id)).id == (await world.get("ada")).id == bea.id
    before = await world.snapshot(without="revision")
    assert (await sync(world, "1", surviving_zendesk_id="2")).id == bea.id, "told twice is as once"
    assert await world.snapshot(without="revision") == before


async def test_a_record_that_took_another_id_takes_its_user_along(world: World) -> None:
    ada = await linked(world, "1", "ada")
    assert (await sync(world, "1", surviving_zendesk_id="2")).zendesk_id == "2"
    assert (await sync(world, "2", given_name="Ada")).id == ada.id
    assert (await sync(world, "1", surviving_zendesk_id="2")).id == ada.id


async def test_an_external_id_that_came_by_a_merge_becomes_the_one_that_shows(world: World) -> None:
    await linked(world, "1", "ada")
    await linked(world, "2", "bea")
    one = await sync(world, "1", surviving_zendesk_id="2")
    assert one.external_id == "bea"
    assert (await sync(world, "2", external_id="ada")).external_id == "ada"
    assert (await world.get("ada")).id == one.id


async def test_a_claim_to_the_email_yields(world: World) -> None:
    """R2: what nobody vouched for never stands in the way."""
    claimant = await world.user("claimant")
    await world.has_identity(claimant, "email", "ada@example.com", owned=False)
    await linked(world, "1", "ada")
    synced = await sync(world, "1", email="ada@example.com")
    assert [u.id for u in await world.ask(list_by_email, "ada@example.com")] == [synced.id]
    assert (await world.get("claimant")).id == claimant.id


async def test_what_cannot_be_done_in_one_step_changes_nothing_and_says_so(world: World) -> None:
    await linked(world, "1", "ada")
    await world.user("bea")
    await world.log_in(claims("cat", "cat@example.com"))
    branded = await world.do(create_user, "dee", NOTHING_TYPED, KEY_ID, "brand")
    await sync(world, "2", user_id=branded.id)
    before = await world.snapshot()
    for zendesk_id, record, says in (
        ("1", {"external_id": "bea", "email": "cat@example.com"}, "steps"),
        ("1", {"user_id": (await world.get("bea")).id}, "another user"),
        ("9", {"user_id": (await world.get("ada")).id}, "another zendeskId"),
        ("1", {"surviving_zendesk_id": "2"}, "brands"),
    ):  # fmt: skip
        with pytest.raises(SyncConflict, match=says):
            await sync(world, zendesk_id, **record)
    with pytest.raises(InvalidIdentity):
        await sync(world, "1", email="nobody")
    assert await world.snapshot() == before


async def test_a_branded_users_external_id_is_synchronised_in_her_brand(world: World) -> None:
    plain = await world.user("1234")
    dee = await world.do(create_user, "dee", NOTHING_TYPED, KEY_ID, "brand")
    await sync(world, "1", user_id=dee.id)
    synced = await world.do(sync_user, CoreRecord("1", external_id="1234", email="a@b.example"), KEY_ID)
    assert (synced.id, synced.external_id) == (dee.id, "1234")
    assert (await world.get("1234")).id == plain.id
    assert (await world.ask(get_user, "1234", "brand")).id == dee.id
    assert await world.ask(list_by_email, "a@b.example") == []
    assert [u.id for u in await world.ask(list_by_email, "a@b.example", "brand")] == [dee.id]
    with pytest.raises(UserNotFound):
        await world.ask(get_user, "dee", "brand")


def user_with(id: str, external_id: str | None) -> User:
    return User(id, external_id, False, None, None, None, None, None, {}, None, None, "c" + id, 0)


@given_values(*[st.one_of(st.none(), st.text(min_size=1))] * 2, st.sampled_from("-so"))
def test_who_stays_is_identified_if_anybody_is(one: str | None, other: str | None, owner: str) -> None:
    subject, merged = user_with("1", one), user_with("2", other)
    owned_by = {"-": None, "s": subject if one else None, "o": merged if other else None}[owner]
    stays, goes = survivor_of(Parties(subject, merged, owned_by, None, ()))
    assert {stays.id, goes.id if goes else ""} == {"1", "2"}
    assert not stays.anonymous or (one is None and other is None)
    assert owned_by is None or stays.id == owned_by.id
