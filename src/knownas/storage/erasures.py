"""Receipts of erasures, and where the values of a user may be besides her own rows (R10)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec

from knownas.erasures import PastMerge, Reach, Receipt, reach_of
from knownas.storage.parameters import PARAMETER, chunks, id_list
from knownas.storage.traces import (
    COUNT_DELETED,
    COUNT_ERASED,
    FORGET_MERGES,
    FORGET_SETTLED,
    FORGET_TOLD,
    REMOVE_MERGES,
)
from knownas.storage.unit import Row, Unit

_COLUMNS: Final = "id, kind, user_id, actor, removed, audit_number, audit_hash, created_at"
_SELECT: Final = f"SELECT {_COLUMNS} FROM erasures WHERE app_id = $1"  # noqa: S608
BY_ID: Final = f"{_SELECT} AND id = $2"
INSERT: Final = """
    INSERT INTO erasures (app_id, id, kind, user_id, actor, removed, audit_number, audit_hash, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""
_MERGES: Final = "SELECT id, surviving, discarded, created_at, undone_at FROM merges WHERE app_id = $1 AND"


class ErasureRows:
    """Erasures (knownas.erasures.Erasures) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def reach(self, members: list[str]) -> Reach:
        """Followed through the journal from one to the next, in both directions."""
        past: dict[str, PastMerge] = {}
        known, new = set(members), members
        while new:
            found = [row for some in chunks(new) for row in await self._merges_of(some)]
            past.update({row[0]: PastMerge(*row[1:]) for row in found})
            new = sorted({id for row in found for id in (row[1], row[2])} - known)
            known.update(new)
        return reach_of(members, list(past.values()))

    async def extent(self, reach: Reach, *, whole: bool) -> dict[str, int]:
        """A statement for each sort of place."""
        found: list[tuple[str, int]] = []
        for statement in COUNT_DELETED if whole else COUNT_ERASED:
            rows = await self._unit.rows(statement, *_named(statement, reach))
            found += [(row[0], row[1]) for row in rows if row[1]]
        return dict(sorted(found))

    async def by_id(self, receipt_id: str) -> Receipt | None:
        """The receipt, or None."""
        row = await self._unit.row(BY_ID, receipt_id)
        return _receipt_of(row) if row else None

    async def page(self, *, after: str | None, before: str | None, limit: int) -> list[Receipt]:
        """In creation order, on one side of an id."""
        side, order = ("<", "DESC") if before is not None else (">", "ASC")
        sql = f"{_SELECT} AND id {side} $2 ORDER BY id {order} LIMIT $3"
        rows = await self._unit.rows(sql, before or after or "", limit)
        return [_receipt_of(row) for row in (reversed(rows) if before is not None else rows)]

    def add(self, receipt: Receipt) -> None:
        """Hold the new row; what was overwritten is to leave the log of the database soon."""
        self._unit.erased = True
        self._unit.hold(
            INSERT, receipt.id, receipt.kind, receipt.user_id, receipt.actor,
            msgspec.json.encode(receipt.removed).decode(), receipt.audit_number, receipt.audit_hash, receipt.created_at,
        )  # fmt: skip

    def forget_told(self, reach: Reach) -> None:
        """Hold the removal, deliveries and attempts first: they are found through the events."""
        for statement in FORGET_TOLD:
            self._hold(statement, reach)

    def forget_merges(self, reach: Reach, *, whole: bool) -> None:
        """Hold it."""
        for statement in REMOVE_MERGES if whole else FORGET_MERGES:
            self._hold(statement, reach)

    def forget_settled(self, reach: Reach) -> None:
        """Hold it, while her identities are still there to say which cases are about them."""
        for statement in FORGET_SETTLED:
            self._hold(statement, reach)

    def _hold(self, statement: str, reach: Reach) -> None:
        """Hold it after what is held so far, with as many parameters as it names."""
        self._unit.hold(statement, *_named(statement, reach), ordered=True)

    async def _merges_of(self, user_ids: list[str]) -> Sequence[Row]:
        ids = id_list(user_ids)
        return await self._unit.rows(f"{_MERGES} (surviving IN {ids} OR discarded IN {ids})", *user_ids)


def _named(statement: str, reach: Reach) -> tuple[str, ...]:
    """The parameters of storage/traces.py that the statement names, each one JSON text, however many there are."""
    texts = (
        _json([[id] for id in reach.members]),
        _json([[one.user_id, one.since, one.until] for one in reach.windows]),
        _json([[id] for id in reach.everyone]),
    )
    return texts[: _count_of(statement) - 1]


@lru_cache(maxsize=64)
def _count_of(statement: str) -> int:
    return max(int(match[1]) for match in PARAMETER.finditer(statement))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _receipt_of(row: Row) -> Receipt:
    id, kind, user_id, actor, removed, audit_number, audit_hash, created_at = row
    counts = msgspec.json.decode(removed, type=dict[str, int])
    return Receipt(id, kind, user_id, actor, counts, audit_number, audit_hash, created_at)
