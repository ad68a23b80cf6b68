"""Webhooks as a business meets them: a real server, real receivers with good and bad manners, the command line."""

import base64
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from standardwebhooks import Webhook as StandardWebhook

from tests.e2e.acme import command, run_command, server_on, wait_for_log
from tests.e2e.hooks import PRIVATE_TOO, Listening, listening
from tests.receivers import Receiver, receiver
from tests.servers import fresh_database, wait_until

MESSAGES = 120


@pytest.fixture
def receives() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def shop(database_url: str, receives: Receiver) -> Iterator[Listening]:
    """An app that is told of its messages at `/ok`, on each kind of database."""
    with server_on(database_url, **PRIVATE_TOO) as server:
        shop = listening(server, receives)
        yield shop
        shop.acme.secrets.assert_not_in(wait_for_log(server))


def whsec(secret: str) -> str:
    """The secret as a Standard Webhooks library wants it (docs/decisions/0008-delivery.md)."""
    return "whsec_" + base64.b64encode(secret.encode()).decode()


def latency_s(shop: Listening, path: str) -> float:
    """How long after its answer a message arrives at `path`."""
    before = len(shop.receiver.at(path))
    shop.post()
    answered_at = time.perf_counter()
    return shop.receiver.wait_for(path, before + 1)[before].at - answered_at


def test_a_message_arrives_signed_once_and_in_the_vendors_envelope(shop: Listening) -> None:
    message_id = shop.post("hello there")
    [call] = shop.receiver.wait_for("/ok", 1)
    secret = shop.first_webhook["secret"]
    assert call.headers["x-api-key"] == secret
    assert call.headers["content-type"] == "application/json"
    body = StandardWebhook(whsec(secret)).verify(call.body, call.headers)
    assert body["app"] == {"id": shop.acme.app_id}
    assert body["webhook"] == {"id": shop.first_webhook["id"], "version": "v2"}
    [event] = body["events"]
    assert event["id"] == call.headers["webhook-id"]
    assert event["type"] == "conversation:message"
    assert event["payload"]["message"]["id"] == message_id
    shop.post("and again")
    calls = shop.receiver.wait_for("/ok", 2)
    assert len({call.event["id"] for call in calls}) == len(calls) == 2


def test_the_events_of_one_user_arrive_in_order(shop: Listening) -> None:
    sent = [shop.post(str(number)) for number in range(40)]
    calls = shop.receiver.wait_for("/ok", len(sent))
    assert [call.event["payload"]["message"]["id"] for call in calls] == sent


@pytest.fixture
def second_database(database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """One more empty database of the same kind."""
    if database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'second.db'}"
    else:
        with fresh_database(request.getfixturevalue("postgres_url")) as url:
            yield url


def test_bad_receivers_do_not_delay_a_good_one(shop: Listening, second_database: str) -> None:
    """Slow, failing, hanging and disconnecting ones beside it: twice the latency it has alone is the most.

    The one that is alone is on a server of its own, and both are asked in turn, so that whatever else the machine does
    hits both alike.
    """
    bad = ("/slow", "/500", "/hang", "/close", "/endless")
    with server_on(second_database, **PRIVATE_TOO) as other_server:
        alone = listening(other_server, shop.receiver, "/alone")
        for path in bad:
            shop.add_webhook(path)
        for _ in range(20):
            latency_s(alone, "/alone")
            latency_s(shop, "/ok")
        measured = [(latency_s(alone, "/alone"), latency_s(shop, "/ok")) for _ in range(MESSAGES)]
    for path in bad:
        assert shop.receiver.at(path), f"{path} was never called, so it could delay nobody"
    by_itself, in_company = (median(column) for column in zip(*measured, strict=True))
    assert in_company <= 2 * by_itself, f"{in_company * 1000:.1f} ms, alone {by_itself * 1000:.1f} ms"


def test_a_failed_call_is_made_again_with_the_same_bytes(shop: Listening) -> None:
    shop.receiver.statuses["/ok"] = 503
    shop.post()
    [first] = shop.receiver.wait_for("/ok", 1)
    shop.receiver.statuses["/ok"] = 204
    _, second = shop.receiver.wait_for("/ok", 2)
    assert (second.body, second.headers["webhook-id"]) == (first.body, first.headers["webhook-id"])
    assert second.at - first.at > 4.5


def test_a_call_that_was_refused_for_good_is_made_again_only_when_asked(shop: Listening) -> None:
    database = shop.acme.server.database
    app, webhook = shop.acme.app_id, shop.first_webhook["id"]
    [listed] = command("webhooks", "list", "--app", app, database=database)["webhooks"]
    assert (listed["id"], listed["switchedOffAt"]) == (webhook, None)
    assert shop.first_webhook["secret"] not in str(listed)
    shop.receiver.statuses["/ok"] = 404
    shop.post()
    shop.receiver.wait_for("/ok", 1)

    def log() -> list[dict[str, object]]:
        listed: list[dict[str, object]] = command("webhooks", "log", webhook, "--app", app, database=database)[
            "attempts"
        ]
        return listed

    wait_until(lambda: len(log()) == 1, what="the attempt is in the log")
    assert (log()[0]["status"], log()[0]["number"]) == (404, 1)
    shop.receiver.statuses["/ok"] = 200
    event = shop.receiver.at("/ok")[0].event["id"]
    redelivered = command("webhooks", "redeliver", webhook, "--app", app, "--event", event, database=database)
    assert redelivered["deliveries"] == 1
    first, second = shop.receiver.wait_for("/ok", 2)
    assert first.body == second.body

    between = command("webhooks", "redeliver", webhook, "--app", app, "--since", "1h", database=database)
    assert between["deliveries"] == 1
    shop.receiver.wait_for("/ok", 3)
    assert run_command(
        "webhooks", "redeliver", webhook, "--app", app, "--event", "0" * 24, database=database
    ).returncode


def test_events_can_be_read_again_from_a_cursor(shop: Listening) -> None:
    database = shop.acme.server.database
    sent = [shop.post(str(number)) for number in range(5)]
    shop.receiver.wait_for("/ok", 5)
    after: list[str] = []
    seen = []
    while True:
        page = command("events", "list", "--app", shop.acme.app_id, "--limit", "4", *after, database=database)
        if not page["events"]:
            break
        assert len(page["events"]) <= 4
        seen += page["events"]
        after = ["--after", page["next"]]
    posted = [event["body"]["message"]["id"] for event in seen if event["type"] == "message.posted"]
    assert posted == sent


def test_nothing_of_our_own_network_is_called_unless_the_setting_says_so(tmp_path: Path, receives: Receiver) -> None:
    database = f"sqlite:///{tmp_path / 'knownas.db'}"
    with server_on(database) as server:
        shop = listening(server, receives)
        by_name = shop.add_webhook("/by-name")
        target = shop.receiver.url("/by-name").replace("127.0.0.1", "localhost")
        path = f"/integrations/{shop.integration}/webhooks/{by_name['id']}"
        assert shop.acme.v2("PATCH", path, {"target": target}).status == 200
        shop.post()
        for webhook in (shop.first_webhook["id"], by_name["id"]):
            arguments = ("webhooks", "log", webhook, "--app", shop.acme.app_id)
            wait_until(lambda a=arguments: command(*a, database=database)["attempts"], what="an attempt is logged")  # type: ignore[misc]
            for attempt in command(*arguments, database=database)["attempts"]:
                assert attempt["status"] is None
                assert attempt["error"].startswith("refused: ")
        assert receives.calls == []


def test_a_redirect_is_not_followed(shop: Listening) -> None:
    shop.add_webhook("/redirect")
    shop.post()
    shop.receiver.wait_for("/redirect", 2)
    assert shop.receiver.at("/redirected") == []


def test_a_stopped_server_finishes_what_is_under_way_and_the_next_one_goes_on(
    tmp_path: Path, receives: Receiver
) -> None:
    with server_on(f"sqlite:///{tmp_path / 'knownas.db'}", **PRIVATE_TOO) as server:
        shop = listening(server, receives, "/slow")
        shop.post()
        shop.receiver.wait_for("/slow", 1)
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 10
        server.start()
        shop.post()
        calls = shop.receiver.wait_for("/slow", 2)
        assert len({call.event["id"] for call in calls}) == 2, "the first was answered before the server ended"
