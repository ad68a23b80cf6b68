"""Make a new, empty app."""

from typing import Any

from knownas.accounts import Account
from knownas.apps import App, AppCreated, AppSettings, require_multi_conversation_rules
from knownas.transaction import Transaction
from knownas.users.metadata import check_metadata


async def create_app(
    tx: Transaction,
    account_id: str,
    display_name: str,
    settings: AppSettings | None = None,
    metadata: dict[str, Any] | None = None,
) -> App:
    """Make the app that this transaction is bound to. Emits app.created.

    Raises InvalidApp or InvalidMetadata for settings or metadata that cannot be.
    """
    settings = settings or AppSettings()
    require_multi_conversation_rules(AppSettings(), settings)
    app = App(tx.app_id, account_id, display_name, settings, check_metadata(metadata or {}, subject="App"), tx.now)
    tx.apps.add(app)
    tx.emit(AppCreated(app.id))
    return app


async def open_account(tx: Transaction, display_name: str = "default") -> Account:
    """The account of this installation, made at the first call."""
    account = await tx.accounts.first()
    if account is None:
        account = Account(tx.new_id(), display_name, tx.now)
        tx.accounts.add(account)
    return account
