"""Deleting a user, and erasing what is personal about her (R10)."""

from typing import Any

import pytest

from knownas.conflicts import EmailContested
from knownas.devices.clients import list_devices
from knownas.sessions import AnonymousProof
from knownas.sessions.reach import reach
from knownas.users import UserNotFound
from knownas.users.delete import delete_user, erase_personal_information
from tests.given import BY, World, claims, device, numbered_without_gaps, proof, retold, stored

# Everything personal about the one whom these tests are about. No other value contains one of them.
PERSONAL = {
    "given_name": "Grace-given", "surname": "Hopper-surname", "email": "typed-label@example.com",
    "avatar_url": "https://example.com/face.png", "locale": "xx-Locale", "metadata": {"k-meta": "v-meta"},
}  # fmt: skip
CLIENT_DETAILS: dict[str, Any] = {"info": {"model": "i-info"}, "push_token": "p-push", "app_version": "9.9-version"}
ERASED = (
    "Grace-given", "Hopper-surname", "typed-label@example.com", "face.png", "xx-Locale", "k-meta", "v-meta",
    "grace@example.com", "visitor-name", "visitor-meta", "i-info", "p-push", "9.9-version", "before-meta",
)  # fmt: skip


async def a_full_life(world: World) -> tuple[str, str]:
    """A user with profile, e-mail, devices, a merged visitor, a conflict and a journal; her id, and the visitor's."""
    user = await world.user("grace-external", **PERSONAL)
    await world.log_in(claims("grace-external", "Grace@example.com"), device(**CLIENT_DETAILS))
    visitor = await world.visitor(
        phone := device(**CLIENT_DETAILS), given_name="visitor-name", metadata={"big": "visitor-meta" * 330}
    )
    await world.log_in(claims("grace-external"), phone, visitor)
    with pytest.raises(EmailContested):
        await world.log_in(claims("mallory", "grace@example.com"))
    await world.log_in(claims("bystander", "by@example.com"), device(), await world.visitor())
    return user.id, visitor.user.id


async def test_an_erased_users_values_stand_nowhere(world: World) -> None:
    user_id, _ = await a_full_life(world)
    assert len(await world.traces_of(*ERASED)) > 10, "otherwise this test shows nothing"
    await world.do_to(user_id, erase_personal_information, BY)
    assert await world.traces_of(*ERASED) == []


async def test_an_erased_user_remains_with_her_external_id_and_devices(world: World) -> None:
    user_id, visitor_id = await a_full_life(world)
    devices = {d.guid for d in await world.ask_of(user_id, list_devices)}
    left, _ = await world.do_to(user_id, erase_personal_information, BY)
    found = await world.get(user_id)
    assert (left.id, left.identities, left.metadata, left.email) == (user_id, (), {}, None)
    assert (found.external_id, found.identities, found.metadata) == ("grace-external", (), {})
    assert (await world.get("grace-external")).id == (await world.get(visitor_id)).id == user_id
    assert {d.guid for d in await world.ask_of(user_id, list_devices)} == devices
    assert await world.told(user_id) == ["user.erased"]
    assert numbered_without_gaps(await world.snapshot()), "numbering goes on where it was"


async def test_an_erased_users_email_is_free_at_once(world: World) -> None:
    user_id, _ = await a_full_life(world)
    await world.do_to(user_id, erase_personal_information, BY)
    other = await world.log_in(claims("mallory", "grace@example.com"))
    assert await world.owner("email", "grace@example.com") == other.user.id


async def test_an_anonymous_user_can_be_erased_and_keeps_her_session(world: World) -> None:
    visitor = await world.visitor(given_name="visitor-name", metadata={"x": "visitor-meta"})
    await world.do_to(visitor.user, erase_personal_information, BY)
    assert await world.traces_of(*ERASED) == []
    assert (await world.ask(reach, proof(visitor), visitor.user.id)).id == visitor.user.id


async def test_erasing_twice_is_as_once_but_for_being_told(world: World) -> None:
    user_id, _ = await a_full_life(world)
    first, _ = await world.do_to(user_id, erase_personal_information, BY)
    second, _ = await world.do_to(user_id, erase_personal_information, BY)
    assert second.id == first.id
    assert await world.told(user_id) == ["user.erased"]


async def test_the_others_keep_everything_when_one_is_erased_or_deleted(world: World) -> None:
    user_id, _ = await a_full_life(world)
    other = await world.get("bystander")

    async def others() -> dict[str, list[str]]:
        snapshot = await world.snapshot()
        return {table: [repr(row) for row in rows if other.id in repr(row)] for table, rows in snapshot.items()}

    before = await others()
    await world.do_to(user_id, erase_personal_information, BY)
    assert await others() == before
    await world.do_to(user_id, delete_user, BY)
    assert await others() == before


async def test_a_deleted_user_is_gone_with_everyone_merged_into_her(world: World) -> None:
    user_id, visitor_id = await a_full_life(world)
    await world.do_to(user_id, delete_user, BY)
    for reference in (user_id, visitor_id, "grace-external"):
        with pytest.raises(UserNotFound):
            await world.get(reference)
    assert await world.traces_of(*ERASED, "grace-external", visitor_id) == []
    assert await world.traces_of(user_id) == [
        "audit.subjects", "audit_subjects.subject", "erasures.user_id", "events.body",
    ], "only what says that she was removed names her id"  # fmt: skip
    assert (await world.told(world.app.id))[-1] == "user.removed"
    snapshot = await world.snapshot()
    assert numbered_without_gaps(snapshot)
    assert retold(snapshot) == stored(snapshot)


async def test_a_deleted_users_identities_are_free_at_once(world: World) -> None:
    """The next login with her external id makes a new user."""
    user_id, _ = await a_full_life(world)
    await world.do_to(user_id, delete_user, BY)
    other = await world.log_in(claims("mallory", "grace@example.com"))
    assert await world.owner("email", "grace@example.com") == other.user.id
    again = await world.log_in(claims("grace-external"))
    assert again.created
    assert again.user.id != user_id
    assert again.user.given_name is None


async def test_a_deleted_visitors_session_and_devices_are_gone(world: World) -> None:
    visitor = await world.visitor(phone := device())
    await world.do_to(visitor.user, delete_user, BY)
    snapshot = await world.snapshot()
    assert snapshot["sessions"] == snapshot["devices"] == snapshot["users"] == []
    access = await world.log_in(claims("1234"), phone, AnonymousProof(visitor.user.id, proof(visitor).token_hash))
    assert access.created


async def test_deleting_twice_finds_nobody_the_second_time(world: World) -> None:
    user = await world.user("1234")
    await world.do_to(user, delete_user, BY)
    before = await world.snapshot()
    with pytest.raises(UserNotFound):
        await world.do_to(user, delete_user, BY)
    assert await world.snapshot() == before


async def test_a_deleted_claimant_leaves_no_trace_in_the_owners_stream(world: World) -> None:
    """R10: the owner's event of the contest names the claimant's external id, and it must not outlive her."""
    await world.log_in(claims("1234", "ada@example.com"))
    await world.log_in(claims("claimant-external"))
    with pytest.raises(EmailContested):
        await world.log_in(claims("claimant-external", "ada@example.com"))
    await world.do_to("claimant-external", delete_user, BY)
    assert await world.traces_of("claimant-external") == []


async def test_a_claimant_who_came_into_being_later_leaves_no_trace_either(world: World) -> None:
    """R10: the case was opened when she was nobody yet; it names only her external id."""
    await world.log_in(claims("1234", "ada@example.com"))
    with pytest.raises(EmailContested):
        await world.log_in(claims("claimant-external", "ada@example.com"))
    await world.log_in(claims("claimant-external"))
    await world.do_to("claimant-external", delete_user, BY)
    assert "conflicts.claimant" not in await world.traces_of("claimant-external")


async def test_an_erased_claimants_case_is_forgotten_also_when_she_came_into_being_later(world: World) -> None:
    """R10: what the token said of her e-mail goes with the rest of her personal information."""
    ada = await world.log_in(claims("1234", "ada@example.com"))
    with pytest.raises(EmailContested):
        await world.log_in(claims("5678", "ada@example.com"))
    bob = await world.log_in(claims("5678"))
    await world.do_to(bob.user, erase_personal_information, BY)
    assert [c for c in (await world.snapshot())["conflicts"] if c["claimant"] == "5678"] == []
    assert await world.owner("email", "ada@example.com") == ada.user.id
