"""`knownas keys`: make, list and delete keys."""

from pathlib import Path
from typing import Annotated

import typer

from knownas.apps.create import open_account
from knownas.cli.apps import check_name
from knownas.cli.database import app_at, with_database
from knownas.cli.terminal import DatabaseOption, JsonOption, Refused, say, show_fields, show_json, show_table
from knownas.database import Database
from knownas.keys import MAX_PEM_CHARACTERS, Key, KeyNotFound
from knownas.keys.create import create_key
from knownas.keys.delete import delete_account_key, delete_key
from knownas.times import iso
from knownas.transaction import Transaction

commands = typer.Typer(help="Keys: what a business signs tokens and requests with.", no_args_is_help=True)


@commands.command("create")
def create(
    app: Annotated[str | None, typer.Option("--app", help="The app whose users the key may sign in.")] = None,
    account: Annotated[bool, typer.Option("--account", help="A key of the account, for making apps and keys.")] = False,
    name: Annotated[str, typer.Option("--name", help="What people call the key.")] = "default",
    public_key: Annotated[
        Path | None,
        typer.Option(
            "--public-key",
            exists=True,
            dir_okay=False,
            help="A PEM file: RSA, P-256 or Ed25519; its other half stays yours.",
        ),
    ] = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key for an app or for the account. A secret is shown this once."""
    check_name(name)
    if (app is None) != account:
        raise Refused("bad_request", "A key is for one of the two: --app ID or --account")
    pem = _read(public_key) if public_key else None
    if app is not None:
        key = with_database(database, lambda opened: _create_for_app(opened, app, name, pem))
    else:
        key = with_database(database, lambda opened: _create_for_account(opened, name, pem), create=True)
    if as_json:
        show_json({"key": {"id": key.id} | ({"secret": key.secret} if key.secret else {})})
        return
    show_fields([("key", key.id), ("algorithm", key.algorithm), *([("secret", key.secret)] if key.secret else [])])
    if key.secret:
        say("\nKeep the secret now: it is shown this once.")


@commands.command("list")
def list_all(
    app: Annotated[str, typer.Option("--app", help="The app.")],
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """List an app's keys, without their secrets."""
    keys = with_database(database, lambda opened: _list(opened, app))
    if as_json:
        shown = [
            {
                "id": key.id,
                "displayName": key.display_name,
                "algorithm": key.algorithm,
                "createdAt": iso(key.created_at),
            }
            for key in keys
        ]
        show_json({"keys": shown})
    else:
        rows = [(key.id, key.display_name, key.algorithm, iso(key.created_at)) for key in keys]
        show_table(("key", "name", "algorithm", "created"), rows)


@commands.command("delete")
def delete(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="The key's id.")],
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a key: every token that it signed is refused within a second."""
    with_database(database, lambda opened: _delete(opened, key_id))
    if as_json:
        show_json({"key": {"id": key_id}})
    else:
        say(f"Deleted {key_id}; what it signed is accepted no more.")


async def _create_for_app(database: Database, app_id: str, name: str, pem: str | None) -> Key:
    app = await app_at(database, app_id)
    return await database.write(app, create_key, app.account_id, name, public_key=pem)


async def _create_for_account(database: Database, name: str, pem: str | None) -> Key:
    account = await database.write(database.new_app(), open_account)
    return await database.write(database.new_app(), create_key, account.id, name, "account", public_key=pem)


async def _list(database: Database, app_id: str) -> list[Key]:
    return await database.read(await app_at(database, app_id), _all)


async def _all(tx: Transaction) -> list[Key]:
    return await tx.keys.all()


async def _delete(database: Database, key_id: str) -> None:
    key = await database.read(database.new_app(), find_key, key_id)
    if key is None:
        raise KeyNotFound
    if key.app_id is None:
        await database.write(database.new_app(), delete_account_key, key_id)
    else:
        await database.write(await app_at(database, key.app_id), delete_key, key_id, key.integration_id)


async def find_key(tx: Transaction, key_id: str) -> Key | None:
    """The live key of whichever app."""
    return await tx.keys.by_id(key_id)


def _read(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(MAX_PEM_CHARACTERS + 1).decode("ascii", "replace")
