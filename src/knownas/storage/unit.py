"""A unit of work: reads at once, holds writes, and turns them into one plan at the end.

The plan is the same for both engines: a list of statements in which a later one may use the `seq` that an earlier one
returned. SQLite runs them one after the other, PostgreSQL as a single data-modifying CTE where it can.
"""

from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import chain
from operator import attrgetter
from typing import Any, Final, Literal, Protocol

import msgspec
from msgspec import Struct

from knownas.apps import AppSettings
from knownas.storage.parameters import chunks, id_list, row_of

Row = Sequence[Any]


class SeqOf(Struct, frozen=True):
    """A parameter that stands for the `seq` which the plan's statement number `write` returns."""

    write: int


class Held(Struct, frozen=True):
    """A statement to run at the end. With `must` it has to touch a row, or the race is lost (LostRace).

    `ordered` says that it has to see what the statements before it did, so it cannot run beside them. `slight` says
    that it is right whatever happened meanwhile, so it needs no guard.
    """

    sql: str
    params: tuple[Any, ...]
    must: bool = False
    ordered: bool = False
    slight: bool = False


class Patch:
    """New values for one row that counts events, gathered because a row is written once per unit.

    `revision` is the one that was read and relied on; the write loses its race when the row has another by now.
    `one_more` names columns that grow by one whatever they are by then, each below its limit, or the race is lost.
    """

    __slots__ = ("columns", "one_more", "revision")

    def __init__(self) -> None:
        self.columns: dict[str, object] = {}
        self.one_more: dict[str, int] = {}
        self.revision: int | None = None


class Reads(Protocol):
    """How an engine answers a query."""

    @property
    def engine(self) -> Literal["sqlite", "postgresql"]:
        """Which one it is, for the few statements of which there are two texts."""
        ...

    async def row(self, sql: str, *params: Any) -> Row | None:
        """The first row, or None."""
        ...

    async def rows(self, sql: str, *params: Any) -> Sequence[Row]:
        """All rows."""
        ...

    async def sole_row(self, sql: str, *params: Any) -> Row:
        """The row of a query that has exactly one whatever there is, so that several may be asked together."""
        ...


class Randomness(Protocol):
    """Where ids and secrets come from."""

    def id(self, now: int) -> str:
        """A fresh id of something made at `now`, greater than those before."""
        ...

    def secret(self) -> str:
        """A fresh secret of 256 bits as URL-safe text."""
        ...


class Unit:
    """What the stores of one transaction share: the engine, the app, the time, and the writes held so far."""

    __slots__ = (
        "_engine",
        "app_id",
        "bulky",
        "erased",
        "events",
        "fresh",
        "held",
        "new_id",
        "now",
        "patches",
        "pointers",
        "randomness",
        "settings",
        "shared",
        "stale",
        "tables",
    )

    def __init__(self, engine: Reads, app_id: str, settings: AppSettings, now: int, randomness: Randomness) -> None:
        self._engine = engine
        self.app_id = app_id
        self.settings = settings
        self.now = now
        self.randomness = randomness
        self.new_id = partial(randomness.id, now)
        self.held: list[Held] = []
        self.fresh: dict[str, tuple[str, tuple[Any, ...]]] = {}
        self.patches: dict[str, Patch] = {}
        self.events: dict[str, list[Struct]] = {}
        self.tables: dict[str, str] = {}
        self.shared: dict[str, int] = {}
        self.pointers: dict[str, int] = {}
        self.stale = False
        self.erased = False
        # Whether it may touch many rows, or such as all need: it is not to be done in one transaction with others.
        self.bulky = False

    async def row(self, sql: str, *params: Any) -> Row | None:
        """The first row of a query on the app, whose id is `$1`."""
        self._still_reading()
        return await self._engine.row(sql, self.app_id, *params)

    async def rows(self, sql: str, *params: Any) -> Sequence[Row]:
        """All rows of a query on the app, whose id is `$1`."""
        self._still_reading()
        return await self._engine.rows(sql, self.app_id, *params)

    async def sole_row(self, sql: str, *params: Any) -> Row:
        """The row of a query on the app that has exactly one whatever there is."""
        self._still_reading()
        return await self._engine.sole_row(sql, self.app_id, *params)

    async def directory_rows(self, sql: str, *params: Any) -> Sequence[Row]:
        """All rows of a query on what lies above the apps: accounts, apps and keys."""
        self._still_reading()
        return await self._engine.rows(sql, *params)

    async def directory_row(self, sql: str, *params: Any) -> Row | None:
        """The first row of a query on what lies above the apps."""
        self._still_reading()
        return await self._engine.row(sql, *params)

    def hold_directory(self, sql: str, *params: Any, must: bool = False) -> None:
        """Run this statement on accounts, apps or keys at the end; what was cached of them is stale then."""
        self.stale = self.bulky = True
        self.held.append(Held(sql, params, must))

    def hold(self, sql: str, *params: Any, must: bool = False, ordered: bool = False, slight: bool = False) -> None:
        """Run this statement at the end; `$1` is the app id."""
        self.held.append(Held(sql, (self.app_id, *params), must, ordered, slight))

    def hold_outside(self, sql: str, *params: Any, must: bool = False) -> None:
        """Run this statement at the end, on what belongs to no app or to several; its parameters are all it has."""
        self.bulky = True
        self.held.append(Held(sql, params, must))

    def hold_for_all(self, sql: str, ids: list[str]) -> None:
        """Run this statement for all of these ids, which it names as `{ids}`, some at a time."""
        self.bulky = True
        for some in chunks(ids):
            self.hold(sql.replace("{ids}", id_list(some)), *some, ordered=len(ids) > len(some))

    def hold_fresh(self, stream: str, sql: str, *params: Any) -> None:
        """Insert the row that counts a new stream's events; its last parameter is how many it starts with."""
        self.fresh[stream] = (sql, params)

    def patch(self, stream: str, table: str = "users") -> Patch:
        """The new values held for the row that counts a stream's events: a user, the app, a conversation or a case."""
        if table != "users":
            self.tables[stream] = table
        found = self.patches.get(stream)
        if found is None:
            found = self.patches[stream] = Patch()
        return found

    @property
    def engine(self) -> Literal["sqlite", "postgresql"]:
        """Which of the two texts of a statement is to be run, where there are two."""
        return self._engine.engine

    def share(self, user_id: str, revision: int) -> None:
        """Lose the race when this user was written since she was read, though this writes nothing of hers.

        Only where units overlap: SQLite has one writer.
        """
        if self.engine == "postgresql" and user_id not in self.fresh:
            self.shared[user_id] = revision

    def follow(self, user_id: str, revision: int) -> None:
        """Lose the race when the merged user, through whom another was found, was parted from her since.

        Only where units overlap, and only if anything is written.
        """
        if self.engine == "postgresql":
            self.pointers.setdefault(user_id, revision)

    @property
    def wrote(self) -> bool:
        """Whether anything is held."""
        if self.held or self.fresh or self.events:
            return True
        return any(patch.columns or patch.one_more for patch in self.patches.values())

    @property
    def sociable(self) -> bool:
        """Whether it may be one transaction with others: all whose events it counts are new, or still as it read them.

        It then never waits its turn at a row to which many write, as at a conversation's, with all the others waiting.
        """
        return not self.bulky and all(
            stream in self.fresh or ((patch := self.patches.get(stream)) is not None and patch.revision is not None)
            for stream in self.patches.keys() | self.events.keys()
        )

    def plan(self) -> list[Held]:
        """All that is held, as statements in an order that locks users by id and numbers the events last."""
        plan: list[Held] = []
        numbers: dict[str, int | SeqOf] = {}
        for stream, (sql, params) in self.fresh.items():
            told = len(self.events.get(stream, ()))
            plan.append(Held(sql, (*params, told)))
            numbers[stream] = told
        # A row that was only relied on is written too, so that its guard is asked, where there is anything to guard.
        weighty = bool(self.fresh or self.events) or not all(held.slight for held in self.held)
        changed = {stream for stream, patch in self.patches.items() if patch.columns or patch.one_more or weighty}
        if self.shared:
            plan += self._guards(self.shared, changed)
        for stream in sorted(changed | (self.events.keys() - self.fresh.keys())):
            numbers[stream] = SeqOf(len(plan))
            plan.append(self._update(stream, len(self.events.get(stream, ()))))
        # Behind the rows of those who are there, as whoever parts them writes the two.
        if weighty and self.pointers:
            plan += self._guards(self.pointers, changed)
        plan += self.held
        for stream, events in self.events.items():
            number, back = numbers[stream], len(events)
            for event in events:  # in order, for who replays them
                back -= 1
                body = _encode(event).decode()
                params = (self.app_id, stream, number, back, self.new_id(), _tag_of(type(event)), body, self.now)
                plan.append(Held(INSERT_EVENT, params))
        return plan

    def _guards(self, revisions: dict[str, int], changed: set[str]) -> list[Held]:
        """Have the race lost when any of these users has another revision by now; who is changed is guarded anyway."""
        return [
            Held(_STILL_AS_READ, (self.app_id, user_id, revisions[user_id]), must=True)
            for user_id in sorted(revisions)
            if user_id not in changed
        ]

    def _update(self, stream: str, told: int) -> Held:
        """One UPDATE for all that changes in a row. It finds none when the row is gone or merged away by now."""
        table = "apps" if stream == self.app_id else self.tables.get(stream, "users")
        where = _WHERE.get(table, _LIVE_ROW)
        params: list[Any] = [self.app_id, stream, told]
        sets = ["seq = seq + $3", "revision = revision + 1"]
        patch = self.patches.get(stream)
        if patch is not None:
            for column, value in patch.columns.items():
                params.append(value)
                sets.append(f"{column} = ${len(params)}")
            for column, limit in patch.one_more.items():
                params.append(limit)
                sets.append(f"{column} = {column} + 1")
                where += f" AND {column} < ${len(params)}"
            if patch.revision is not None:
                params.append(patch.revision)
                where += f" AND revision = ${len(params)}"
        if self.engine == "postgresql":
            where += _WRITTEN_BEFORE
        sql = f"UPDATE {table} SET {', '.join(sets)} WHERE {where} RETURNING seq"  # noqa: S608  the names are ours
        return Held(_interned(sql), tuple(params), must=True)

    def _still_reading(self) -> None:
        if self.held or self.fresh or self.patches:
            raise RuntimeError("a verb reads first and writes last: this read would not see the writes held so far")


def params_of(plan: list[Held]) -> tuple[Any, ...]:
    """The parameters of these statements, one after the other."""
    return tuple(chain.from_iterable(map(attrgetter("params"), plan)))


def runs_of_rows(plan: list[Held]) -> list[tuple[int, int]]:
    """From where to where in the plan one statement will do: a row more costs less than a statement more."""
    runs: list[tuple[int, int]] = []
    start, count = 0, len(plan)
    while start < count:
        end, sql = start + 1, plan[start].sql
        if end < count and plan[end].sql is sql and not plan[start].must and row_of(sql):
            last = min(count, start + ROWS_AT_ONCE)
            while end < last and plan[end].sql is sql:
                end += 1
        runs.append((start, end))
        start = end
    return runs


ROWS_AT_ONCE: Final = 100
_LIVE_ROW: Final = "app_id = $1 AND id = $2 AND merged_into IS NULL"
_WHERE: Final = {"apps": "$1 = $2 AND id = $2", "conflicts": "app_id = $1 AND id = $2"}
# Events are read by transaction, so who counts on must be the later one. Who waited for a row in the middle of its own
# transaction may find that it is not: its number is lower than that of the row's last writer, and its race is lost.
# (Numbers go round in four billion, so one that is further ahead than this is long past. A unit may lose its race
# without need: where another took a number just between this question and our own.)
_WRITTEN_BEFORE: Final = " AND age(xmin) NOT BETWEEN -100000 AND -1"
# It waits for whoever is changing the row, and whoever wants to change it waits for us.
_STILL_AS_READ: Final = "SELECT 1 FROM users WHERE app_id = $1 AND id = $2 AND revision = $3 FOR SHARE"
INSERT_EVENT: Final = """
    INSERT INTO events (app_id, stream, seq, id, type, body, created_at)
    VALUES ($1, $2, CAST($3 AS BIGINT) - CAST($4 AS BIGINT), $5, $6, $7, $8)
"""
_encode: Final = msgspec.json.Encoder().encode
_texts: dict[str, str] = {}


@lru_cache(maxsize=256)
def _tag_of(kind: type[Struct]) -> str:
    return str(kind.__struct_config__.tag)


def _interned(sql: str) -> str:
    """The one string object for this text, so that the engines' statement caches find it by identity first."""
    return _texts.setdefault(sql, sql)
