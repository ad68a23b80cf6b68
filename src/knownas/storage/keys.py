"""Stored keys, their secrets sealed."""

from typing import Final

from knownas.keys import Key
from knownas.storage.unit import Row, Unit
from knownas.storage.vault import Vault

_COLUMNS: Final = (
    "id, account_id, app_id, integration_id, algorithm, display_name, created_at, public_key, sealed_secret"
)
BY_ID: Final = f"SELECT {_COLUMNS} FROM keys WHERE id = $1"  # noqa: S608
OF_APP: Final = f"SELECT {_COLUMNS} FROM keys WHERE app_id = $1 AND integration_id IS NULL ORDER BY id LIMIT 100"  # noqa: S608
OF_INTEGRATION: Final = f"SELECT {_COLUMNS} FROM keys WHERE app_id = $1 AND integration_id = $2 ORDER BY id LIMIT 100"  # noqa: S608
ANY_SECRET: Final = "SELECT id, sealed_secret FROM keys WHERE sealed_secret IS NOT NULL LIMIT 1"
INSERT: Final = """
    INSERT INTO keys (id, account_id, app_id, integration_id, algorithm, display_name, created_at, public_key,
        sealed_secret)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""
DELETE: Final = "DELETE FROM keys WHERE id = $1"


class KeyRows:
    """Keys (knownas.keys.Keys) as rows."""

    __slots__ = ("_unit", "_vault")

    def __init__(self, unit: Unit, vault: Vault) -> None:
        self._unit = unit
        self._vault = vault

    async def by_id(self, key_id: str) -> Key | None:
        """The key with its secret, or None."""
        row = await self._unit.directory_row(BY_ID, key_id)
        return key_of(row, self._vault) if row else None

    def add(self, key: Key) -> None:
        """Hold the new key, its secret sealed to the key's id."""
        sealed = None if key.secret is None else self._vault.seal(key.secret, key.id)
        self._unit.hold_directory(
            INSERT, key.id, key.account_id, key.app_id, key.integration_id, key.algorithm, key.display_name,
            key.created_at, key.public_key, sealed,
        )  # fmt: skip

    def remove(self, key_id: str) -> None:
        """Hold the removal of the key; its tokens die with it."""
        self._unit.hold_directory(DELETE, key_id, must=True)

    async def all(self, integration_id: str | None = None) -> list[Key]:
        """The app's keys, or those of one of its integrations, oldest first; at most 100."""
        if integration_id is None:
            rows = await self._unit.rows(OF_APP)
        else:
            rows = await self._unit.rows(OF_INTEGRATION, integration_id)
        return [key_of(row, self._vault) for row in rows]


def key_of(row: Row, vault: Vault) -> Key:
    """The key in _COLUMNS, its secret opened."""
    secret = None if row[8] is None else vault.open(row[8], row[0])
    return Key(
        id=row[0], account_id=row[1], app_id=row[2], integration_id=row[3], algorithm=row[4], display_name=row[5],
        created_at=row[6], public_key=row[7], secret=secret,
    )  # fmt: skip
