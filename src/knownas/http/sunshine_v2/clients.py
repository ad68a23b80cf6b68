"""Clients and devices of a user: list, get, remove."""

from knownas.devices import Device
from knownas.devices.clients import SdkClient, get_device, list_clients, list_devices, remove_client
from knownas.http.call import Answer, Call, json_answer
from knownas.http.sunshine_v2 import wire
from knownas.http.sunshine_v2.paging import page_of, paged
from knownas.http.sunshine_v2.scope import INTEGRATION, acting_on_app
from knownas.transaction import Transaction
from knownas.users import User
from knownas.users.find import get_user


async def list_page(call: Call) -> Answer:
    """GET …/users/{u}/clients."""
    app, _ = await acting_on_app(call, INTEGRATION)
    page = page_of(call)
    clients = await call.services.database.read(app, _clients, call.params["user"])
    inside = [
        client
        for client in clients
        if (page.after is None or client.id > page.after) and (page.before is None or client.id < page.before)
    ]
    shown, around = paged(call, page, inside)
    return json_answer({"clients": [wire.client(client) for client in shown], **around})


async def remove(call: Call) -> Answer:
    """DELETE …/users/{u}/clients/{client}: 400 for the client of type sdk, as the vendor has it."""
    app, _ = await acting_on_app(call, INTEGRATION)
    await call.services.database.read(app, _remove, call.params["user"], call.params["client"])
    return json_answer({})


async def list_devices_of(call: Call) -> Answer:
    """GET …/users/{u}/devices: last seen first, without paging."""
    app, _ = await acting_on_app(call, INTEGRATION)
    user, devices = await call.services.database.read(app, _devices, call.params["user"])
    return json_answer({"devices": [wire.device(device, user.client_id) for device in devices]})


async def get_device_of(call: Call) -> Answer:
    """GET …/users/{u}/devices/{device}."""
    app, _ = await acting_on_app(call, INTEGRATION)
    user, device = await call.services.database.read(app, _device, call.params["user"], call.params["device"])
    return json_answer({"device": wire.device(device, user.client_id)})


async def _clients(tx: Transaction, reference: str) -> list[SdkClient]:
    return await list_clients(tx, await get_user(tx, reference))


async def _remove(tx: Transaction, reference: str, client_id: str) -> None:
    await remove_client(tx, await get_user(tx, reference), client_id)


async def _devices(tx: Transaction, reference: str) -> tuple[User, list[Device]]:
    user = await get_user(tx, reference)
    return user, await list_devices(tx, user)


async def _device(tx: Transaction, reference: str, device_id: str) -> tuple[User, Device]:
    user = await get_user(tx, reference)
    return user, await get_device(tx, user, device_id)
