"""`knownas users`: find out who somebody is."""

from typing import Annotated, Any

import typer

from knownas.apps import App
from knownas.cli.database import app_at, with_database
from knownas.cli.terminal import AppOption, DatabaseOption, JsonOption, Refused, say, show_fields, show_json
from knownas.database import Database
from knownas.devices import Device
from knownas.devices.clients import list_devices
from knownas.times import iso
from knownas.transaction import Transaction
from knownas.users import User, UserNotFound
from knownas.users.find import get_user, list_by_email
from knownas.users.names import display_name

Found = list[tuple[User, list[Device]]]
commands = typer.Typer(help="Users: whom a business talks to.", no_args_is_help=True)


@commands.command("find")
def find(
    app: AppOption,
    reference: Annotated[str | None, typer.Argument(metavar="[ID]", help="An id or an external id.")] = None,
    external_id: Annotated[str | None, typer.Option("--external-id", help="An external id, exactly.")] = None,
    email: Annotated[str | None, typer.Option("--email", help="An e-mail identity, in any spelling.")] = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a user with identities and devices. Former ids of merged users find the survivor."""
    given = [value for value in (reference, external_id, email) if value is not None]
    if len(given) != 1:
        raise Refused("bad_request", "Name the user in one way: an id, --external-id or --email")
    bound, found = with_database(database, lambda opened: _find(opened, app, reference, external_id, email))
    animal_names = bound.settings.use_animal_names
    if as_json:
        show_json({"users": [_shown(user, devices, animal_names) for user, devices in found]})
        return
    for number, (user, devices) in enumerate(found):
        if number:
            say("")
        show_fields(_fields(user, devices, animal_names))


async def _find(
    database: Database, app_id: str, reference: str | None, external_id: str | None, email: str | None
) -> tuple[App, Found]:
    app = await app_at(database, app_id)
    return app, await database.read(app, _look_up, reference, external_id, email)


async def _look_up(tx: Transaction, reference: str | None, external_id: str | None, email: str | None) -> Found:
    """Raises UserNotFound when nobody is found."""
    if reference is not None:
        users = [await get_user(tx, reference)]
    elif external_id is not None:
        user = await tx.users.by_external_id(external_id)
        users = [user] if user else []
    else:
        users = await list_by_email(tx, email or "")
    if not users:
        raise UserNotFound
    return [(user, await list_devices(tx, user)) for user in users]


def _shown(user: User, devices: list[Device], animal_names: bool) -> dict[str, Any]:
    return {
        "id": user.id,
        "externalId": user.external_id,
        "displayName": display_name(user, animal_names=animal_names),
        "authenticated": user.authenticated,
        "email": user.email,
        "createdAt": iso(user.created_at),
        "mergedUsers": user.absorbed,
        "identities": [
            {
                "type": identity.type,
                "value": identity.value,
                "owned": identity.owned,
                "verification": identity.verification,
            }
            for identity in user.identities
        ],
        "devices": [
            {
                "id": device.id,
                "guid": device.guid,
                "platform": device.platform,
                "status": device.status,
                "lastSeen": iso(device.last_seen),
                "integrationId": device.integration_id,
            }
            for device in devices
        ],
    }


def _fields(user: User, devices: list[Device], animal_names: bool) -> list[tuple[str, Any]]:
    fields: list[tuple[str, Any]] = [
        ("user", display_name(user, animal_names=animal_names)),
        ("id", user.id),
        ("external id", user.external_id or "none: she is anonymous"),
        ("created", iso(user.created_at)),
    ]
    if user.email:
        fields.append(("e-mail (label)", user.email))
    if user.absorbed:
        fields.append(("merged into her", user.absorbed))
    fields += [
        (f"identity, {identity.type}", f"{identity.value} ({identity.verification})") for identity in user.identities
    ]
    fields += [
        (f"device, {device.platform}", f"{device.guid} ({device.status}, last seen {iso(device.last_seen)})")
        for device in devices
    ]
    return fields
