"""Custom properties: flat, at most 4 KB."""

from typing import Any

import pytest

from knownas.users.metadata import METADATA_BYTES, InvalidMetadata, check_metadata, combine, merge_metadata, size_of

FULL = {"k": "x" * (METADATA_BYTES - len('{"k":""}'))}


def test_the_limit_counts_the_bytes_of_compact_json() -> None:
    assert size_of(FULL) == METADATA_BYTES
    assert check_metadata(FULL) == FULL
    with pytest.raises(InvalidMetadata, match="limited to 4096 bytes"):
        check_metadata({"k": FULL["k"] + "x"})
    with pytest.raises(InvalidMetadata):
        check_metadata({"k": "ß" * 2048})
    assert check_metadata({"k": "ß" * 2000})


@pytest.mark.parametrize("value", ["", "text", 0, 1, -1.5, True, False, 2**70])
def test_strings_numbers_and_booleans_are_properties(value: Any) -> None:
    assert check_metadata({"k": value}) == {"k": value}


@pytest.mark.parametrize("value", [None, [], ["a"], {}, {"a": 1}])
def test_metadata_is_flat(value: Any) -> None:
    with pytest.raises(InvalidMetadata, match=r"metadata\.k should be a string, a number or a boolean"):
        check_metadata({"k": value})


def test_a_null_removes_its_key_and_a_null_object_removes_all() -> None:
    assert merge_metadata({"a": 1, "b": 2}, {"a": None, "c": 3, "d": None}) == {"b": 2, "c": 3}
    assert merge_metadata({"a": 1}, None) == {}
    assert merge_metadata({"a": 1}, {}) == {"a": 1}


def test_the_limit_holds_for_the_sum_of_many_changes() -> None:
    with pytest.raises(InvalidMetadata):
        merge_metadata(FULL, {"b": 1})
    assert merge_metadata(FULL, {"k": None, "b": 1}) == {"b": 1}


def test_combining_keeps_the_survivors_values_and_returns_what_does_not_fit() -> None:
    assert combine({"a": 1}, {"a": 2, "b": 3}) == ({"a": 1, "b": 3}, {})
    combined, left_over = combine({"a": "x" * 4000}, {"big": "y" * 100, "b": 1})
    assert combined == {"a": "x" * 4000, "b": 1}
    assert left_over == {"big": "y" * 100}
    assert size_of(combined) <= METADATA_BYTES
    assert combine(FULL, {}) == (FULL, {})
