"""Stored resolutions."""

from typing import Any, Final

import msgspec

from knownas.identities import IdentityType
from knownas.resolutions import Resolution
from knownas.storage.unit import Row, Unit
from knownas.storage.users import to_json

_COLUMNS: Final = """id, case_id, action, type, key, owner_id, claimant, claimant_id, actor, note, merge_id, before,
    created_at, undone_at, undone_by"""
_SELECT: Final = f"SELECT {_COLUMNS} FROM resolutions WHERE app_id = $1"  # noqa: S608
BY_ID: Final = f"{_SELECT} AND id = $2"
BY_MERGE: Final = f"{_SELECT} AND merge_id = $2"
OF_IDENTITY: Final = f"{_SELECT} AND type = $2 AND key = $3 ORDER BY id LIMIT 100"
OF_CASE: Final = f"{_SELECT} AND case_id = $2 ORDER BY id LIMIT 100"
LATER: Final = f"{_SELECT} AND case_id = $2 AND id > $3 AND undone_at IS NULL LIMIT 1"
INSERT: Final = """
    INSERT INTO resolutions (app_id, id, case_id, action, type, key, owner_id, claimant, claimant_id, actor, note,
        merge_id, before, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"""
UNDO: Final = """
    UPDATE resolutions SET undone_at = $3, undone_by = $4 WHERE app_id = $1 AND id = $2 AND undone_at IS NULL"""

_BEFORE: Final = 11  # where it stands among the columns
_decode_before: Final = msgspec.json.Decoder(dict[str, Any]).decode


class ResolutionRows:
    """Resolutions (knownas.resolutions.Resolutions) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def by_id(self, resolution_id: str) -> Resolution | None:
        """The resolution, or None."""
        row = await self._unit.row(BY_ID, resolution_id)
        return _resolution_of(row) if row else None

    async def by_merge(self, merge_id: str) -> Resolution | None:
        """The resolution that the merge belongs to, or None."""
        row = await self._unit.row(BY_MERGE, merge_id)
        return _resolution_of(row) if row else None

    async def of_identity(self, type: IdentityType, key: str) -> list[Resolution]:
        """Oldest first."""
        return [_resolution_of(row) for row in await self._unit.rows(OF_IDENTITY, type, key)]

    async def of_case(self, case_id: str) -> list[Resolution]:
        """Oldest first."""
        return [_resolution_of(row) for row in await self._unit.rows(OF_CASE, case_id)]

    async def later(self, case_id: str, resolution_id: str) -> bool:
        """Whether a later one is not undone."""
        return await self._unit.row(LATER, case_id, resolution_id) is not None

    def add(self, resolution: Resolution) -> None:
        """Hold the new row."""
        self._unit.hold(
            INSERT, resolution.id, resolution.case_id, resolution.action, resolution.type, resolution.key,
            resolution.owner_id, resolution.claimant, resolution.claimant_id, resolution.actor, resolution.note,
            resolution.merge_id, to_json(resolution.before), resolution.created_at,
        )  # fmt: skip

    def undo(self, resolution: Resolution, actor: str, at: int) -> None:
        """Hold that it was undone, which happens once."""
        self._unit.hold(UNDO, resolution.id, at, actor, must=True)


def _resolution_of(row: Row) -> Resolution:
    values: list[Any] = list(row)
    values[_BEFORE] = _decode_before(values[_BEFORE])
    return Resolution(*values)
