"""What a receiver gets: the envelope, the shared secret, and signatures that a standard library verifies."""

import base64
import time

import msgspec
import pytest
from msgspec import Struct, structs
from standardwebhooks import Webhook as StandardWebhook
from standardwebhooks import WebhookVerificationError

from knownas.deliveries import Cursor, Delivery, Recorded
from knownas.delivery.request import Renderer, envelope, headers, iso
from knownas.webhooks import Told, Webhook

SECRET = "a secret of the receiver's"
WEBHOOK = Webhook("w" * 24, "a" * 24, "i" * 24, "https://example.org/", ("user:update",), False, False, SECRET, 1)
EVENT = Recorded(Cursor(0, 7), "a" * 24, "u" * 24, 3, "e" * 24, "thing.happened", '{"what":"ä"}', 1_590_076_410_197)


class Happened(Struct):
    what: str


def decode(type: str, body: str) -> Happened | None:
    return msgspec.json.decode(body, type=Happened) if type == "thing.happened" else None


def told(event: Happened, webhook: Webhook) -> Told | None:
    if not webhook.wants("user:update"):
        return None
    return Told("user:update", {"what": event.what, "full": [webhook.include_full_user, webhook.include_full_source]})


RENDERER = Renderer(decode, told)


def delivery(event: Recorded | None = EVENT, *, full: bool = False) -> Delivery:
    return Delivery(EVENT.app_id, WEBHOOK.id, EVENT.id, EVENT.stream, EVENT.seq, full, full, 0, 0, event)


def verified_by(secret: str, body: bytes, sent: dict[str, str]) -> bool:
    """By the reference implementation, given the secret as the documents say."""
    library = StandardWebhook("whsec_" + base64.b64encode(secret.encode()).decode())
    try:
        library.verify(body, sent)
    except WebhookVerificationError:
        return False
    return True


def test_the_envelope_is_the_vendors() -> None:
    body = RENDERER.body(delivery(), WEBHOOK)
    assert body is not None
    assert msgspec.json.decode(body) == {
        "app": {"id": WEBHOOK.app_id},
        "webhook": {"id": WEBHOOK.id, "version": "v2"},
        "events": [
            {
                "id": EVENT.id,
                "createdAt": "2020-05-21T15:53:30.197Z",
                "type": "user:update",
                "payload": {"what": "ä", "full": [False, False]},
            }
        ],
    }


def test_the_body_stays_whatever_becomes_of_the_webhooks_options() -> None:
    """Receivers remember what they were sent: an attempt hours later has the same bytes."""
    first = RENDERER.body(delivery(full=True), structs.replace(WEBHOOK, include_full_user=True))
    changed = structs.replace(
        WEBHOOK, triggers=("client:add",), include_full_user=False, include_full_source=True, in_control_only=True
    )
    assert RENDERER.body(delivery(full=True), changed) == first


def test_an_event_that_was_erased_or_is_unknown_has_no_body() -> None:
    assert RENDERER.body(delivery(None), WEBHOOK) is None
    assert RENDERER.body(delivery(structs.replace(EVENT, type="from.the_future")), WEBHOOK) is None
    assert not RENDERER.wants(WEBHOOK, structs.replace(EVENT, type="from.the_future"))
    assert not RENDERER.wants(structs.replace(WEBHOOK, triggers=("client:add",)), EVENT)


@pytest.fixture
def now() -> int:
    """The library takes five minutes of difference, and a whole run of the tests takes longer."""
    return int(time.time() * 1000)


def test_a_standard_library_verifies_the_signature(now: int) -> None:
    body = envelope(EVENT, WEBHOOK, Told("user:update", {"name": "Ada ✓"}))
    sent = headers(WEBHOOK, EVENT.id, body, now)
    assert sent["x-api-key"] == SECRET
    assert sent["webhook-id"] == EVENT.id
    assert verified_by(SECRET, body, sent)
    assert not verified_by("another secret", body, sent)
    assert not verified_by(SECRET, body + b" ", sent)
    assert not verified_by(SECRET, body, sent | {"webhook-id": "f" * 24})
    assert not verified_by(SECRET, body, sent | {"webhook-timestamp": str(now // 1000 - 1)})


def test_while_a_secret_is_rotated_the_old_and_the_new_one_verify(now: int) -> None:
    rotating = structs.replace(WEBHOOK, secret="the new secret", former_secret=SECRET, former_until=now + 1)
    sent = headers(rotating, EVENT.id, b"{}", now)
    assert len(sent["webhook-signature"].split(" ")) == 2
    assert verified_by(SECRET, b"{}", sent)
    assert verified_by("the new secret", b"{}", sent)
    later = headers(rotating, EVENT.id, b"{}", now + 1)
    assert not verified_by(SECRET, b"{}", later)
    assert verified_by("the new secret", b"{}", later)
    assert later["x-api-key"] == "the new secret"


@pytest.mark.parametrize(
    ("time", "text"), [(0, "1970-01-01T00:00:00.000Z"), (1_590_076_410_007, "2020-05-21T15:53:30.007Z")]
)
def test_times_have_milliseconds(time: int, text: str) -> None:
    assert iso(time) == text
