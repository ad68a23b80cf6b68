"""Ids that one process makes."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from knownas.ids import id_of_uuid, is_id, uuid_of
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


@given(st.from_regex(r"[0-9a-f]{24}", fullmatch=True), st.from_regex(r"[0-9a-f]{24}", fullmatch=True))
def test_an_id_and_its_uuid_are_one(one: str, other: str) -> None:
    """One record has one id, however a facade spells it; sorting by either is the same."""
    spelled = uuid_of(one)
    read = uuid.UUID(spelled)
    assert (str(read), read.version, read.variant) == (spelled, 8, uuid.RFC_4122)
    assert id_of_uuid(spelled) == id_of_uuid(spelled.upper()) == one
    assert (uuid_of(one) < uuid_of(other)) == (one < other)


@given(st.one_of(st.uuids().map(str), st.text(), st.from_regex(r"[0-9a-f]{24}", fullmatch=True)))
def test_any_other_uuid_is_nobodys_id(text: str) -> None:
    found = id_of_uuid(text)
    assert found is None or uuid_of(found) == text.lower()
