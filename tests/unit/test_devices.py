"""A user's devices, and the one client that they form."""

import pytest

from knownas.clients.find import list_clients
from knownas.clients.remove import remove_client
from knownas.devices import ClientNotFound, DeviceNotFound, SdkClient, SdkClientStays
from knownas.devices.clients import get_device, list_devices
from knownas.sessions.log_out import log_out
from tests.given import Clock, World, claims, device


async def test_all_devices_of_a_user_are_one_client(world: World) -> None:
    """The one that is merged into her brings its devices along."""
    ada = (await world.log_in(claims("1234"), device())).user
    await world.log_in(claims("1234"), device())
    visitor = await world.visitor(device())
    await world.log_in(claims("1234"), device(), visitor)
    devices = await world.ask_of(ada, list_devices)
    assert len(devices) == 4
    assert [d.last_seen for d in devices] == sorted([d.last_seen for d in devices], reverse=True)
    [client] = await world.ask_of(ada, list_clients)
    assert isinstance(client, SdkClient)
    assert client.id == ada.client_id
    assert client.active
    assert client.linked_at == min(d.created_at for d in devices)
    assert client.last_seen == max(d.last_seen for d in devices)
    assert await world.ask_of(visitor.user.id, get_device, devices[2].id) == devices[2]


async def test_a_client_is_active_while_one_of_its_devices_is(world: World) -> None:
    ada = (await world.log_in(claims("1234"), phone := device())).user
    await world.log_in(claims("1234"), tablet := device())
    for guid, active in ((phone.guid, True), (tablet.guid, False)):
        await world.do(log_out, claims("1234"), "1234", guid)
        [client] = await world.ask_of(ada, list_clients)
        assert isinstance(client, SdkClient)
        assert client.active is active


async def test_a_user_without_devices_has_no_client(world: World) -> None:
    ada = await world.user("1234")
    assert await world.ask_of(ada, list_clients) == []
    with pytest.raises(ClientNotFound):
        await world.do_to(ada, remove_client, ada.client_id)


async def test_the_sdk_client_cannot_be_removed_and_others_are_not_there(world: World) -> None:
    ada = (await world.log_in(claims("1234"), device())).user
    with pytest.raises(SdkClientStays):
        await world.do_to(ada, remove_client, ada.client_id)
    with pytest.raises(ClientNotFound):
        await world.do_to(ada, remove_client, "other")


async def test_another_users_device_is_not_found(world: World) -> None:
    """R13"""
    ada = (await world.log_in(claims("1234"), device())).user
    bob = await world.log_in(claims("5678"), device())
    with pytest.raises(DeviceNotFound):
        await world.ask_of(ada, get_device, bob.devices[0].id)


async def test_a_login_on_her_own_device_changes_only_when_it_was_last_seen(world: World, clock: Clock) -> None:
    await world.log_in(claims("1234"), phone := device())
    before = await world.snapshot()
    clock.skip(1000)
    await world.log_in(claims("1234"), phone)
    after = await world.snapshot()
    assert after["devices"][0].pop("last_seen") >= before["devices"][0].pop("last_seen") + 1000
    assert after == before
