"""Give users a conversation each, full enough for a whole page, by copying one that the server made."""

import json
from collections.abc import Iterator, Mapping
from time import time_ns
from typing import Any

import apsw
import asyncpg

from bench.load import ask_all
from bench.seed import SEED_S, SQLITE, to_disk
from bench.world import World

PER_CONVERSATION = 150
CONVERSATIONS_AT_MOST = 66_667
"""Of these many, all together hold 10,000,000 messages."""
SAMPLE = 20_000

TEMPLATE_ROW = "SELECT * FROM {table} WHERE app_id = $1 AND {key} = $2 LIMIT 1"
# The users of the copies: everybody but the template's, whose conversation is there already.
CHOSEN = "SELECT id FROM users WHERE app_id = $1 AND id <> $2 ORDER BY id LIMIT $3"
CONVERSATION = "'c' || substr(u.id, 2)"
"""The id of a user's conversation: hers, but for the first digit, since ids tell streams of events apart."""
COPIES = (
    # table, the column that names the template's conversation, and what differs from copy to copy
    ("conversations", "id", {"id": CONVERSATION, "default_of": "u.id", "message_count": str(PER_CONVERSATION)}, ""),
    (
        "participants",
        "conversation_id",
        {"id": "'d' || substr(u.id, 2)", "conversation_id": CONVERSATION, "user_id": "u.id"},
        "",
    ),
    (
        "messages",
        "conversation_id",
        {"id": "n.id", "conversation_id": CONVERSATION, "received": "n.received"},
        " CROSS JOIN numbers n",
    ),
)


async def template(world: World, external_id: str) -> tuple[str, str]:
    """The ids of this user and of a conversation of hers with one message, made over HTTP."""

    async def ask(request: bytes, expected: int) -> Any:
        [body] = await ask_all(world.address, [request], expected, connections=1, seconds=SEED_S)
        return json.loads(body)

    user_id = (await ask(world.get_user(external_id), 200))["user"]["id"]
    made = await ask(world.create_conversation(user_id), 201)
    conversation_id = made["conversation"]["id"]
    await ask(world.post_message(conversation_id), 201)
    return user_id, conversation_id


async def seed_messages(url: str, app_id: str, user_id: str, conversation_id: str, users: int) -> list[tuple[str, str]]:
    """Copy the template's conversation for users, PER_CONVERSATION messages each, while no server runs.

    Returns a spread of them, as ids of conversation and user.
    """
    count = min(users - 1, CONVERSATIONS_AT_MOST)
    since_ms = time_ns() // 1_000_000 - PER_CONVERSATION * 1000
    numbers = [(f"{since_ms + n * 1000:012x}{n:012x}", since_ms + n * 1000) for n in range(PER_CONVERSATION)]
    if url.startswith(SQLITE):
        ids = _sqlite(url.removeprefix(SQLITE), app_id, user_id, conversation_id, count, numbers)
    else:
        ids = await _postgres(url, app_id, user_id, conversation_id, count, numbers)
    step = max(1, len(ids) // SAMPLE)
    return [(f"c{id[1:]}", id) for id in ids[::step]]


def _sqlite(
    file: str, app_id: str, user_id: str, conversation_id: str, count: int, numbers: list[tuple[str, int]]
) -> list[str]:
    database = apsw.Connection(file)
    database.execute("PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF; PRAGMA cache_size = -400000")
    with database:
        database.execute("CREATE TEMP TABLE numbers (id TEXT, received BIGINT)")
        database.executemany("INSERT INTO numbers VALUES (?, ?)", numbers)
        ids = [id for (id,) in database.execute(_numbered(CHOSEN), (app_id, user_id, count))]
        for table, key, differing, joined in COPIES:
            cursor = database.execute(_numbered(TEMPLATE_ROW.format(table=table, key=key)), (app_id, conversation_id))
            row = cursor.fetchall()[0]
            names = [column[0] for column in database.execute(f"SELECT * FROM {table} LIMIT 1").getdescription()]
            sql, values = _copy(table, dict(zip(names, row, strict=True)), differing, joined, 3)
            database.execute(_numbered(sql), (app_id, user_id, count, *values))
    database.execute("PRAGMA journal_mode = WAL")
    database.close()
    to_disk(file)
    return [str(id) for id in ids]


async def _postgres(
    url: str, app_id: str, user_id: str, conversation_id: str, count: int, numbers: list[tuple[str, int]]
) -> list[str]:
    database = await asyncpg.connect(url)
    try:
        async with database.transaction():
            await database.execute("CREATE TEMP TABLE numbers (id TEXT, received BIGINT) ON COMMIT DROP")
            await database.copy_records_to_table("numbers", records=numbers)
            ids = [row["id"] for row in await database.fetch(CHOSEN, app_id, user_id, count)]
            for table, key, differing, joined in COPIES:
                row = await database.fetchrow(TEMPLATE_ROW.format(table=table, key=key), app_id, conversation_id)
                sql, values = _copy(table, dict(row), differing, joined, 3)
                await database.execute(sql, app_id, user_id, count, *values, timeout=SEED_S * 4)
        await database.execute("VACUUM ANALYZE", timeout=SEED_S * 2)
        await database.execute("CHECKPOINT", timeout=SEED_S)
    finally:
        await database.close()
    return ids


def _copy(
    table: str, row: Mapping[str, Any], differing: Mapping[str, str], joined: str, used: int
) -> tuple[str, list[Any]]:
    """One statement that copies the row for all chosen users, and its parameters after the first `used`."""
    values = [value for name, value in row.items() if name not in differing and value is not None]
    places = iter(range(used + 1, used + 1 + len(values)))
    columns = ", ".join(row)
    shown = ", ".join(_column(name, value, differing, places) for name, value in row.items())
    order = " ORDER BY u.id, n.id" if joined else " ORDER BY u.id"
    return f"INSERT INTO {table} ({columns}) SELECT {shown} FROM ({CHOSEN}) u{joined}{order}", values


def _column(name: str, value: object, differing: Mapping[str, str], places: Iterator[int]) -> str:
    if name in differing:
        return differing[name]
    if value is None:
        return "NULL"
    return f"CAST(${next(places)} AS {'BIGINT' if isinstance(value, int) else 'TEXT'})"


def _numbered(sql: str) -> str:
    """SQLite numbers `$1` by its first appearance, `?1` by its digit."""
    return sql.replace("$", "?")
