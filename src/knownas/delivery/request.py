"""What a receiver gets, the envelope and the headers that vouch for it, and what comes back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct, structs

from knownas import __version__
from knownas.deliveries import Delivery, Recorded
from knownas.delivery.event_request import event_envelope, event_headers
from knownas.delivery.signing import sign
from knownas.webhooks import Told, Webhook

DecodeEvent = Callable[[str, str], Struct | None]
"""An event's type and body as its value; None for a type that is not known any more."""
Tell = Callable[[Any, Webhook], Told | None]
"""An event as this webhook is told of it; None if it is not."""

EVERYTHING: Final = ("*",)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_encode: Final = msgspec.json.Encoder().encode


class Answer(Struct, frozen=True):
    """What came of a call: a status, or in `error` why there is none. Nothing that the receiver wrote."""

    status: int | None
    error: str | None
    took_ms: int
    retry_after: str | None = None


class Timeouts(Struct, frozen=True):
    """What a webhook allows for finding and connecting, and for each wait for the answer, in seconds."""

    connect_s: float
    read_s: float


def timeouts_of(webhook: Webhook) -> Timeouts | None:
    """The webhook's own; None where it has none, so that the general one counts."""
    call = webhook.call
    return None if call is None else Timeouts(call.connect_timeout_ms / 1000, call.read_timeout_ms / 1000)


class Renderer:
    """Turns recorded events into what one webhook is sent."""

    def __init__(self, decode_event: DecodeEvent, told: Tell) -> None:
        self._decode = decode_event
        self._told = told

    def told(self, event: Recorded, webhook: Webhook) -> Told | None:
        """What the webhook is told of the event, or None."""
        value = self._decode(event.type, event.body)
        return None if value is None else self._told(value, webhook)

    def wants(self, webhook: Webhook, event: Recorded) -> bool:
        """Whether the webhook is told of the event."""
        return self.told(event, webhook) is not None

    def body(self, delivery: Delivery, webhook: Webhook) -> bytes | None:
        """The same bytes at each attempt, whatever became of the webhook's options; None where nothing is left."""
        if delivery.event is None:
            return None
        as_then = structs.replace(
            webhook,
            triggers=EVERYTHING,
            disabled_at=None,
            muted=(),
            in_control_only=False,
            include_full_user=delivery.include_full_user,
            include_full_source=delivery.include_full_source,
        )
        told = self.told(delivery.event, as_then)
        return None if told is None else envelope(delivery.event, webhook, told)


def envelope(event: Recorded, webhook: Webhook, told: Told) -> bytes:
    """One event in the envelope of the webhook's format."""
    if webhook.format == "fusionauth":
        return event_envelope(event, webhook, told)
    return _encode(
        {
            "app": {"id": webhook.app_id},
            "webhook": {"id": webhook.id, "version": "v2"},
            "events": [
                {"id": event.id, "createdAt": iso(event.created_at), "type": told.trigger, "payload": told.payload}
            ],
        }
    )


def headers(webhook: Webhook, event_id: str, body: bytes, now: int) -> dict[str, str]:
    """The vendor's shared secret, and a Standard Webhooks signature with every secret that counts at `now` (ms).

    FusionAuth's format has other options and no `X-API-Key` (event_request.py).
    """
    if webhook.call is not None:
        return event_headers(webhook, webhook.call, event_id, body, now)
    live = webhook.live_secrets(now)
    timestamp = str(now // 1000)
    return {
        "content-type": "application/json",
        "user-agent": f"Knownas/{__version__}",
        "x-api-key": live[0],
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(sign(secret, event_id, timestamp, body) for secret in live),
    }


def iso(milliseconds: int) -> str:
    """A time as `2020-05-21T15:53:30.197Z`."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{(_EPOCH + timedelta(seconds=seconds)).isoformat(timespec='seconds')[:19]}.{rest:03d}Z"
