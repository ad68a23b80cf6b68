"""Creating, finding and changing users through the server's API (R1, R2)."""

import pytest

from knownas.identities import InvalidIdentity
from knownas.sessions.reach import reach
from knownas.users import InvalidUser, User, UserChanges, UserExists, UserNotFound
from knownas.users.find import list_by_email
from knownas.users.metadata import InvalidMetadata
from knownas.users.update import update_user
from tests.given import KEY_ID, NOTHING_TYPED, World, claims, device, numbered_without_gaps


async def give_external_id(world: World, user: User, external_id: str) -> User:
    return await world.do_to(user, update_user, NOTHING_TYPED, external_id=external_id, asserted_by=KEY_ID)


async def test_a_created_user_is_found_by_id_and_external_id(world: World) -> None:
    made = await world.user("1234", given_name="Ada", metadata={"a": 1}, signed_up_at=5, to_be_retained=False)
    assert await world.get(made.id) == await world.get("1234")
    found = await world.get("1234")
    assert (found.given_name, found.metadata, found.signed_up_at, found.to_be_retained) == ("Ada", {"a": 1}, 5, False)
    assert not found.authenticated
    assert await world.told(made.id) == ["user.created"]


async def test_an_external_id_has_one_user(world: World) -> None:
    await world.user("1234")
    before = await world.snapshot()
    with pytest.raises(UserExists):
        await world.user("1234", given_name="Other")
    assert await world.snapshot() == before


async def test_users_without_an_external_id_are_as_many_as_one_likes(world: World) -> None:
    assert len({(await world.user()).id for _ in range(5)}) == 5


@pytest.mark.parametrize("external_id", ["", "x" * 1025, "a\x00b"])
async def test_what_cannot_be_an_external_id_makes_no_user(world: World, external_id: str) -> None:
    before = await world.snapshot()
    with pytest.raises(InvalidIdentity):
        await world.user(external_id)
    assert await world.snapshot() == before


async def test_a_long_external_id_is_found_again(world: World) -> None:
    """Longer than an index can hold: its digest stands for it, and the value is kept as given."""
    made = await world.user(long := "x" * 1000 + "ß")
    assert (await world.get(long)).id == made.id
    assert (await world.get(long)).external_id == long


@pytest.mark.parametrize("reference", ["unknown", "0123456789ab0123456789ab", "x" * 2000, "a\x00b", ""])
async def test_an_unknown_user_is_not_found_whatever_the_reference_looks_like(world: World, reference: str) -> None:
    with pytest.raises(UserNotFound):
        await world.get(reference)


async def test_an_id_wins_over_an_external_id_that_looks_like_it(world: World) -> None:
    ada = await world.user("1234")
    await world.user(ada.id)
    assert (await world.get(ada.id)).external_id == "1234"


async def test_an_update_changes_what_is_given_clears_nulls_and_keeps_the_rest(world: World) -> None:
    user = await world.user("1234", given_name="Ada", surname="King", metadata={"a": 1, "b": 2})
    await world.do_to(user, update_user, UserChanges(surname=None, locale="de", metadata={"b": None, "c": True}))
    found = await world.get("1234")
    assert (found.given_name, found.surname, found.locale, found.metadata) == ("Ada", None, "de", {"a": 1, "c": True})
    [_, updated] = await world.events(user.id)
    assert sorted(updated["fields"]) == ["locale", "metadata", "surname"]


async def test_the_same_update_twice_changes_once(world: World) -> None:
    user = await world.user("1234")
    changes = UserChanges(given_name="Ada", metadata={"a": 1}, to_be_retained=True, signed_up_at=7)
    await world.do_to(user, update_user, changes)
    before = await world.snapshot()
    await world.do_to(user, update_user, changes)
    assert await world.snapshot() == before


async def test_a_null_metadata_removes_all_of_it(world: World) -> None:
    user = await world.user("1234", metadata={"a": 1})
    await world.do_to(user, update_user, UserChanges(metadata=None))
    assert (await world.get("1234")).metadata == {}


async def test_too_much_metadata_changes_nothing(world: World) -> None:
    user = await world.user("1234", metadata={"a": "x" * 4000})
    before = await world.snapshot()
    with pytest.raises(InvalidMetadata):
        await world.do_to(user, update_user, UserChanges(given_name="Ada", metadata={"b": "y" * 200}))
    assert await world.snapshot() == before


async def test_an_anonymous_user_is_given_an_external_id_once(world: World) -> None:
    """She keeps her id; her session ends (R4); her next login is a known one."""
    visitor = await world.visitor(phone := device())
    await give_external_id(world, visitor.user, "1234")
    user = await world.get("1234")
    assert user.id == visitor.user.id
    assert not user.authenticated
    assert (await world.snapshot())["sessions"] == []
    assert (await world.ask(reach, claims("1234"), "1234")).id == user.id
    assert not (await world.log_in(claims("1234"), phone, visitor)).created
    assert await world.told(user.id) == ["user.created", "device.signed_in", "user.identified", "user.authenticated"]
    before = await world.snapshot()
    await give_external_id(world, user, "1234")
    assert await world.snapshot() == before, "the same external id again is no change"
    with pytest.raises(InvalidUser):
        await give_external_id(world, user, "5678")
    assert await world.snapshot() == before


async def test_an_external_id_that_is_somebodys_is_not_given_to_another(world: World) -> None:
    await world.user("1234")
    visitor = await world.visitor()
    before = await world.snapshot()
    with pytest.raises(UserExists):
        await world.do_to(
            visitor.user, update_user, UserChanges(given_name="A"), external_id="1234", asserted_by=KEY_ID
        )
    assert await world.snapshot() == before


async def test_profile_and_external_id_together_are_one_change(world: World) -> None:
    visitor = await world.visitor()
    changes = UserChanges(given_name="Ada", metadata={"a": 1})
    updated = await world.do_to(visitor.user, update_user, changes, external_id="1234", asserted_by=KEY_ID)
    found = await world.get("1234")
    assert (found.id, found.given_name, found.metadata) == (visitor.user.id, "Ada", {"a": 1})
    assert (updated.external_id, updated.given_name, updated.metadata) == ("1234", "Ada", {"a": 1})
    assert numbered_without_gaps(await world.snapshot())


async def test_users_are_listed_by_email_owner_first_and_labels_do_not_count(world: World) -> None:
    claimant = await world.user("c")
    await world.log_in(claims("o", "ada@example.com"))
    await world.has_identity(claimant, "email", "ada@example.com", owned=False)
    await world.visitor(email="ada@example.com")
    await world.user("labelled", email="ada@example.com")
    found = await world.ask(list_by_email, " ADA@example.com ")
    assert [user.external_id for user in found] == ["o", "c"]
    assert await world.ask(list_by_email, "not an email") == []
    assert await world.ask(list_by_email, "nobody@example.com") == []
