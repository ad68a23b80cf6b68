"""Remove an app with everything in it."""

from knownas.apps.update import get_app
from knownas.transaction import Transaction


async def delete_app(tx: Transaction) -> None:
    """Remove the app, its users, integrations and keys; its tokens die with the keys. Raises AppNotFound."""
    app = await get_app(tx)
    tx.apps.remove(app.id)
