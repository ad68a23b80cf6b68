"""The duplicate event as a business meets it: a real server, real logins, a receiver that verifies what it gets."""

import asyncio
import base64
import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from msgspec import structs
from standardwebhooks import Webhook as StandardWebhook

from knownas.apps import DUPLICATE_ON_CREATE, DUPLICATE_ON_UPDATE
from knownas.delivery.signing import make_signing_key
from knownas.ids import uuid_of
from knownas.transaction import Transaction
from knownas.webhooks import Webhook, as_standard
from knownas.webhooks.create_event_webhook import create_event_webhook
from knownas.webhooks.event_options import EventWebhookOptions, SigningAlgorithm
from knownas.webhooks.event_types import HAPPENING
from tests.e2e.acme import (
    ENVIRONMENT,
    Acme,
    Reply,
    Shop,
    command,
    new_email,
    new_external_id,
    open_shop,
    server_on,
    wait_for_log,
)
from tests.e2e.hooks import PRIVATE_TOO
from tests.given import database_of
from tests.receivers import Received, Receiver, receiver
from tests.servers import NODE, wait_until

PLACES = Path(__file__).parents[1] / "data" / "GeoIP2-City-Test.mmdb"
SETTINGS = PRIVATE_TOO | {"KNOWNAS_PLACES_DATABASE": str(PLACES)}
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2"
    " Mobile/15E148 Safari/604.1"
)
VERIFY = """
import { createHash } from 'node:crypto'
import { createRemoteJWKSet, jwtVerify } from 'jose'
const { url, calls } = JSON.parse(process.argv[1])
const published = createRemoteJWKSet(new URL(url))
for (const { token, body } of calls) {
  const { payload } = await jwtVerify(token, published)
  const digest = createHash('sha256').update(Buffer.from(body, 'base64')).digest('base64')
  if (payload.request_body_sha256 !== digest) throw new Error('another body')
}
process.stdout.write('verified ' + calls.length)
"""


@pytest.fixture
def receives() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    """A server on each kind of database that may call receivers on this machine and knows some places."""
    with server_on(database_url, **SETTINGS) as server:
        yield open_shop(server)


def hooked(
    acme: Acme,
    url: str,
    events: tuple[str, ...] = HAPPENING,
    algorithm: SigningAlgorithm | None = None,
    **options: Any,
) -> Webhook:
    """A webhook of the app, made beside the running server, as another of its processes would."""

    async def make() -> Webhook:
        database = database_of(acme.server.database, bytes.fromhex(ENVIRONMENT["KNOWNAS_MASTER_KEY"]))
        await database.start()
        try:
            app = await database.directory.app(acme.app_id)
            assert app is not None
            key = make_signing_key(algorithm) if algorithm else None
            chosen = EventWebhookOptions(url, events, **options)
            made = await database.write(app, create_event_webhook, chosen, key)
            if options.get("description") == "off":
                await database.write(app, _switch_off, made)
            return made
        finally:
            await database.close()

    made = asyncio.run(make())
    acme.secrets.keep(made.secret, options.get("http_password"))
    return made


async def _switch_off(tx: Transaction, webhook: Webhook) -> None:
    tx.webhooks.update(structs.replace(webhook, disabled_at=1))


def contest(acme: Acme, external_id: str, email: str, **headers: str) -> Reply:
    """A login that asserts somebody else's e-mail."""
    token = acme.token(external_id, email)
    body = {"client": {"id": external_id, "platform": "web"}}
    return acme.sdk("POST", "/login", body, f"Bearer {token}", **headers)


def verified_in_node(url: str, calls: list[Received]) -> "subprocess.CompletedProcess[str]":
    """By `jose` with the published keys, as FusionAuth's documents do it."""
    given = [
        {"token": call.headers["x-fusionauth-signature-jwt"], "body": base64.b64encode(call.body).decode()}
        for call in calls
    ]
    command = ["node", "--input-type=module", "--eval", VERIFY, json.dumps({"url": url, "calls": given})]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, cwd=NODE)


def test_contested_logins_are_told_to_the_right_receiver_and_to_no_other(shop: Shop, receives: Receiver) -> None:
    acme, other = shop.new_app(), shop.new_app("Another")
    email, owner, newcomer, known = new_email(), *(new_external_id() for _ in range(3))
    webhook = hooked(
        acme, receives.url("/told"), HAPPENING, "ES256",
        headers={"X-Shop": "acme"}, http_username="knownas", http_password="password-of-the-receiver",
    )  # fmt: skip
    hooked(acme, receives.url("/creates"), (DUPLICATE_ON_CREATE,), "RS256")
    hooked(acme, receives.url("/other-events"), ("user.create", "user.update"))
    hooked(acme, receives.url("/off"), description="off")
    hooked(other, receives.url("/another-app"))

    assert acme.log_in(acme.token(owner, email, name="Ada Lovelace"), owner).status == 200
    assert acme.log_in(acme.token(known), known).status == 200
    address = {"x_forwarded_for": "198.51.100.9, 2.125.160.216", "user_agent": IPHONE}
    assert contest(acme, newcomer, email.upper().replace("EXAMPLE.COM", "example.com"), **address).status == 409
    assert contest(acme, known, email).status == 409
    for app in (acme, other):
        assert app.log_in(app.token(new_external_id(), new_email())).status == 200, "nothing contested, nothing told"

    calls = receives.wait_for("/told", 2)
    receives.wait_for("/creates", 1)
    events = {event["type"]: event for event in (json.loads(call.body)["event"] for call in calls)}
    assert set(events) == set(HAPPENING)
    created, updated = events[DUPLICATE_ON_CREATE], events[DUPLICATE_ON_UPDATE]
    for event, claimant in ((created, newcomer), (updated, known)):
        assert event["tenantId"] == uuid_of(acme.app_id)
        assert event["duplicateEmail"] == event["existing"]["email"] == event["user"]["email"] == email
        assert event["existing"]["id"] == uuid_of(acme.user(owner)["id"])
        assert event["existing"]["fullName"] == "Ada Lovelace"
        assert event["user"]["legacyIdentifier"] == claimant
        assert event["linkedObjectId"] == event["user"]["id"]
    assert updated["user"]["id"] == uuid_of(acme.user(known)["id"])
    assert acme.user(newcomer) is None
    assert created["info"] == {
        "ipAddress": "2.125.160.216",
        "userAgent": IPHONE,
        "deviceName": "iPhone",
        "deviceType": "MOBILE",
        "deviceDescription": "Mobile Safari 17 on iOS 17.2",
        "os": "iOS 17.2",
        "location": {
            "city": "Boxford", "country": "GB", "latitude": 51.75, "longitude": -1.25, "region": "ENG",
            "zipcode": "OX1",
        },
    }  # fmt: skip
    assert updated["info"]["ipAddress"] == "127.0.0.1"

    for call in calls:
        assert call.headers["x-shop"] == "acme"
        assert base64.b64decode(call.headers["authorization"].split()[1]) == b"knownas:password-of-the-receiver"
        assert StandardWebhook(as_standard(webhook.secret)).verify(call.body, call.headers)
        assert call.headers["webhook-id"] == json.loads(call.body)["event"]["id"]
    signed = [*calls, *receives.at("/creates")]
    for query in ("", f"?app={acme.app_id}"):
        done = verified_in_node(f"{acme.server.url}/.well-known/jwks.json{query}", signed)
        assert (done.returncode, done.stdout) == (0, "verified 3"), done.stderr
    done = verified_in_node(f"{acme.server.url}/.well-known/jwks.json?app={other.app_id}", signed)
    assert done.returncode != 0, "another app's keys vouch for nothing here"

    assert contest(acme, newcomer, email).status == 409
    receives.wait_for("/told", 3)
    receives.wait_for("/creates", 2)
    assert Counter(call.path for call in receives.calls) == {"/told": 3, "/creates": 2}
    acme.secrets.assert_not_in(wait_for_log(acme.server))


def test_no_answer_of_a_receiver_changes_the_outcome_or_when_it_comes(shop: Shop, receives: Receiver) -> None:
    """Asked in turn, an app whose receivers fail and hang and one that has none answer alike."""
    quiet, noisy = shop.new_app("Quiet"), shop.new_app("Noisy")
    for path in ("/hang", "/500", "/close", "/410"):
        hooked(noisy, receives.url(path), algorithm="RS256", read_timeout_ms=20_000)
    owners = {}
    for app in (quiet, noisy):
        owners[app.app_id] = new_email()
        assert app.log_in(app.token(new_external_id(), owners[app.app_id])).status == 200
    took: dict[str, list[float]] = {quiet.app_id: [], noisy.app_id: []}
    answers = set()
    for _ in range(60):
        for app in (quiet, noisy):
            began = time.perf_counter()
            reply = contest(app, new_external_id(), owners[app.app_id])
            took[app.app_id].append(time.perf_counter() - began)
            answers.add((reply.status, reply.body))
    assert len(answers) == 1, "the same status and the same body"
    assert {status for status, _ in answers} == {409}
    for path in ("/hang", "/500", "/close", "/410"):
        receives.wait_for(path, 1)
    assert median(took[noisy.app_id]) < 2 * median(took[quiet.app_id])


def test_a_receiver_that_was_down_is_told_later(shop: Shop, receives: Receiver) -> None:
    """FusionAuth would send this once and never again; here it is as certain as any other event."""
    acme, email = shop.new_app(), new_email()
    receives.statuses["/told"] = 503
    hooked(acme, receives.url("/told"))
    assert acme.log_in(acme.token(new_external_id(), email)).status == 200
    assert contest(acme, new_external_id(), email).status == 409
    receives.wait_for("/told", 1)
    receives.statuses["/told"] = 200
    first, second = receives.wait_for("/told", 2)
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])


def test_a_webhook_waits_no_longer_than_its_own_timeout(shop: Shop, receives: Receiver) -> None:
    acme, email = shop.new_app(), new_email()
    webhook = hooked(acme, receives.url("/hang"), read_timeout_ms=300)
    assert acme.log_in(acme.token(new_external_id(), email)).status == 200
    assert contest(acme, new_external_id(), email).status == 409

    def log() -> list[dict[str, Any]]:
        arguments = ("webhooks", "log", webhook.id, "--app", acme.app_id)
        attempts: list[dict[str, Any]] = command(*arguments, database=acme.server.database)["attempts"]
        return attempts

    wait_until(lambda: bool(log()), what="the attempt is in the log")
    [listed] = command("webhooks", "list", "--app", acme.app_id, database=acme.server.database)["webhooks"]
    assert (listed["id"], listed["format"], listed["integrationId"]) == (webhook.id, "fusionauth", None)
    assert webhook.secret not in str(listed)
    [attempt] = log()[-1:]
    assert attempt["error"] == "no answer within 0.3 s"
    assert 300 <= attempt["tookMs"] < 3000
