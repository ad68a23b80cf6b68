"""Fill an app with numbered users: each has an external id, a verified email and a device of her own."""

import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from time import time_ns
from typing import Any

import apsw
import asyncpg

from bench.load import ask_all
from bench.world import Person, World, known_person

BY_HTTP = 5_000
"""Up to so many users sign in one by one; more are loaded straight into the tables."""
SAMPLE = 20_000
SEED_S = 300.0

TEMPLATE = Person("bench-template", "bench-template@example.com", "7e3a91" + "0f" * 13)
"""Whom bulk loading copies."""
OF_A_USER = {"users": "id", "identities": "user_id", "devices": "user_id", "sessions": "user_id", "events": "stream"}
"""The tables that a first login writes to, and the column that names the user."""
GIVEN = frozenset({"position", "written_in"})
"""Columns in which the database itself says what came when."""
TEMPLATE_ID = "SELECT user_id FROM identities WHERE app_id = $1 AND type = 'external_id' AND value = $2"
INTEGRATION_IDS = "SELECT id FROM integrations WHERE app_id = $1"
ID = re.compile(r"\b[0-9a-f]{24}\b")
COLUMNS_OF = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = CAST(CAST($1 AS TEXT) AS regclass) AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""
SQLITE = "sqlite:///"

Row = tuple[Any, ...]


async def seed_by_http(world: World, people: Sequence[Person]) -> None:
    """Sign these people in for the first time, each on her own device, so that their rows are the server's own."""
    logins = [world.login(person, person.device) for person in people]
    await ask_all(world.address, logins, 200, connections=16, seconds=SEED_S)


async def sample_ids(world: World) -> list[str]:
    """The ids of a spread of users, read by external id: what was seeded is what the server finds."""
    reads = [world.get_user(world.known().external_id) for _ in range(min(world.users, SAMPLE))]
    bodies = await ask_all(world.address, reads, 200, connections=16, seconds=SEED_S)
    ids = [json.loads(body)["user"]["id"] for body in bodies]
    if len(set(ids)) != len(reads):
        raise RuntimeError(f"{len(reads)} external ids led to {len(set(ids))} users")
    return ids


async def seed_bulk(database_url: str, app_id: str, n: int) -> None:
    """Copy the rows of the user TEMPLATE for users 0 to `n`, in one transaction and while no server runs.

    The template has signed in over HTTP, so the copies are what the server writes, whatever the schema has become;
    only her ids, names and device are exchanged in them.
    """
    if database_url.startswith(SQLITE):
        _seed_sqlite(database_url.removeprefix(SQLITE), app_id, n)
    else:
        await _seed_postgres(database_url, app_id, n)


def _seed_sqlite(file: str, app_id: str, n: int) -> None:
    database = apsw.Connection(file)
    database.execute("PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF; PRAGMA cache_size = -400000")
    with database:
        ((template_id,),) = database.execute(TEMPLATE_ID, (app_id, TEMPLATE.external_id)).fetchall()
        not_hers = {app_id, *(id for (id,) in database.execute(INTEGRATION_IDS, (app_id,)))}
        columns = {
            table: _copied_columns(
                row[0] for row in database.execute("SELECT name FROM pragma_table_info(?)", (table,))
            )
            for table in OF_A_USER
        }
        tables = {
            table: database.execute(_rows_of(table, columns[table], column), (app_id, template_id)).fetchall()
            for table, column in OF_A_USER.items()
        }
        for table, copies in copied(tables, not_hers, n):
            slots = ", ".join("?" * len(columns[table]))
            database.executemany(f"INSERT INTO {table} ({', '.join(columns[table])}) VALUES ({slots})", copies)
    database.execute("PRAGMA journal_mode = WAL")
    database.close()
    to_disk(file)


def to_disk(file: str) -> None:
    """Return when the file is on the disk, so that the system does not write it back during the windows."""
    descriptor = os.open(file, os.O_RDWR)
    os.fsync(descriptor)
    os.close(descriptor)


async def _seed_postgres(url: str, app_id: str, n: int) -> None:
    database = await asyncpg.connect(url)
    try:
        async with database.transaction():
            template_id = await database.fetchval(TEMPLATE_ID, app_id, TEMPLATE.external_id)
            not_hers = {app_id, *(row["id"] for row in await database.fetch(INTEGRATION_IDS, app_id))}
            columns = {
                table: _copied_columns(row["attname"] for row in await database.fetch(COLUMNS_OF, table))
                for table in OF_A_USER
            }
            tables = {
                table: [
                    tuple(row)
                    for row in await database.fetch(_rows_of(table, columns[table], column), app_id, template_id)
                ]
                for table, column in OF_A_USER.items()
            }
            for table, copies in copied(tables, not_hers, n):
                await database.copy_records_to_table(table, records=copies, columns=columns[table], timeout=SEED_S * 4)
        # What autovacuum and the checkpointer would otherwise do during the windows.
        await database.execute("VACUUM ANALYZE", timeout=SEED_S)
        await database.execute("CHECKPOINT", timeout=SEED_S)
    finally:
        await database.close()


def _copied_columns(names: Iterable[Any]) -> list[str]:
    return [name for name in names if name not in GIVEN]


def _rows_of(table: str, columns: Sequence[str], column: str) -> str:
    return f"SELECT {', '.join(columns)} FROM {table} WHERE app_id = $1 AND {column} = $2"


def copied(
    tables: Mapping[str, Sequence[Row]], not_hers: Collection[str], n: int
) -> Iterator[tuple[str, Iterator[Row]]]:
    """For each table that holds rows of the template user, those rows for users 0 to `n`.

    Every id in them is hers and becomes a new one, except those in `not_hers`.
    """
    text = " ".join(str(value) for rows in tables.values() for row in rows for value in row)
    ids = dict.fromkeys(found for found in ID.findall(text) if found not in not_hers)
    marks = {found: f"%(id{place})s" for place, found in enumerate(ids)}
    # The email contains the external id, so the longest text is exchanged first.
    for name, value in sorted(TEMPLATE._asdict().items(), key=lambda pair: -len(pair[1])):
        marks[value] = f"%({name})s"
    since_ms = time_ns() // 1_000_000 - n
    for table, rows in tables.items():
        if rows:
            yield table, _copies([_marked(row, marks) for row in rows], len(ids), since_ms, n)


def _marked(row: Row, marks: Mapping[str, str]) -> tuple[Row, list[int]]:
    """The row with marks for what differs from user to user, and where in it they are."""
    marked, places = list(row), []
    for place, value in enumerate(row):
        if isinstance(value, str) and any(found in value for found in marks):
            text = value.replace("%", "%%")
            for found, mark in marks.items():
                text = text.replace(found, mark)
            marked[place] = text
            places.append(place)
    return tuple(marked), places


def _copies(rows: Sequence[tuple[Row, list[int]]], ids: int, since_ms: int, n: int) -> Iterator[Row]:
    for number in range(n):
        person = known_person(number)
        names = person._asdict()
        for place in range(ids):
            names[f"id{place}"] = f"{since_ms + number:012x}{place:02x}{person.device[:10]}"
        for row, places in rows:
            copy = list(row)
            for place in places:
                copy[place] %= names
            yield tuple(copy)
