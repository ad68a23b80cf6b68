"""Leaving a device."""

import pytest

from knownas.devices.clients import list_devices
from knownas.sessions import InvalidSession, NotThisUser
from knownas.sessions.log_out import log_out
from knownas.sessions.reach import reach
from knownas.sessions.start import start_anonymous
from knownas.users import UserChanges
from tests.given import World, claims, device, proof, retold, stored


async def test_logging_out_detaches_this_device_and_no_other(world: World) -> None:
    ada = await world.log_in(claims("1234"), phone := device(push_token="p"))
    await world.log_in(claims("1234"), tablet := device())
    await world.do(log_out, claims("1234"), "1234", phone.guid)
    by_guid = {d.guid: d for d in await world.ask_of(ada.user, list_devices)}
    assert (by_guid[phone.guid].status, by_guid[phone.guid].push_token) == ("inactive", None)
    assert by_guid[tablet.guid].status == "active"
    assert (await world.told(ada.user.id))[-1] == "device.signed_out"
    snapshot = await world.snapshot()
    assert retold(snapshot) == stored(snapshot)


async def test_logging_out_twice_is_as_once(world: World) -> None:
    await world.log_in(claims("1234"), phone := device())
    await world.do(log_out, claims("1234"), "1234", phone.guid)
    before = await world.snapshot()
    await world.do(log_out, claims("1234"), "1234", phone.guid)
    assert await world.snapshot() == before


async def test_logging_in_again_brings_the_device_back(world: World) -> None:
    ada = await world.log_in(claims("1234"), phone := device())
    await world.do(log_out, claims("1234"), "1234", phone.guid)
    await world.log_in(claims("1234"), phone)
    assert await world.told(ada.user.id) == [
        "user.created", "device.signed_in", "device.signed_out", "device.signed_in",
    ]  # fmt: skip
    snapshot = await world.snapshot()
    assert retold(snapshot) == stored(snapshot)


async def test_a_visitor_who_logs_out_is_forgotten_by_the_browser(world: World) -> None:
    visitor = await world.visitor(phone := device())
    await world.do(log_out, proof(visitor), visitor.user.id, phone.guid)
    with pytest.raises(InvalidSession):
        await world.ask(reach, proof(visitor), visitor.user.id)
    assert (await world.get(visitor.user.id)).anonymous


@pytest.mark.parametrize("guid", [None, "unknown"])
async def test_a_visitor_without_a_device_who_logs_out_is_forgotten_too(world: World, guid: str | None) -> None:
    """Her session was the only way back, whatever device it was begun on."""
    visitor = await world.do(start_anonymous, UserChanges(), None)
    await world.do(log_out, proof(visitor), visitor.user.id, guid)
    with pytest.raises(InvalidSession):
        await world.ask(reach, proof(visitor), visitor.user.id)


async def test_nobody_logs_another_user_out(world: World) -> None:
    await world.log_in(claims("1234"), phone := device())
    await world.log_in(claims("5678"), device())
    visitor = await world.visitor()
    before = await world.snapshot()
    with pytest.raises(NotThisUser):
        await world.do(log_out, claims("5678"), "1234", phone.guid)
    with pytest.raises(InvalidSession):
        await world.do(log_out, proof(visitor), "1234", phone.guid)
    await world.do(log_out, claims("5678"), "5678", phone.guid)  # her own user, but not her device
    assert await world.snapshot() == before


async def test_a_device_of_a_merged_visitor_is_the_survivors_to_leave(world: World) -> None:
    """R9: device tokens keep resolving."""
    await world.log_in(claims("1234"), device())
    visitor = await world.visitor(tablet := device())
    await world.log_in(claims("1234"), device(), visitor)
    await world.do(log_out, claims("1234"), visitor.user.id, tablet.guid)
    found = await world.device(tablet.guid)
    assert found is not None
    assert found.status == "inactive"


async def test_logging_out_of_a_user_who_is_gone_is_no_error(world: World) -> None:
    before = await world.snapshot()
    await world.do(log_out, claims("nobody"), "nobody", "x")
    assert await world.snapshot() == before
