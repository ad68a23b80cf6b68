"""Nothing of one app is seen or changed from another (R13)."""

import pytest

from knownas.conflicts import EmailContested
from knownas.sessions import InvalidSession
from knownas.sessions.log_out import log_out
from knownas.sessions.reach import reach
from knownas.users import UserNotFound
from knownas.users.delete import delete_user
from knownas.users.find import list_by_email
from tests.given import BY, World, claims, device, proof


async def test_two_apps_with_the_same_people_do_not_touch(world: World) -> None:
    other = await world.another_app()
    await world.log_in(claims("1234", "ada@example.com"), device("phone"))
    before = await world.snapshot()
    twin = await other.log_in(claims("1234", "ada@example.com"), device("phone"))
    assert twin.created, "the same external id, e-mail and device are free in another app"
    with pytest.raises(EmailContested):
        await other.log_in(claims("5678", "ada@example.com"))
    await other.log_in(claims("9"), device("phone"))
    await other.do(log_out, claims("9"), "9", "phone")
    await other.visitor(device("phone"))
    await other.do_to("1234", delete_user, BY)
    assert await world.snapshot() == before


async def test_what_is_in_one_app_is_not_found_from_another(world: World) -> None:
    other = await world.another_app()
    ada = await world.log_in(claims("1234", "ada@example.com"), phone := device())
    visitor = await world.visitor(tablet := device())
    for reference in ("1234", ada.user.id, visitor.user.id):
        with pytest.raises(UserNotFound):
            await other.get(reference)
        with pytest.raises(UserNotFound):
            await other.do_to(reference, delete_user, BY)
    assert await other.ask(list_by_email, "ada@example.com") == []
    assert await other.device(phone.guid) is None
    with pytest.raises(InvalidSession):
        await other.ask(reach, proof(visitor), visitor.user.id)
    before = await world.snapshot()
    access = await other.log_in(claims("1234"), tablet, visitor)
    assert access.created, "a session of another app proves nothing here"
    assert await world.snapshot() == before
    assert (await world.ask(reach, proof(visitor), visitor.user.id)).anonymous


async def test_a_verb_cannot_write_to_a_user_of_another_app_whom_it_got_hold_of(world: World) -> None:
    """The app is bound when the transaction opens, so even a user carried over is not found there."""
    other = await world.another_app()
    ada = (await world.log_in(claims("1234", "ada@example.com"), device())).user
    before = await world.snapshot()
    with pytest.raises(Exception, match="Too many others"):
        await other.do(delete_user, ada, BY)
    assert await world.snapshot() == before
