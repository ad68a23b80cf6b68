"""`knownas oauth`: register the programs that may ask operators for access to their apps."""

from typing import Annotated

import typer

from knownas.cli.apps import check_name
from knownas.cli.database import with_database
from knownas.cli.terminal import DatabaseOption, JsonOption, say, show_fields, show_json, show_table
from knownas.database import Database
from knownas.oauth import OAuthClient
from knownas.oauth.register import list_oauth_clients, register_client, unregister_client
from knownas.times import iso

commands = typer.Typer(help="OAuth: programs that operators may connect to their apps.", no_args_is_help=True)


@commands.command("register")
def register(
    name: Annotated[str, typer.Argument(help="What operators read on the page that asks them.")],
    redirect_uris: Annotated[
        list[str],
        typer.Option("--redirect-uri", help="Where answers may be sent; compared exactly. Repeat it for several."),
    ],
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a program. Its secret is shown this once."""
    check_name(name)
    client, secret = with_database(database, lambda opened: _register(opened, name, tuple(redirect_uris)))
    if as_json:
        show_json({"client": {**_shown(client), "secret": secret}})
        return
    show_fields([("client", client.id), ("secret", secret), *(("redirect", uri) for uri in client.redirect_uris)])
    say("\nKeep the secret now: it is shown this once.")


@commands.command("list")
def list_all(database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """List the registered programs, without their secrets."""
    clients = with_database(database, lambda opened: opened.read(opened.new_app(), list_oauth_clients))
    if as_json:
        show_json({"clients": [_shown(client) for client in clients]})
    else:
        rows = [
            (client.id, client.display_name, " ".join(client.redirect_uris), iso(client.created_at))
            for client in clients
        ]
        show_table(("client", "name", "redirects", "registered"), rows)


@commands.command("delete")
def delete(
    client_id: Annotated[str, typer.Argument(metavar="CLIENT", help="The program's client id.")],
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a program: its access tokens are refused within a second."""
    with_database(database, lambda opened: opened.write(opened.new_app(), unregister_client, client_id))
    if as_json:
        show_json({"client": {"id": client_id}})
    else:
        say(f"Deleted {client_id}; its access tokens are accepted no more.")


async def _register(database: Database, name: str, redirect_uris: tuple[str, ...]) -> tuple[OAuthClient, str]:
    return await database.write(database.new_app(), register_client, name, redirect_uris)


def _shown(client: OAuthClient) -> dict[str, object]:
    return {
        "id": client.id,
        "displayName": client.display_name,
        "redirectUris": list(client.redirect_uris),
        "createdAt": iso(client.created_at),
    }
