"""Ids that one process makes."""

from knownas.ids import is_id
from knownas.storage.chance import SystemRandomness


def test_ids_grow_even_within_a_millisecond_and_when_the_clock_goes_back() -> None:
    """The last messages of a conversation are the last by id."""
    randomness = SystemRandomness()
    ids = [randomness.id(now) for now in (*[1_700_000_000_000] * 5000, 1_600_000_000_000, 1_700_000_000_001)]
    assert ids == sorted(set(ids))
    assert all(map(is_id, ids))


def test_a_millisecond_that_is_full_runs_over_into_the_next() -> None:
    randomness = SystemRandomness()
    randomness.id(5)
    randomness._low = (1 << 48) - 1
    assert int(randomness.id(5)[:12], 16) == 6
