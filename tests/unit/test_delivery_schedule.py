"""When a failed call is made again, and when a webhook is switched off."""

from email.utils import formatdate

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from knownas.deliveries.schedule import (
    ASKED_AT_MOST,
    DAY,
    DELAYS,
    HOUR,
    JITTER,
    MINUTE,
    NEVER_AGAIN,
    SECOND,
    Again,
    is_to_be_switched_off,
    is_told,
    next_attempt,
    retry_after_ms,
)

NOW = 1_795_000_000_000
FAILURES = [None, *(status for status in range(300, 600) if status not in NEVER_AGAIN)]


def test_the_schedule_lasts_for_27_hours() -> None:
    at, attempts = NOW, 1
    while again := next_attempt(attempts, 500, at, 0.0, None):
        at, attempts = again.at, attempts + 1
    assert attempts == 8
    assert 27 * HOUR <= at - NOW < 28 * HOUR


@pytest.mark.parametrize("status", sorted({400, 401, 403, 404, 406}))
def test_what_the_vendor_calls_non_recoverable_is_never_tried_again(status: int) -> None:
    assert next_attempt(1, status, NOW, 0.5, 5 * SECOND) is None


@pytest.mark.parametrize("status", [None, 301, 307, 402, 405, 408, 409, 410, 429, 500, 502, 503, 504, 599])
def test_everything_else_is(status: int | None) -> None:
    assert next_attempt(1, status, NOW, 0.0, None) == Again(NOW + 5 * SECOND)


@examples(
    st.integers(1, len(DELAYS)), st.sampled_from(FAILURES), st.floats(0, 1), st.none() | st.integers(0, 100 * DAY)
)
def test_a_pause_is_its_own_or_what_was_asked_for_within_bounds(
    attempts: int, status: int | None, jitter: float, asked: int | None
) -> None:
    again = next_attempt(attempts, status, NOW, jitter, asked)
    assert again is not None
    pause, own = again.at - NOW, DELAYS[attempts - 1]
    assert pause >= max(own, min(asked or 0, ASKED_AT_MOST))
    assert pause <= max(own * (1 + JITTER), min(asked or 0, ASKED_AT_MOST))


@examples(st.integers(100, 599))
def test_only_a_2xx_is_a_success(status: int) -> None:
    assert is_told(status) == (status // 100 == 2)
    assert not is_told(None)


@pytest.mark.parametrize(
    ("header", "pause"),
    [
        (None, None),
        ("120", 2 * MINUTE),
        (" 7 ", 7 * SECOND),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 5000, 999_999_999_999 * SECOND),
        (formatdate((NOW + 90 * SECOND) / 1000, usegmt=True), 90 * SECOND),
        (formatdate((NOW - 90 * SECOND) / 1000, usegmt=True), 0),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None),
    ],
)
def test_a_receiver_may_ask_for_a_pause_in_seconds_or_by_a_date(header: str | None, pause: int | None) -> None:
    assert retry_after_ms(header, NOW) == pause


@examples(st.text())
def test_whatever_a_receiver_asks_for_is_understood_or_ignored(header: str) -> None:
    assert (retry_after_ms(header, NOW) or 0) >= 0


def test_five_days_of_nothing_but_failures_are_enough() -> None:
    assert not is_to_be_switched_off(None, NOW)
    assert not is_to_be_switched_off(NOW - 5 * DAY + 1, NOW)
    assert is_to_be_switched_off(NOW - 5 * DAY, NOW)
