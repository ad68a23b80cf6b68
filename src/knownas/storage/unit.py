"""A unit of work: reads at once, holds writes, and turns them into one plan at the end.

The plan is the same for both engines: a list of statements in which a later one may use the `seq` that an earlier one
returned. SQLite runs them one after the other, PostgreSQL as a single data-modifying CTE where it can.
"""

from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from knownas.apps import AppSettings
from knownas.ids import make_id

Row = Sequence[Any]


class SeqOf(Struct, frozen=True):
    """A parameter that stands for the `seq` which the plan's statement number `write` returns."""

    write: int


class Held(Struct, frozen=True):
    """A statement to run at the end. With `must` it has to touch a row, or the race is lost (LostRace).

    `ordered` says that it has to see what the statements before it did, so it cannot run beside them.
    """

    sql: str
    params: tuple[Any, ...]
    must: bool = False
    ordered: bool = False


class Patch:
    """New values for one row of `users`, gathered because a row is written once per unit."""

    __slots__ = ("columns", "guards")

    def __init__(self) -> None:
        self.columns: dict[str, object] = {}
        self.guards: dict[str, object] = {}


class Reads(Protocol):
    """How an engine answers a query."""

    async def row(self, sql: str, *params: Any) -> Row | None:
        """The first row, or None."""
        ...

    async def rows(self, sql: str, *params: Any) -> Sequence[Row]:
        """All rows."""
        ...


class Randomness(Protocol):
    """Where ids and secrets come from."""

    def bytes(self, count: int) -> bytes:
        """Fresh unpredictable bytes."""
        ...

    def secret(self) -> str:
        """A fresh secret of 256 bits as URL-safe text."""
        ...


class Unit:
    """What the stores of one transaction share: the engine, the app, the time, and the writes held so far."""

    __slots__ = (
        "_engine",
        "app_id",
        "app_patch",
        "events",
        "fresh",
        "held",
        "now",
        "patches",
        "randomness",
        "settings",
        "stale",
    )

    def __init__(self, engine: Reads, app_id: str, settings: AppSettings, now: int, randomness: Randomness) -> None:
        self._engine = engine
        self.app_id = app_id
        self.settings = settings
        self.now = now
        self.randomness = randomness
        self.held: list[Held] = []
        self.fresh: dict[str, tuple[str, tuple[Any, ...]]] = {}
        self.patches: dict[str, Patch] = {}
        self.events: dict[str, list[Struct]] = {}
        self.app_patch: dict[str, object] = {}
        self.stale = False

    async def row(self, sql: str, *params: Any) -> Row | None:
        """The first row of a query on the app, whose id is `$1`."""
        self._still_reading()
        return await self._engine.row(sql, self.app_id, *params)

    async def rows(self, sql: str, *params: Any) -> Sequence[Row]:
        """All rows of a query on the app, whose id is `$1`."""
        self._still_reading()
        return await self._engine.rows(sql, self.app_id, *params)

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
        self.stale = True
        self.held.append(Held(sql, params, must))

    def hold(self, sql: str, *params: Any, must: bool = False, ordered: bool = False) -> None:
        """Run this statement at the end; `$1` is the app id."""
        self.held.append(Held(sql, (self.app_id, *params), must, ordered))

    def hold_fresh(self, stream: str, sql: str, *params: Any) -> None:
        """Insert the row that counts a new stream's events; its last parameter is how many it starts with."""
        self.fresh[stream] = (sql, params)

    def patch(self, user_id: str) -> Patch:
        """The new values held for this user's row."""
        found = self.patches.get(user_id)
        if found is None:
            found = self.patches[user_id] = Patch()
        return found

    def new_id(self) -> str:
        """A fresh id."""
        return make_id(self.now, self.randomness.bytes(6))

    @property
    def wrote(self) -> bool:
        """Whether anything is held."""
        return bool(self.held or self.fresh or self.patches or self.events or self.app_patch)

    def plan(self) -> list[Held]:
        """All that is held, as statements in an order that locks users by id and numbers the events last."""
        plan: list[Held] = []
        numbers: dict[str, int | SeqOf] = {}
        for stream, (sql, params) in self.fresh.items():
            told = len(self.events.get(stream, ()))
            plan.append(Held(sql, (*params, told)))
            numbers[stream] = told
        touched = self.patches.keys() | (self.events.keys() - self.fresh.keys())
        if self.app_patch:
            touched.add(self.app_id)
        for stream in sorted(touched):
            told = len(self.events.get(stream, ()))
            numbers[stream] = SeqOf(len(plan))
            plan.append(self._update_app(told) if stream == self.app_id else self._update_user(stream, told))
        plan += self.held
        for stream, events in self.events.items():
            for back, event in enumerate(reversed(events)):
                body = msgspec.json.encode(event).decode()
                kind = str(type(event).__struct_config__.tag)
                plan.append(
                    Held(
                        INSERT_EVENT, (self.app_id, stream, numbers[stream], back, self.new_id(), kind, body, self.now)
                    )
                )
        return plan

    def _update_app(self, told: int) -> Held:
        sets = "".join(f", {column} = ${number}" for number, column in enumerate(self.app_patch, start=3))
        sql = f"UPDATE apps SET seq = seq + $2{sets} WHERE id = $1 RETURNING seq"  # noqa: S608  column names are ours
        return Held(_interned(sql), (self.app_id, told, *self.app_patch.values()), must=True)

    def _update_user(self, user_id: str, told: int) -> Held:
        """One UPDATE for all that changes in this user's row. It finds no row when the user is gone or merged away."""
        patch = self.patches.get(user_id)
        if patch is None:
            return Held(BUMP_USER, (self.app_id, user_id, told), must=True)
        params: list[Any] = [self.app_id, user_id, told]
        sets, wheres = ["seq = seq + $3"], [_LIVE_USER]
        for column, value in patch.columns.items():
            params.append(value)
            sets.append(f"{column} = ${len(params)}")
        for column, value in patch.guards.items():
            if value is None:
                wheres.append(f"{column} IS NULL")
            else:
                params.append(value)
                wheres.append(f"{column} = ${len(params)}")
        sql = f"UPDATE users SET {', '.join(sets)} WHERE {' AND '.join(wheres)} RETURNING seq"  # noqa: S608  column names are ours
        return Held(_interned(sql), tuple(params), must=True)

    def _still_reading(self) -> None:
        if self.held or self.fresh or self.patches or self.app_patch:
            raise RuntimeError("a verb reads first and writes last: this read would not see the writes held so far")


_LIVE_USER: Final = "app_id = $1 AND id = $2 AND merged_into IS NULL"
BUMP_USER: Final = f"UPDATE users SET seq = seq + $3 WHERE {_LIVE_USER} RETURNING seq"  # noqa: S608
INSERT_EVENT: Final = """
    INSERT INTO events (app_id, stream, seq, id, type, body, created_at)
    VALUES ($1, $2, CAST($3 AS BIGINT) - CAST($4 AS BIGINT), $5, $6, $7, $8)
"""
_texts: dict[str, str] = {}


def _interned(sql: str) -> str:
    """The one string object for this text, so that the engines' statement caches find it by identity first."""
    return _texts.setdefault(sql, sql)
