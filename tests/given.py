"""The world in which tests of verbs read well: one app in a started database, and short ways to say what is given.

A verb reads first and writes last, so what one `do` wrote is what the next `ask` or `do` finds.
"""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec

from knownas.apps import App, AppSettings
from knownas.apps.create import create_app, open_account
from knownas.apps.update import update_app
from knownas.conflicts import Case
from knownas.database import Verb
from knownas.devices import Device, DeviceInfo
from knownas.identities import Identity, IdentityType
from knownas.identities.normalise import normalise
from knownas.keys.tokens import UserClaims
from knownas.resolutions import By
from knownas.sessions import Access, AnonymousProof
from knownas.sessions.log_in import log_in
from knownas.sessions.start import start_anonymous
from knownas.sessions.tokens import hash_of
from knownas.storage.chance import now_ms
from knownas.storage.open import sqlite_path
from knownas.storage.postgres import Postgres
from knownas.storage.sqlite import Sqlite
from knownas.storage.vault import Vault
from knownas.transaction import Transaction
from knownas.users import User, UserChanges
from knownas.users.create import create_user
from knownas.users.find import get_user

T = TypeVar("T")
Row = dict[str, Any]
Snapshot = dict[str, list[Row]]

KEY_ID = "app_" + "0123456789ab" * 2
MASTER_KEY = b"k" * 32
BY = By("cli:operator", "asked for")
NOTHING_TYPED = UserChanges()
_numbers = itertools.count(1)


def claims(
    external_id: str = "1234", email: str | None = None, *, verified: bool = True, name: str | None = None
) -> UserClaims:
    """What a verified token says. `verified` counts only with an `email`, as in a token."""
    return UserClaims(KEY_ID, None, external_id, email, bool(email) and verified, name, None, None)


def device(guid: str | None = None, **details: Any) -> DeviceInfo:
    """A device that no test has used yet, or the one with this guid."""
    return DeviceInfo(guid or f"device-{next(_numbers)}", details.pop("platform", "web"), **details)


def proof(access: Access) -> AnonymousProof:
    """What the client of an anonymous user shows."""
    assert access.session_token is not None
    return AnonymousProof(access.user.id, hash_of(access.session_token))


class Clock:
    """Each transaction is a millisecond after the one before, however long the test takes; `skip` lets more pass."""

    def __init__(self) -> None:
        self._ticks = itertools.count(now_ms())
        self._skipped = 0

    def __call__(self) -> int:
        return next(self._ticks) + self._skipped

    def skip(self, milliseconds: int) -> None:
        self._skipped += milliseconds


class World:
    """One app in a started database. `do` writes, `ask` reads, and the rest is made of these two."""

    def __init__(self, database: Sqlite | Postgres, app: App, url: str) -> None:
        self.database = database
        self.app = app
        self.url = url

    async def do(self, verb: Verb[..., T], *args: Any, **kwargs: Any) -> T:
        """Run a verb that writes."""
        return await self.database.write(self.app, verb, *args, **kwargs)

    async def ask(self, verb: Verb[..., T], *args: Any, **kwargs: Any) -> T:
        """Run a verb that only reads."""
        return await self.database.read(self.app, verb, *args, **kwargs)

    async def do_to(self, user: User | str, verb: Verb[..., T], *args: Any, **kwargs: Any) -> T:
        """Run a verb that writes on a user who is found in the same transaction, as every edge does it."""
        return await self.do(_found(user, verb), *args, **kwargs)

    async def ask_of(self, user: User | str, verb: Verb[..., T], *args: Any, **kwargs: Any) -> T:
        """Run a verb that reads, on a user who is found in the same transaction."""
        return await self.ask(_found(user, verb), *args, **kwargs)

    async def get(self, reference: str) -> User:
        """The user with this id or external id."""
        return await self.ask(get_user, reference)

    async def user(self, external_id: str | None = None, **profile: Any) -> User:
        """A user whom the business's server creates."""
        return await self.do(create_user, external_id, UserChanges(**profile), KEY_ID)

    async def visitor(self, on: DeviceInfo | None = None, **profile: Any) -> Access:
        """Somebody anonymous who starts on a device."""
        return await self.do(start_anonymous, UserChanges(**profile), on or device())

    async def log_in(
        self,
        who: UserClaims,
        on: DeviceInfo | None = None,
        visitor: Access | AnonymousProof | None = None,
        typed: UserChanges | None = None,
    ) -> Access:
        """A login; `visitor` is who used the device before, with her session."""
        shown = proof(visitor) if isinstance(visitor, Access) else visitor
        return await self.do(log_in, who, on, shown, typed)

    async def has_identity(self, user: User, type: IdentityType, value: str, *, owned: bool) -> None:
        """Give the user an identity, owned or merely claimed, as no verb does yet."""
        await self.do(_hold_identity, user.id, type, value, owned)

    async def choose(self, **settings: Any) -> None:
        """Change settings of the app, by their wire names; what is done from now on knows them."""
        self.app = await self.do(update_app, None, settings)

    async def events(self, stream: str) -> list[Row]:
        """What the outbox says in the stream of a user or of the app, in order: type, seq, and the event's members."""
        rows = await self.database.rows(
            "SELECT seq, body FROM events WHERE app_id = $1 AND stream = $2 ORDER BY seq", self.app.id, stream
        )
        return [{"seq": row[0], **msgspec.json.decode(row[1])} for row in rows]

    async def told(self, stream: str) -> list[str]:
        """The types of the stream's events, in order."""
        return [event["event"] for event in await self.events(stream)]

    async def open_cases(self) -> list[Case]:
        """The open conflict cases, oldest first."""

        async def open_cases(tx: Transaction) -> list[Case]:
            return await tx.conflicts.open()

        return await self.ask(open_cases)

    async def members(self, reference: str) -> list[str]:
        """All ids that stand for the user with this id or external id, her own first."""

        async def members(tx: Transaction, user: User) -> list[str]:
            return await tx.users.members(user)

        return await self.ask_of(reference, members)

    async def device(self, guid: str) -> Device | None:
        """The device, whomever it belongs to."""

        async def by_guid(tx: Transaction) -> Device | None:
            return await tx.devices.by_guid(guid)

        return await self.ask(by_guid)

    async def owner(self, type: IdentityType, value: str) -> str | None:
        """The id on the row of the identity's owner."""
        rows = await self.database.rows(
            "SELECT user_id FROM identities WHERE app_id = $1 AND type = $2 AND key = $3 AND owned = 1",
            self.app.id,
            type,
            normalise(type, value),
        )
        assert len(rows) <= 1
        return rows[0][0] if rows else None

    async def sessions_of(self, user_id: str) -> int:
        """How many sessions the user has."""
        return sum(row["user_id"] == user_id for row in (await self.snapshot())["sessions"])

    async def snapshot(self, without: str = "") -> Snapshot:
        """Every row of every table that is the app's, and of those above the apps, sorted; `without` one column."""
        snapshot: Snapshot = {}
        for table, columns in (await self._columns()).items():
            sql, of_app = f"SELECT {', '.join(columns)} FROM {table}", []
            if "app_id" in columns or table == "apps":
                sql, of_app = f"{sql} WHERE {'id' if table == 'apps' else 'app_id'} = $1", [self.app.id]
            rows = [dict(zip(columns, row, strict=True)) for row in await self.database.rows(sql, *of_app)]
            for row in rows:
                row.pop(without, None)
            snapshot[table] = sorted(rows, key=repr)
        return snapshot

    async def traces_of(self, *values: str) -> list[str]:
        """Where the values still stand anywhere in the app's tables, as `table.column`."""
        return sorted(
            f"{table}.{column}"
            for table, rows in (await self.snapshot()).items()
            for row in rows
            for column, held in row.items()
            if isinstance(held, str) and any(value in held for value in values)
        )

    async def another_app(self) -> "World":
        """A second app of the same account, in the same database."""
        return World(self.database, await _new_app(self.database), self.url)

    async def _columns(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for table, column in await self.database.rows(
            _SQLITE_COLUMNS if isinstance(self.database, Sqlite) else _POSTGRES_COLUMNS
        ):
            found.setdefault(table, []).append(column)
        assert found.pop("schema_history")
        return found


@asynccontextmanager
async def world_at(url: str) -> AsyncIterator[World]:
    """A world in the database at `url`, open until the end of the block. Nothing in it survives a power cut."""
    database = database_of(url)
    await database.start()
    try:
        yield World(database, await _new_app(database), url)
    finally:
        await database.close()


@asynccontextmanager
async def beside(world: World) -> AsyncIterator[World]:
    """The same app as another server sees it, with a connection, a clock and ids of its own."""
    database = database_of(world.url)
    await database.start()
    try:
        yield World(database, world.app, world.url)
    finally:
        await database.close()


def database_of(url: str, master_key: bytes = MASTER_KEY) -> Sqlite | Postgres:
    """The database at `url`, not started yet."""
    path = sqlite_path(url)
    return Sqlite(path, Vault(master_key), synchronous="OFF") if path else Postgres(url, Vault(master_key))


async def _new_app(database: Sqlite | Postgres) -> App:
    binding = database.new_app()
    account = await database.write(binding, open_account, "Acme")
    return await database.write(binding, create_app, account.id, "Shop", AppSettings())


def _found(user: User | str, verb: Verb[..., T]) -> Callable[..., Awaitable[T]]:
    reference = user if isinstance(user, str) else user.id

    async def found(tx: Transaction, *args: Any, **kwargs: Any) -> T:
        return await verb(tx, await get_user(tx, reference), *args, **kwargs)

    return found


async def _hold_identity(tx: Transaction, user_id: str, type: IdentityType, value: str, owned: bool) -> None:
    key = normalise(type, value)
    verification = "api" if owned else "unverified"
    tx.identities.add(Identity(user_id, type, value, key, owned, verification, KEY_ID, tx.now))


def numbered_without_gaps(snapshot: Snapshot, may_have_gaps: Collection[str] = ()) -> bool:
    """Whether each stream's events are numbered one after the other, from 1 up to what its user or app has counted.

    Where a user was erased, her stream begins with that, and those of users merged into her are empty. From a group's
    stream goes what named somebody who was removed or erased; it outlives the group. So it is with users who were one
    with her once: `may_have_gaps`.
    """
    counting = (snapshot[table] for table in ("users", "apps", "conversations", "conflicts"))
    counted = {row["id"]: row["seq"] for rows in counting for row in rows}
    groups = {row["id"] for row in snapshot["conversations"]}
    removed_groups = {row["conversation_id"] for row in snapshot["former_participants"]}
    may_be_empty = {row["id"] for row in snapshot["users"] if row["merged_into"]}
    numbers: dict[str, list[int]] = {stream: [] for stream in counted}
    for event in snapshot["events"]:
        if event["stream"] not in counted:
            if event["stream"] not in removed_groups:
                return False
            continue
        numbers[event["stream"]].append(event["seq"])
    erased = {event["stream"]: event["seq"] for event in snapshot["events"] if event["type"] == "user.erased"}
    return all(
        sorted(found) == list(range(erased.get(stream, 1), counted[stream] + 1))
        or (not found and stream in may_be_empty)
        or (
            (stream in groups or stream in may_have_gaps)
            and len(set(found)) == len(found)
            and max(found, default=0) <= counted[stream]
        )
        for stream, found in numbers.items()
    )


def retold(snapshot: Snapshot) -> dict[str, tuple[str | None, set[str]]]:
    """Each live user's external id and the devices that act for her, as the events alone tell it."""
    streams: dict[str, list[Row]] = {}
    for event in sorted(snapshot["events"], key=lambda event: int(event["seq"])):
        streams.setdefault(event["stream"], []).append(msgspec.json.decode(event["body"]))
    merged: set[str] = set()

    def of(user_id: str) -> tuple[str | None, set[str]]:
        external_id, devices = None, set()
        for event in streams.get(user_id, ()):
            match event:
                case {"event": "user.created" | "user.identified", "external_id": external_id}:
                    pass
                case {"event": "device.signed_in", "device_id": device_id}:
                    devices.add(device_id)
                case {"event": "device.signed_out", "device_id": device_id}:
                    devices.discard(device_id)
                case {"event": "users.merged", "discarded": discarded}:
                    merged.add(discarded)
                    devices |= of(discarded)[1]
                case {"event": "users.unmerged", "restored": restored}:
                    merged.discard(restored)
                    devices -= of(restored)[1]
        return external_id, devices

    others = {row["id"] for row in snapshot["apps"] + snapshot["conversations"] + snapshot["conflicts"]}
    found = {user_id: of(user_id) for user_id in streams if user_id not in others}
    return {user_id: state for user_id, state in found.items() if user_id not in merged}


def stored(snapshot: Snapshot) -> dict[str, tuple[str | None, set[str]]]:
    """Each live user's external id and the devices that act for her, as the rows say it."""
    into = {user["id"]: user["merged_into"] for user in snapshot["users"]}
    users: dict[str, tuple[str | None, set[str]]] = {
        user["id"]: (user["external_id"], set()) for user in snapshot["users"] if user["merged_into"] is None
    }
    for row in snapshot["devices"]:
        user_id = row["user_id"]
        while into[user_id] is not None:
            user_id = into[user_id]
        if row["status"] == "active":
            users[user_id][1].add(row["id"])
    return users


_SQLITE_COLUMNS = """
    SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.cid"""
_POSTGRES_COLUMNS = """
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = 'public' ORDER BY table_name, ordinal_position"""
