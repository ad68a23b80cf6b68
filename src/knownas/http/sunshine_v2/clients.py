"""Clients and devices of a user: link, list, get, remove."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from knownas.clients import Client, Link, LinkedClient
from knownas.clients.find import list_clients
from knownas.clients.link import link_client
from knownas.clients.remove import remove_client
from knownas.devices import Device
from knownas.devices.clients import get_device, list_devices
from knownas.http.call import Answer, Call, json_answer
from knownas.http.decode import InvalidBody
from knownas.http.sunshine_v2 import wire
from knownas.http.sunshine_v2.brand import brand_of
from knownas.http.sunshine_v2.paging import page_of, paged
from knownas.http.sunshine_v2.scope import INTEGRATION, acting_on_app
from knownas.transaction import Transaction
from knownas.users import User
from knownas.users.find import get_user

Text = Annotated[str, Meta(min_length=1, max_length=256)]


class MatchCriteria(Struct, rename="camel"):
    """`matchCriteria` of any type."""

    type: Text
    integration_id: Text
    phone_number: Text | None = None
    address: Text | None = None
    subject: Text | None = None
    primary: bool = True


class ConfirmationBody(Struct):
    """`confirmation`."""

    type: Literal["immediate", "userActivity", "prompt"]
    message: dict[str, Any] | None = None


class Target(Struct, rename="camel"):
    """`target`."""

    conversation_id: Text


class ClientCreateBody(Struct, rename="camel"):
    """`clientCreate`."""

    match_criteria: MatchCriteria
    confirmation: ConfirmationBody
    target: Target

    def link(self) -> Link:
        """What is asked for. Raises InvalidBody when the criteria lack what their type is matched by."""
        criteria = self.match_criteria
        name = "address" if criteria.type == "mailgun" else "phoneNumber"
        address = criteria.address if criteria.type == "mailgun" else criteria.phone_number
        if address is None:
            raise InvalidBody(f"matchCriteria should have required property '{name}'")
        return Link(
            criteria.type,
            criteria.integration_id,
            address,
            self.target.conversation_id,
            self.confirmation.type,
            criteria.subject,
            criteria.primary,
            self.confirmation.message,
        )


async def create(call: Call) -> Answer:
    """POST …/users/{u}/clients: 201 and a client that waits until its channel's connector moves it (connectors.py)."""
    app, _ = await acting_on_app(call, INTEGRATION)
    body = await call.json(ClientCreateBody)
    client = await call.services.database.write(app, _link, call.params["user"], brand_of(call), body.link())
    return json_answer({"client": wire.client(client)}, 201)


async def list_page(call: Call) -> Answer:
    """GET …/users/{u}/clients."""
    app, _ = await acting_on_app(call, INTEGRATION)
    page = page_of(call)
    clients = await call.services.database.read(
        app,
        _clients,
        call.params["user"],
        brand_of(call),
        after=page.after,
        before=page.before,
        limit=page.size + 1,
    )
    shown, around = paged(call, page, clients)
    return json_answer({"clients": [wire.client(client) for client in shown], **around})


async def remove(call: Call) -> Answer:
    """DELETE …/users/{u}/clients/{client}: 400 for the client of type sdk, as the vendor has it."""
    app, _ = await acting_on_app(call, INTEGRATION)
    await call.services.database.write(app, _remove, call.params["user"], brand_of(call), call.params["client"])
    return json_answer({})


async def list_devices_of(call: Call) -> Answer:
    """GET …/users/{u}/devices: last seen first, without paging."""
    app, _ = await acting_on_app(call, INTEGRATION)
    user, devices = await call.services.database.read(app, _devices, call.params["user"], brand_of(call))
    return json_answer({"devices": [wire.device(device, user.client_id) for device in devices]})


async def get_device_of(call: Call) -> Answer:
    """GET …/users/{u}/devices/{device}."""
    app, _ = await acting_on_app(call, INTEGRATION)
    user, device = await call.services.database.read(
        app, _device, call.params["user"], brand_of(call), call.params["device"]
    )
    return json_answer({"device": wire.device(device, user.client_id)})


async def _link(tx: Transaction, reference: str, brand_id: str | None, link: Link) -> LinkedClient:
    return await link_client(tx, await get_user(tx, reference, brand_id), link)


async def _clients(
    tx: Transaction, reference: str, brand_id: str | None, *, after: str | None, before: str | None, limit: int
) -> list[Client]:
    user = await get_user(tx, reference, brand_id)
    return await list_clients(tx, user, after=after, before=before, limit=limit)


async def _remove(tx: Transaction, reference: str, brand_id: str | None, client_id: str) -> None:
    await remove_client(tx, await get_user(tx, reference, brand_id), client_id)


async def _devices(tx: Transaction, reference: str, brand_id: str | None) -> tuple[User, list[Device]]:
    user = await get_user(tx, reference, brand_id)
    return user, await list_devices(tx, user)


async def _device(tx: Transaction, reference: str, brand_id: str | None, device_id: str) -> tuple[User, Device]:
    user = await get_user(tx, reference, brand_id)
    return user, await get_device(tx, user, device_id)
