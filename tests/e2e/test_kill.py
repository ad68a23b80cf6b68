"""What survives a crash: a real server is killed again and again, at any moment, while messages are posted."""

import http.client
import json
import os
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from tests.e2e.acme import ENVIRONMENT
from tests.e2e.hooks import PRIVATE_TOO, Listening, listening
from tests.forked import ForkedServer
from tests.receivers import Received, receiver
from tests.servers import wait_until

KILLS = int(os.environ.get("KNOWNAS_TEST_KILLS", "100"))
SERVERS = 2  # side by side, since most of the time each is just starting
POSTING = 3
ALIVE_AT_MOST_S = 0.2


class Posting(threading.Thread):
    """Posts messages one after the other, whether there is a server or not; `answered` are those it was promised."""

    def __init__(self, shop: Listening) -> None:
        super().__init__(daemon=True)
        self.answered: list[str] = []
        self.unexpected: list[int] = []
        self.enough = threading.Event()
        self._shop = shop

    def run(self) -> None:
        acme = self._shop.acme
        path = f"/v2/apps/{acme.app_id}/conversations/{self._shop.conversation}/messages"
        body = json.dumps({"author": {"type": "business"}, "content": {"type": "text", "text": "hello"}})
        headers = {"authorization": acme.as_backend, "content-type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", acme.server.port, timeout=5)
        while not self.enough.is_set():
            try:
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                self.enough.wait(0.01)
                continue
            if answer.status == 201:
                self.answered.append(json.loads(content)["messages"][0]["id"])
            else:
                self.unexpected.append(answer.status)
            self.enough.wait(0.002)
        connection.close()


@pytest.mark.timeout(400)
def test_whatever_was_answered_is_there_and_every_event_arrives(tmp_path: Path) -> None:
    """Each answered message is stored, and each committed event is received at least once, under one id."""
    with ThreadPoolExecutor(SERVERS) as side_by_side:
        shown = [side_by_side.submit(kill_again_and_again, tmp_path, number) for number in range(SERVERS)]
        for one in shown:
            one.result()


def kill_again_and_again(folder: Path, number: int) -> None:
    dice, kills = random.Random(number), KILLS // SERVERS
    file = folder / f"{number}.db"
    with receiver() as receives, ForkedServer(f"sqlite:///{file}", env=ENVIRONMENT | PRIVATE_TOO) as server:
        shop = listening(server, receives)
        posting = [Posting(shop) for _ in range(POSTING)]
        for thread in posting:
            thread.start()
        received_before = []
        for _ in range(kills):
            time.sleep(dice.uniform(0, ALIVE_AT_MOST_S))
            received_before.append(len(receives.calls))
            server.kill()
            server.start()
        for thread in posting:
            thread.enough.set()
        for thread in posting:
            thread.join(10)

        events, messages = committed(file)
        wait_until(lambda: len(ids_received(receives.calls)) >= len(events), what="every event arrives", timeout_s=60)
        wait_until(lambda: still_to_deliver(file) == 0, what="nothing is left to deliver")

        answered = {message for thread in posting for message in thread.answered}
        assert len(answered) > kills, "hardly anything was posted, so nothing was shown"
        assert len(set(received_before)) > kills / 4, "hardly anything was delivered between the kills"
        assert answered <= messages, "an answered message is gone"
        assert not [status for thread in posting for status in thread.unexpected if status < 500]
        received = Counter((call.event["id"], call.event["payload"]["message"]["id"]) for call in receives.calls)
        assert {event for event, _ in received} == events, "a committed event did not arrive, or one that never was did"
        assert len(received) == len(events), "one message came under two ids"
        assert {message for _, message in received} == messages
        bodies: dict[str, set[bytes]] = {}
        for call in receives.calls:
            bodies.setdefault(call.event["id"], set()).add(call.body)
        assert all(len(seen) == 1 for seen in bodies.values()), "the same event had two bodies"


def ids_received(calls: list[Received]) -> set[str]:
    return {call.event["id"] for call in list(calls)}


def committed(file: Path) -> tuple[set[str], set[str]]:
    """The ids of the events of messages, and of the messages, that the database holds."""
    database = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        events = database.execute("SELECT id FROM events WHERE type = 'message.posted'").fetchall()
        messages = database.execute("SELECT id FROM messages").fetchall()
        return {str(row[0]) for row in events}, {str(row[0]) for row in messages}
    finally:
        database.close()


def still_to_deliver(file: Path) -> int:
    database = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return len(database.execute("SELECT event_id FROM deliveries").fetchall())
    finally:
        database.close()
