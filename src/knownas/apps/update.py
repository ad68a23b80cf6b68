"""Change an app's name, settings and metadata."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType, structs

from knownas.apps import App, AppNotFound, AppSettings, AppUpdated, require_multi_conversation_rules
from knownas.transaction import Transaction
from knownas.users.metadata import merge_metadata
from knownas.users.update import same


async def get_app(tx: Transaction) -> App:
    """The app that this transaction is bound to. Raises AppNotFound."""
    app = await tx.apps.by_id(tx.app_id)
    if app is None:
        raise AppNotFound
    return app


async def update_app(
    tx: Transaction,
    display_name: str | None,
    settings: dict[str, Any],
    metadata: dict[str, Any] | None | UnsetType = UNSET,
) -> App:
    """Change what is given and keep the rest; `settings` are by their wire names, checked already by the edge.

    Raises AppNotFound, InvalidApp, InvalidMetadata. Emits app.updated when anything changed.
    """
    app = await get_app(tx)
    changed_settings = msgspec.convert({**msgspec.to_builtins(app.settings), **settings}, AppSettings)
    require_multi_conversation_rules(app.settings, changed_settings)
    changed = structs.replace(
        app,
        display_name=display_name or app.display_name,
        settings=changed_settings,
        metadata=app.metadata if metadata is UNSET else merge_metadata(app.metadata, metadata, subject="App"),
    )
    if changed != app or not same(changed.metadata, app.metadata):
        tx.apps.update(changed)
        tx.emit(AppUpdated(app.id))
    return changed
