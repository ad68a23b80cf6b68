"""The stored merge journal."""

from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec

from knownas.merges import Merge
from knownas.storage.parameters import chunks, id_list
from knownas.storage.unit import Row, Unit
from knownas.storage.users import to_json

_COLUMNS: Final = """id, surviving, discarded, reason, before, discarded_metadata, created_at, actor, note, undone_at,
    undone_by"""
BY_ID: Final = f"SELECT {_COLUMNS} FROM merges WHERE app_id = $1 AND id = $2"  # noqa: S608
OF_USERS: Final = f"""
    SELECT {_COLUMNS} FROM merges
    WHERE app_id = $1 AND (surviving IN {{ids}} OR discarded IN {{ids}})"""  # noqa: S608
INSERT_MERGE: Final = """
    INSERT INTO merges (app_id, id, surviving, discarded, reason, before, discarded_metadata, created_at, actor, note)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"""
UNDO: Final = "UPDATE merges SET undone_at = $3, undone_by = $4 WHERE app_id = $1 AND id = $2 AND undone_at IS NULL"

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class MergeRows:
    """The journal (knownas.merges.Merges) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def by_id(self, merge_id: str) -> Merge | None:
        """The merge, or None."""
        row = await self._unit.row(BY_ID, merge_id)
        return _merge_of(row) if row else None

    async def of_users(self, members: list[str], limit: int) -> list[Merge]:
        """Newest first."""
        found = await self._of_users(members, "", "DESC", limit)
        return sorted(found, key=lambda one: one.id, reverse=True)[:limit]

    async def page(self, members: list[str], *, after: str | None, limit: int) -> list[Merge]:
        """Oldest first."""
        found = await self._of_users(members, after or "", "ASC", limit)
        return sorted(found, key=lambda one: one.id)[:limit]

    async def _of_users(
        self, members: list[str], after: str, order: Literal["ASC", "DESC"], limit: int
    ) -> Iterable[Merge]:
        """Each once, `limit` of every chunk of the users, so that the first `limit` of all are among them."""
        found: dict[str, Merge] = {}
        for some in chunks(members):
            of_some = OF_USERS.replace("{ids}", id_list(some))
            sql = f"{of_some} AND id > ${len(some) + 2} ORDER BY id {order} LIMIT ${len(some) + 3}"
            merges = [_merge_of(row) for row in await self._unit.rows(sql, *some, after, limit)]
            found |= {merge.id: merge for merge in merges}
        return found.values()

    def add(self, merge: Merge) -> None:
        """Hold the new entry."""
        self._unit.hold(
            INSERT_MERGE, merge.id, merge.surviving, merge.discarded, merge.reason, to_json(merge.before),
            to_json(merge.discarded_metadata), merge.created_at, merge.actor, merge.note,
        )  # fmt: skip

    def undo(self, merge: Merge, actor: str, at: int) -> None:
        """Hold that it was undone, which happens once."""
        self._unit.hold(UNDO, merge.id, at, actor, must=True)


def _merge_of(row: Row) -> Merge:
    values: list[Any] = list(row)
    values[4], values[5] = _decode(row[4]), _decode(row[5])
    return Merge(*values)
