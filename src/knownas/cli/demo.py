"""`knownas demo`: serve a database with a seeded app, and say what to try."""

import secrets
import shlex

from msgspec import Struct

from knownas import __version__
from knownas.apps import App, AppSettings
from knownas.cli.apps import all_apps, make_app
from knownas.cli.database import masked, with_settings
from knownas.cli.serve import HostOption, PortOption, PublicUrlOption
from knownas.cli.terminal import DatabaseOption, say
from knownas.database import Database
from knownas.devices import DeviceInfo
from knownas.integrations import Integration
from knownas.keys import Key
from knownas.keys.create import create_key
from knownas.keys.tokens import UserClaims
from knownas.sessions.log_in import log_in
from knownas.sessions.start import start_anonymous
from knownas.settings import load_settings
from knownas.storage.open import sqlite_path
from knownas.transaction import Transaction
from knownas.users import UserChanges

APP_NAME = "Acme"


class Demo(Struct, frozen=True):
    """The seeded app and the key that its business signs with."""

    app: App
    key: Key


def demo(
    host: HostOption = None,
    port: PortOption = None,
    database: DatabaseOption = None,
    public_url: PublicUrlOption = None,
) -> None:
    """Serve a demo: an app "Acme" with a key and a few users, made at the first start and kept."""
    from knownas.cli import serving  # all of the server, which no other command needs

    # Whoever tries a webhook has its receiver on the same machine.
    settings = load_settings(
        host=host, port=port, database=database, workers=1, public_url=public_url, webhook_private_addresses=True
    )
    serving.check(settings)
    listening = serving.listen(settings.host, settings.port)
    ready = with_settings(settings, open_demo, create=True)
    url = serving.url_of(listening)
    say(_instructions(ready, url, settings.database))
    line = f"Knownas {__version__} serves {url} from {masked(settings.database)}"
    serving.run(settings, listening, lambda: say(line))


async def open_demo(database: Database) -> Demo:
    """The demo's app, made and filled where it is not there yet."""
    app = next((app for app in await database.read(database.new_app(), all_apps) if app.display_name == APP_NAME), None)
    if app is None:
        made = await make_app(database, APP_NAME, ("web", "ios"), AppSettings(use_animal_names=True))
        await _add_people(database, made.app, made.key, *made.integrations)
        return Demo(made.app, made.key)
    for key in await database.read(app, _keys):
        if key.secret:
            return Demo(app, key)
    return Demo(app, await database.write(app, create_key, app.account_id, "default"))


async def _keys(tx: Transaction) -> list[Key]:
    return await tx.keys.all()


async def _add_people(database: Database, app: App, key: Key, web: Integration, ios: Integration) -> None:
    """Two who signed in, one of them on two devices, and one who only looks around."""

    def device(integration: Integration) -> DeviceInfo:
        return DeviceInfo(secrets.token_hex(16), integration.type, integration.id, {"demo": True})

    def claims(external_id: str, name: str, email: str) -> UserClaims:
        return UserClaims(key.id, app.id, external_id, email, True, name, None, None)

    ada, grace = claims("1001", "Ada Lovelace", "ada@example.org"), claims("1002", "Grace Hopper", "grace@example.org")
    await database.write(app, log_in, ada, device(web), None)
    await database.write(app, log_in, ada, device(ios), None)
    await database.write(app, log_in, grace, device(ios), None)
    await database.write(app, start_anonymous, UserChanges(locale="en-GB"), device(web))


def _instructions(ready: Demo, url: str, database: str) -> str:
    """What to type next. A file of SQLite's is named so that commands find it from any folder."""
    path, where = sqlite_path(database), masked(database)
    here = f"\n    export KNOWNAS_DATABASE={shlex.quote(f'sqlite:///{path.absolute()}')}" if path else ""
    return f"""Knownas {__version__}, a demo: its app "{ready.app.display_name}" and its users are kept in {where}.

Paste this into another terminal, in this folder:

    export BASE={url}
    export APP={ready.app.id}
    export KEY={ready.key.id}
    export SECRET={ready.key.secret}{here}
    export PATH="$PWD/.venv/bin:$PATH"

Then follow the tour in README.md or the story in docs/how-to/settle-a-conflict.md, or begin with:

    TOKEN=$(knownas token --key $KEY --secret $SECRET --external-id 1234 --email user@example.org --email-verified)
    curl $BASE/sdk/v2/apps/$APP/login -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
      -d '{{"client": {{"id": "phone", "platform": "ios"}}}}'
    curl -u $KEY:$SECRET $BASE/v2/apps/$APP/users/1234
    knownas explain $TOKEN

This is a demo: a server shows a key's secret once, when the key is made, and never again. Ctrl-C ends it.
"""
