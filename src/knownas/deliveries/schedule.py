"""When to try again: the rules of delivery, as pure functions (docs/decisions/0008-delivery.md)."""

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from msgspec import Struct

SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

DELAYS: Final = (5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR)
"""The pauses between the attempts, in milliseconds: eight attempts over 27 and a half hours."""
JITTER: Final = 0.1
"""Each pause is up to so much of itself longer, so that what failed together does not come back together."""
NEVER_AGAIN: Final = frozenset({400, 401, 403, 404, 406})
"""Statuses that the vendor's documents call non-recoverable."""
ASKED_AT_MOST: Final = 10 * HOUR
"""How long a receiver may ask us to wait beyond our own schedule."""
SWITCHED_OFF_AFTER: Final = 5 * DAY


class Again(Struct, frozen=True):
    """Try it at `at` (milliseconds) the next time."""

    at: int


def next_attempt(attempts: int, status: int | None, now: int, jitter: float, retry_after: int | None) -> Again | None:
    """What follows on the failed attempt number `attempts`; None means that it was the last.

    `status` is None where there was no answer. `jitter` is a random number from 0 to 1. `retry_after` is what the
    receiver asked for, in milliseconds: it can make the pause longer, never shorter.
    """
    if status in NEVER_AGAIN or attempts > len(DELAYS):
        return None
    pause = DELAYS[attempts - 1] * (1 + JITTER * jitter)
    return Again(now + max(int(pause), min(retry_after or 0, ASKED_AT_MOST)))


def is_told(status: int | None) -> bool:
    """Whether the receiver has taken the event."""
    return status is not None and 200 <= status < 300


def is_to_be_switched_off(failing_since: int | None, now: int) -> bool:
    """Whether a webhook has failed for so long that nothing is sent there any more."""
    return failing_since is not None and now - failing_since >= SWITCHED_OFF_AFTER


def retry_after_ms(header: str | None, now: int) -> int | None:
    """The pause that a `Retry-After` header asks for (RFC 9110, 10.2.3: seconds or a date), or None."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return int(text[:12]) * SECOND
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    at = date if date.tzinfo else date.replace(tzinfo=UTC)
    try:
        return max(0, int(at.timestamp() * 1000) - now)
    except (OverflowError, ValueError):
        return None
