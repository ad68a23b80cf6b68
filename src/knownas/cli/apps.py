"""`knownas apps`: make and list apps."""

from typing import Annotated

import typer

from knownas.apps import App, AppSettings
from knownas.apps.create import open_account
from knownas.apps.equip import EquippedApp, equip_app
from knownas.cli.database import with_database
from knownas.cli.terminal import DatabaseOption, JsonOption, Refused, say, show_fields, show_json, show_table
from knownas.database import Database
from knownas.integrations import SDK_PLATFORMS, SdkPlatform
from knownas.times import iso
from knownas.transaction import Transaction

NAME_CHARACTERS = 100
LISTED_AT_MOST = 1000
commands = typer.Typer(help="Apps: pools of users in which identities are unique.", no_args_is_help=True)


@commands.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What people call the app.")],
    platform: Annotated[str, typer.Option("--platform", help="Of the integration: web, ios or android.")] = "web",
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an app with a key to sign with and an integration to embed. The key's secret is shown this once."""
    check_name(name)
    if platform not in SDK_PLATFORMS:
        raise Refused("bad_request", f"The platform is one of {', '.join(SDK_PLATFORMS)}")
    made = with_database(database, lambda opened: make_app(opened, name, (platform,)), create=True)
    integration = made.integrations[0]
    if as_json:
        show_json(
            {
                "app": {"id": made.app.id},
                "key": {"id": made.key.id, "secret": made.key.secret},
                "integration": {"id": integration.id},
                "account": {"id": made.account.id},
            }
        )
        return
    show_fields(
        [
            ("app", made.app.id),
            ("key", made.key.id),
            ("secret", made.key.secret),
            (f"integration ({integration.type})", integration.id),
            ("account", made.account.id),
        ]
    )
    say("\nKeep the secret now: it is shown this once. Whoever has it can sign in as any user of this app.")


@commands.command("list")
def list_all(database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """List the apps."""
    apps = with_database(database, lambda opened: opened.read(opened.new_app(), all_apps))
    if as_json:
        show_json(
            {
                "apps": [
                    {"id": app.id, "displayName": app.display_name, "createdAt": iso(app.created_at)} for app in apps
                ]
            }
        )
    else:
        show_table(("app", "name", "created"), [(app.id, app.display_name, iso(app.created_at)) for app in apps])


def check_name(name: str) -> None:
    """Refuse names that the API would refuse."""
    if not name.strip() or len(name) > NAME_CHARACTERS:
        raise Refused("bad_request", f"A name has 1 to {NAME_CHARACTERS} characters")


async def make_app(
    database: Database, name: str, platforms: tuple[SdkPlatform, ...], settings: AppSettings | None = None
) -> EquippedApp:
    """The app with its key and its integrations, all or nothing; the account is made before it where there is none."""
    binding = database.new_app()
    account = await database.write(binding, open_account)
    return await database.write(binding, equip_app, account, name, platforms, settings)


async def all_apps(tx: Transaction) -> list[App]:
    """The apps of this installation's account."""
    account = await tx.accounts.first()
    return await tx.apps.page(account.id, after=None, before=None, limit=LISTED_AT_MOST) if account else []
