"""Stored integrations."""

from typing import Final

import msgspec

from knownas.integrations import Integration
from knownas.storage.unit import Row, Unit

_COLUMNS: Final = "app_id, id, type, display_name, settings, created_at"
BY_ID: Final = f"SELECT {_COLUMNS} FROM integrations WHERE app_id = $1 AND id = $2"  # noqa: S608
ANYWHERE: Final = f"SELECT {_COLUMNS} FROM integrations WHERE id = $1"  # noqa: S608
INSERT: Final = """
    INSERT INTO integrations (app_id, id, type, display_name, settings, created_at) VALUES ($1, $2, $3, $4, $5, $6)"""


class IntegrationRows:
    """Integrations (knownas.integrations.Integrations) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def by_id(self, integration_id: str) -> Integration | None:
        """The app's integration, or None."""
        row = await self._unit.row(BY_ID, integration_id)
        return integration_of(row) if row else None

    def add(self, integration: Integration) -> None:
        """Hold the new integration."""
        self._unit.hold(
            INSERT, integration.id, integration.type, integration.display_name,
            msgspec.json.encode(integration.settings).decode(), integration.created_at,
        )  # fmt: skip


def integration_of(row: Row) -> Integration:
    """The integration in _COLUMNS."""
    return Integration(row[0], row[1], row[2], row[3], msgspec.json.decode(row[4]), row[5])
