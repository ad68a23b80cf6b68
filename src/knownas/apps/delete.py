"""Remove an app with everything in it."""

from typing import Final

from knownas.apps.update import get_app
from knownas.transaction import Transaction

UNDER_WAY_MS: Final = 120_000


async def delete_app(tx: Transaction) -> None:
    """Remove the app, its users, integrations and keys; its tokens die with the keys. Raises AppNotFound."""
    app = await get_app(tx)
    tx.apps.remove(app.id)


async def removed_apps(tx: Transaction) -> list[str]:
    """Some apps that were removed so long ago that no request of theirs is under way any more."""
    return await tx.apps.removed_before(tx.now - UNDER_WAY_MS)


async def sweep_app(tx: Transaction, app_id: str) -> None:
    """Remove what requests that were under way wrote into an app after its removal."""
    tx.apps.sweep(app_id)
