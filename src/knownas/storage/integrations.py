"""Stored integrations, their secrets sealed."""

from typing import Final

import msgspec

from knownas.integrations import Integration
from knownas.storage.parameters import id_list
from knownas.storage.unit import Row, Unit
from knownas.storage.vault import Vault

_COLUMNS: Final = "app_id, id, type, display_name, settings, created_at, sealed_secrets, revision"
BY_ID: Final = f"SELECT {_COLUMNS} FROM integrations WHERE app_id = $1 AND id = $2"  # noqa: S608
ANYWHERE: Final = f"SELECT {_COLUMNS} FROM integrations WHERE id = $1"  # noqa: S608
OF_TYPE: Final = f"SELECT {_COLUMNS} FROM integrations WHERE app_id = $1 AND type = $2 ORDER BY id LIMIT 2"  # noqa: S608
PAGE: Final = f"SELECT {_COLUMNS} FROM integrations WHERE app_id = $1"  # noqa: S608
INSERT: Final = """
    INSERT INTO integrations (app_id, id, type, display_name, settings, created_at, sealed_secrets, revision)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""
RELY: Final = "UPDATE integrations SET revision = revision + 1 WHERE app_id = $1 AND id = $2 AND revision = $3"
UPDATE: Final = """
    UPDATE integrations SET display_name = $3, settings = $4, sealed_secrets = $5, revision = revision + 1
    WHERE app_id = $1 AND id = $2 AND revision = $6"""
REMOVE: Final = "DELETE FROM integrations WHERE app_id = $1 AND id = $2 AND revision = $3"
REMOVE_KEYS: Final = "DELETE FROM keys WHERE app_id = $1 AND integration_id = $2"


class IntegrationRows:
    """Integrations (knownas.integrations.Integrations) as rows."""

    __slots__ = ("_unit", "_vault")

    def __init__(self, unit: Unit, vault: Vault) -> None:
        self._unit = unit
        self._vault = vault

    async def by_id(self, integration_id: str) -> Integration | None:
        """The app's integration, or None."""
        row = await self._unit.row(BY_ID, integration_id)
        return integration_of(row, self._vault) if row else None

    async def of_type(self, type: str) -> list[Integration]:
        """The two oldest of this type."""
        return [integration_of(row, self._vault) for row in await self._unit.rows(OF_TYPE, type)]

    async def page(self, types: list[str], *, after: str | None, before: str | None, limit: int) -> list[Integration]:
        """Integrations in creation order on one side of an id."""
        where = f"{PAGE} AND type IN {id_list(types)}" if types else PAGE
        cursor, limited = f"${len(types) + 2}", f"LIMIT ${len(types) + 3}"
        if before is not None:
            rows = await self._unit.rows(f"{where} AND id < {cursor} ORDER BY id DESC {limited}", *types, before, limit)
            rows = list(reversed(rows))
        else:
            rows = await self._unit.rows(f"{where} AND id > {cursor} ORDER BY id {limited}", *types, after or "", limit)
        return [integration_of(row, self._vault) for row in rows]

    def add(self, integration: Integration) -> None:
        """Hold the new integration."""
        self._unit.hold(
            INSERT, integration.id, integration.type, integration.display_name, _json(integration.settings),
            integration.created_at, self._sealed(integration), integration.revision,
        )  # fmt: skip

    def rely_on(self, integration: Integration) -> None:
        """Guard the row, and have those lose who decided on it before."""
        self._unit.hold(RELY, integration.id, integration.revision, must=True)

    def update(self, integration: Integration) -> None:
        """Hold the new state, guarded."""
        self._unit.stale = True
        self._unit.hold(
            UPDATE, integration.id, integration.display_name, _json(integration.settings), self._sealed(integration),
            integration.revision, must=True,
        )  # fmt: skip

    def remove(self, integration: Integration) -> None:
        """Hold the removal of the row, guarded, and of the integration's keys."""
        self._unit.stale = True
        self._unit.hold(REMOVE, integration.id, integration.revision, must=True)
        self._unit.hold(REMOVE_KEYS, integration.id)

    def _sealed(self, integration: Integration) -> str | None:
        return self._vault.seal(_json(integration.credentials), integration.id) if integration.credentials else None


def integration_of(row: Row, vault: Vault | None = None) -> Integration:
    """The integration in _COLUMNS; its secrets are opened only with a vault."""
    secrets = msgspec.json.decode(vault.open(row[6], row[1])) if vault is not None and row[6] is not None else {}
    return Integration(row[0], row[1], row[2], row[3], msgspec.json.decode(row[4]), row[5], secrets, row[7])


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
