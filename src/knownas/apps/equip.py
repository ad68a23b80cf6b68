"""Make an app with what it takes to use it."""

from msgspec import Struct

from knownas.accounts import Account
from knownas.apps import App, AppSettings
from knownas.apps.create import create_app
from knownas.integrations import Integration, SdkPlatform
from knownas.integrations.create import create_integration
from knownas.keys import Key
from knownas.keys.create import create_key
from knownas.transaction import Transaction


class EquippedApp(Struct, frozen=True):
    """An app with a key to sign with and places where it meets its users."""

    account: Account
    app: App
    key: Key
    integrations: list[Integration]


async def equip_app(
    tx: Transaction, account: Account, name: str, platforms: tuple[SdkPlatform, ...], settings: AppSettings | None
) -> EquippedApp:
    """Make the app that this transaction is bound to, a key and an integration for each platform: all or nothing.

    Raises InvalidApp. Emits app.created, key.created, integration.created.
    """
    key = await create_key(tx, account.id, "default")
    app = await create_app(tx, account.id, name, settings)
    return EquippedApp(account, app, key, [await create_integration(tx, platform) for platform in platforms])
