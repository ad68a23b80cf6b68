"""What survives a crash while conflicts are settled: a real server is killed again and again, in the middle of it."""

import asyncio
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import asyncpg
import pytest

from knownas.ids import uuid_of
from knownas.storage.open import sqlite_path
from knownas.webhooks.event_types import HAPPENING
from tests.e2e.acme import ENVIRONMENT, open_shop
from tests.e2e.hooks import PRIVATE_TOO
from tests.e2e.settling_checks import TABLES, check_answers, check_rows
from tests.e2e.settling_load import ACTS, Caller, Memory
from tests.forked import ForkedServer
from tests.given import Row, Snapshot
from tests.receivers import Received, Receiver, receiver
from tests.servers import fresh_database, wait_until

KILLS = 2 * int(os.environ.get("KNOWNAS_TEST_KILLS", "100"))
ANSWERS_AT_MOST = 60
ALIVE_AT_MOST_S = 1.0
OFTEN = ("first", "first after a visit", "known", "known after a visit", "contested", "message")
SELDOM = ("settled claim", "resolve reassign", "resolve move", "resolve merge", "merge", "undo")


@pytest.mark.timeout(400)
def test_nothing_is_half_settled_and_every_duplicate_event_arrives(tmp_path: Path, postgres_url: str) -> None:
    """Whenever the server dies, each act is done as a whole or not at all, once, and told: on both kinds of database.

    PostgreSQL itself goes on, so there a killed server's transactions end only when it notices.
    """
    with fresh_database(postgres_url) as postgres, ThreadPoolExecutor(3) as side_by_side:
        shares = {f"sqlite:///{tmp_path}/1.db": 0.4, f"sqlite:///{tmp_path}/2.db": 0.4, postgres: 0.2}
        shown = [side_by_side.submit(kill_again_and_again, url, int(KILLS * share)) for url, share in shares.items()]
        memories = [one.result() for one in shown]
    done = sum((memory.answered for memory in memories), Counter[str]())
    few = {what: done[what] for what in OFTEN if done[what] < KILLS / 4}
    few |= {what: done[what] for what in SELDOM if done[what] < KILLS / 10}
    assert not few, "too little was done to show anything"
    assert any(memory.used for memory in memories), "no act was cut off between its commit and its answer"


def kill_again_and_again(url: str, kills: int) -> Memory:
    dice, memory, enough = random.Random(url[-4:]), Memory(), threading.Event()
    with receiver() as receives, ForkedServer(url, env=ENVIRONMENT | PRIVATE_TOO) as server:
        acme = open_shop(server).new_app()
        hook = {"url": receives.url("/told"), "eventsEnabled": list(HAPPENING)}
        made = acme.send("POST", f"/admin/v1/apps/{acme.app_id}/webhooks", hook, acme.as_backend)
        assert made.status == 201, made.body
        received_before = []
        with ThreadPoolExecutor(len(ACTS)) as pool:
            callers = [(act, Caller(acme, memory, enough, f"{url[-4:]} {number}")) for number, act in enumerate(ACTS)]
            busy = [pool.submit(caller.again_and_again, act) for act, caller in callers]
            try:
                for _ in range(kills):
                    live(dice, memory, receives)
                    received_before.append(len(receives.calls))
                    server.kill()
                    server.start()
            finally:
                enough.set()
            for one in busy:
                one.result(30)

        committed = {row["id"]: json.loads(row["body"]) for row in rows_of(url, CONTESTED)}
        wait_until(lambda: len(ids_received(receives.calls)) >= len(committed), what="every event arrives")
        wait_until(lambda: not rows_of(url, "SELECT event_id FROM deliveries"), what="nothing is left to deliver")
        found = tables_of(url, acme.app_id)
        assert not memory.unexpected, memory.unexpected[:5]
        check_rows(found, memory)
        check_answers(acme, found, memory)
    check_told(committed, receives.calls)
    assert len(memory.done) > kills / 2, "too little was done to show anything"
    if sqlite_path(url):  # on PostgreSQL others wait for a dead server's lease
        assert len(set(received_before)) > kills / 8, "hardly anything was delivered between the kills"
    return memory


def live(dice: random.Random, memory: Memory, receives: Receiver) -> None:
    """Wait for the moment to kill: after some answers, often just as an act begins, or just as an event arrives.

    Counted and not timed, so that a slow machine shows as much as a fast one.
    """
    deadline, roll = time.monotonic() + ALIVE_AT_MOST_S, dice.random()
    _pass(lambda: memory.replies, dice.randrange(ANSWERS_AT_MOST), deadline)
    if roll < 0.25:
        _pass(lambda: len(receives.calls), 1, deadline)
    elif roll < 0.75:
        _pass(lambda: memory.acts_begun, 1, deadline)
        time.sleep(dice.uniform(0, 0.01))


def _pass(counter: Callable[[], int], more: int, deadline: float) -> None:
    until = counter() + more
    while counter() < until and time.monotonic() < deadline:
        time.sleep(0.001)


def check_told(committed: dict[str, Any], calls: list[Received]) -> None:
    """Each contested login that was committed was told, always in the same words; and none that was not."""
    bodies: dict[str, set[bytes]] = {}
    for call in calls:
        event = json.loads(call.body)["event"]
        assert call.headers["webhook-id"] == event["id"]
        bodies.setdefault(event["id"], set()).add(call.body)
    assert bodies.keys() == {uuid_of(id) for id in committed}, "an event did not arrive, or one that never was did"
    assert all(len(seen) == 1 for seen in bodies.values()), "the same event had two bodies"
    for id, event in committed.items():
        [body] = bodies[uuid_of(id)]
        told = json.loads(body)["event"]
        assert told["duplicateEmail"] == event["duplicates"][0]["value"]
        assert told["type"].endswith("update" if event["claimant_id"] else "create")


CONTESTED = "SELECT id, body FROM events WHERE type = 'identity.contested'"


def ids_received(calls: list[Received]) -> set[str]:
    return {call.headers["webhook-id"] for call in list(calls)}


def tables_of(url: str, app_id: str) -> Snapshot:
    """The app's rows, read past the program."""
    return {
        table: rows_of(url, f"SELECT * FROM {table} WHERE {'id' if table == 'apps' else 'app_id'} = '{app_id}'")
        for table in TABLES
    }


def rows_of(url: str, sql: str) -> list[Row]:
    path = sqlite_path(url)
    if path is None:
        return asyncio.run(_rows_of_postgres(url, sql))
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as database:
        cursor = database.execute(sql)
        return [dict(zip([one[0] for one in cursor.get_description()], row, strict=True)) for row in cursor]


async def _rows_of_postgres(url: str, sql: str) -> list[Row]:
    connection = await asyncpg.connect(url)
    try:
        return [dict(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()
