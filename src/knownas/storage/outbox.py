"""The stored outbox, read in the order of commit: the one place where the engines differ in what that is.

SQLite has one writer, so positions grow in the order of commit. PostgreSQL gives them out before the commit: there a
reader takes only what transactions wrote that had all ended before any that still runs began, by transaction.
"""

from typing import Final

from knownas.deliveries import BEGINNING, Cursor, Reader, Recorded
from knownas.storage.unit import Row, Unit

_COLUMNS: Final = "app_id, stream, seq, id, type, body, created_at"
_XID: Final = "CAST(CAST($1 AS TEXT) AS xid8)"
_XID_NUMBER: Final = "CAST(CAST(written_in AS TEXT) AS BIGINT)"
_BEHIND: Final = f"(written_in, position) > ({_XID}, CAST($2 AS BIGINT))"
_UP_TO: Final = f"(written_in, position) <= ({_XID}, CAST($2 AS BIGINT))"
_SETTLED: Final = "written_in < pg_snapshot_xmin(pg_current_snapshot())"
# With the table's name: a bare `written_in` would be the output column above, a number that no index is sorted by.
_IN_ORDER: Final = "ORDER BY events.written_in, events.position"

# By engine. `$1` is the transaction and `$2` the position of a cursor; SQLite has no use for the first.
AFTER: Final = {
    "sqlite": f"SELECT 0, position, {_COLUMNS} FROM events WHERE position > $2 ORDER BY position LIMIT $3",  # noqa: S608
    "postgresql": f"""
        SELECT {_XID_NUMBER}, position, {_COLUMNS} FROM events WHERE {_BEHIND} AND {_SETTLED}
        {_IN_ORDER} LIMIT $3""",  # noqa: S608
}
AFTER_OF_APP: Final = {engine: sql.replace("ORDER BY", "AND app_id = $4 ORDER BY") for engine, sql in AFTER.items()}
NEWEST: Final = {
    "sqlite": "SELECT 0, position FROM events ORDER BY position DESC LIMIT 1",
    "postgresql": f"""
        SELECT {_XID_NUMBER}, position FROM events WHERE {_SETTLED}
        ORDER BY events.written_in DESC, events.position DESC LIMIT 1""",  # noqa: S608
}
READ_BY_ALL: Final = """
    SELECT written_in, position FROM outbox_readers ORDER BY written_in, position LIMIT 1"""
OLDEST_READ: Final = {
    "sqlite": "SELECT 0, position, created_at FROM events WHERE position <= $2 ORDER BY position LIMIT $3",
    "postgresql": f"""
        SELECT {_XID_NUMBER}, position, created_at FROM events WHERE {_UP_TO}
        {_IN_ORDER} LIMIT $3""",  # noqa: S608
}
FORGET: Final = {
    "sqlite": "DELETE FROM events WHERE position <= $2 AND $1 IS NOT NULL",
    "postgresql": f"DELETE FROM events WHERE {_UP_TO}",  # noqa: S608
}
READER: Final = "SELECT holder, held_until, written_in, position FROM outbox_readers WHERE name = $1"
MOVE: Final = """
    UPDATE outbox_readers SET holder = $5, held_until = $6, written_in = $7, position = $8
    WHERE name = $1 AND holder = $2 AND written_in = $3 AND position = $4"""

# After a restore: the transactions of another server are ahead of this one's, so new events would lie before old ones.
AHEAD: Final = f"""
    SELECT 1 WHERE {_XID} >= pg_snapshot_xmax(pg_current_snapshot()) UNION ALL
    SELECT 1 FROM (SELECT written_in FROM events ORDER BY written_in DESC LIMIT 1) AS newest
    WHERE written_in >= pg_snapshot_xmax(pg_current_snapshot())"""  # noqa: S608
_OLD_TIME: Final = f"{_UP_TO} AND written_in > CAST('0' AS xid8)"
TO_MEND: Final = f"SELECT 1 FROM events WHERE {_OLD_TIME} LIMIT 1"  # noqa: S608
MEND_READ: Final = f"""
    UPDATE events SET written_in = CAST('0' AS xid8) WHERE position IN (
        SELECT position FROM events WHERE {_OLD_TIME} ORDER BY written_in, position LIMIT $3)
    AND {_OLD_TIME}"""  # noqa: S608
MEND_UNREAD: Final = f"UPDATE events SET written_in = pg_current_xact_id() WHERE {_BEHIND}"  # noqa: S608
_MENDED_AT_ONCE: Final = 2000
_ALL_MENDED: Final = Cursor(0, 2**63 - 1)


class OutboxRows:
    """All apps' events (knownas.deliveries.Outbox) as rows."""

    __slots__ = ("_engine", "_unit")

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._engine = unit.engine

    async def after(self, cursor: Cursor, limit: int, app_id: str | None = None) -> list[Recorded]:
        """Committed events behind `cursor`."""
        place = (str(cursor.written_in), cursor.position, limit)
        if app_id is None:
            rows = await self._unit.directory_rows(AFTER[self._engine], *place)
        else:
            rows = await self._unit.directory_rows(AFTER_OF_APP[self._engine], *place, app_id)
        return [Recorded(_cursor(row), *row[2:]) for row in rows]

    async def newest(self) -> Cursor:
        """Behind the newest event that can be read."""
        row = await self._unit.directory_row(NEWEST[self._engine])
        return _cursor(row) if row else BEGINNING

    async def shortly_before(self, time: int) -> Cursor:
        """By halving: events are in the order of time except for as long as a transaction takes."""
        newest = await self.newest()
        by = "position" if self._engine == "sqlite" else "written_in"
        low, high = 0, getattr(newest, by)
        while low < high:
            middle = (low + high) // 2
            found = await self.after(_at(by, middle), 1)
            if found and found[0].created_at < time - _OUT_OF_ORDER_MS:
                low = middle + 1
            else:
                high = middle
        return _at(by, low)

    async def reader(self, name: str) -> Reader:
        """How far this reader is."""
        row = await self._unit.directory_row(READER, name)
        assert row is not None, "the migration makes every reader"  # noqa: S101
        return Reader(row[0], row[1], Cursor(row[2], row[3]))

    def move(self, name: str, former: Reader, to: Reader) -> None:
        """Hold the new state, guarded by the former one."""
        self._unit.hold_outside(
            MOVE, name, former.holder, former.cursor.written_in, former.cursor.position,
            to.holder, to.held_until, to.cursor.written_in, to.cursor.position, must=True,
        )  # fmt: skip

    async def restored(self, cursor: Cursor) -> bool:
        """Whether the places here are another server's."""
        if self._engine == "sqlite":
            return False
        return await self._unit.directory_row(AHEAD, str(cursor.written_in)) is not None

    async def mend(self, cursor: Cursor) -> Cursor | None:
        """Hold new places for some events, for the last of them too with a cursor to go on from."""
        place = (str(cursor.written_in), cursor.position)
        if await self._unit.directory_row(TO_MEND, *place) is not None:
            self._unit.hold_outside(MEND_READ, *place, _MENDED_AT_ONCE)
            return None
        self._unit.hold_outside(MEND_UNREAD, *place)
        return _ALL_MENDED

    async def forget_before(self, time: int, limit: int) -> int:
        """Hold the removal of the oldest, up to the first that is young or that somebody has not read."""
        read = await self._unit.directory_row(READ_BY_ALL)
        assert read is not None, "the migration makes every reader"  # noqa: S101
        oldest = await self._unit.directory_rows(OLDEST_READ[self._engine], str(read[0]), read[1], limit)
        count = 0
        while count < len(oldest) and oldest[count][2] < time:
            count += 1
        if count:
            last = oldest[count - 1]
            self._unit.hold_outside(FORGET[self._engine], str(last[0]), last[1])
        return count


_OUT_OF_ORDER_MS: Final = 5 * 60_000


def _at(by: str, number: int) -> Cursor:
    return Cursor(0, number) if by == "position" else Cursor(number, 0)


def _cursor(row: Row) -> Cursor:
    return Cursor(row[0], row[1])
