"""Stored apps."""

from typing import Final

import msgspec

from knownas.apps import App, AppSettings
from knownas.storage import attachments
from knownas.storage.unit import Row, Unit

_COLUMNS: Final = "id, account_id, display_name, settings, metadata, created_at, revision"
BY_ID: Final = f"SELECT {_COLUMNS} FROM apps WHERE id = $1"  # noqa: S608
AFTER: Final = f"SELECT {_COLUMNS} FROM apps WHERE account_id = $1 AND id > $2 ORDER BY id LIMIT $3"  # noqa: S608
BEFORE: Final = f"SELECT {_COLUMNS} FROM apps WHERE account_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"  # noqa: S608
INSERT: Final = """
    INSERT INTO apps (id, account_id, display_name, settings, metadata, created_at, revision, seq)
    VALUES ($1, $2, $3, $4, $5, $6, 1, $7)"""
INSERT_REMOVED: Final = "INSERT INTO removed_apps (id, removed_at) VALUES ($1, $2)"
REMOVED_BEFORE: Final = "SELECT id FROM removed_apps WHERE removed_at < $1 ORDER BY removed_at LIMIT 100"
SWEPT: Final = "DELETE FROM removed_apps WHERE id = $1"
# Everything that belongs to an app.
_CONTENTS: Final = (
    "messages",
    "participants",
    "former_participants",
    "conversations",
    "oauth_tokens",
    "oauth_codes",
    "oauth_consents",
    "oauth_grants",
    "clients",
    "zendesk_links",
    "webhooks",
    "switchboard_integrations",
    "switchboards",
    "integrations",
    "identities",
    "devices",
    "sessions",
    "conflicts",
    "conflict_evidence",
    "resolutions",
    "plans",
    "plan_subjects",
    "audit",
    "audit_details",
    "audit_subjects",
    "erasures",
    "merges",
    "events",
    "users",
    "keys",
)


class AppRows:
    """Apps (knownas.apps.Apps) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def by_id(self, app_id: str) -> App | None:
        """The app, or None."""
        row = await self._unit.directory_row(BY_ID, app_id)
        return app_of(row) if row else None

    def add(self, app: App) -> None:
        """Hold the new app."""
        self._unit.stale = True
        self._unit.hold_fresh(
            app.id,
            INSERT,
            app.id,
            app.account_id,
            app.display_name,
            _json(app.settings),
            _json(app.metadata),
            app.created_at,
        )

    def rely_on(self, app: App) -> None:
        """Guard the app's row."""
        self._unit.patch(app.id).revision = app.revision

    def update(self, app: App) -> None:
        """Hold the app's new name, settings and metadata."""
        self._unit.stale = True
        self.rely_on(app)
        columns = self._unit.patch(app.id).columns
        columns["display_name"], columns["settings"], columns["metadata"] = (
            app.display_name, _json(app.settings), _json(app.metadata),
        )  # fmt: skip

    def remove(self, app_id: str) -> None:
        """Hold the removal of the app with all that is in it."""
        self._hold_emptying(app_id)
        self._unit.hold_directory("DELETE FROM apps WHERE id = $1", app_id, must=True)
        self._unit.hold_outside(INSERT_REMOVED, app_id, self._unit.now)

    async def removed_before(self, time: int) -> list[str]:
        """Apps that were removed before `time` and are still to be swept."""
        return [row[0] for row in await self._unit.directory_rows(REMOVED_BEFORE, time)]

    def sweep(self, app_id: str) -> None:
        """Hold the removal of what was written into an app while it was being removed."""
        self._hold_emptying(app_id)
        self._unit.hold_outside(SWEPT, app_id)

    def _hold_emptying(self, app_id: str) -> None:
        self._unit.hold_directory(attachments.REMOVE_OF_APP, app_id)  # their files are still to be removed
        for table in _CONTENTS:
            self._unit.hold_directory(f"DELETE FROM {table} WHERE app_id = $1", app_id)  # noqa: S608

    async def page(self, account_id: str, *, after: str | None, before: str | None, limit: int) -> list[App]:
        """Apps in creation order on one side of an id."""
        if before is not None:
            rows = await self._unit.directory_rows(BEFORE, account_id, before, limit)
            return [app_of(row) for row in reversed(rows)]
        return [app_of(row) for row in await self._unit.directory_rows(AFTER, account_id, after or "", limit)]


def app_of(row: Row) -> App:
    """The app in _COLUMNS."""
    settings = msgspec.json.decode(row[3], type=AppSettings)
    return App(row[0], row[1], row[2], settings, msgspec.json.decode(row[4]), row[5], row[6])


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
