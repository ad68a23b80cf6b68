"""What is wrong with a body is said where it is wrong, and with what would be right."""

from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct

from knownas.http.admin.plans import PlanBody
from knownas.http.decode import InvalidBody, decode_json


class Line(Struct, forbid_unknown_fields=True):
    """One of several."""

    colour: Literal["red", "green"] | None = None
    count: Annotated[int, Meta(ge=1, le=9)] = 1


class Order(Struct, forbid_unknown_fields=True):
    """A body with bodies in it."""

    lines: Annotated[list[Line], Meta(max_length=3)] = []
    named: dict[str, Line] = {}


@pytest.mark.parametrize(
    ("shape", "body", "told"),
    [
        (Order, b"", "The body is empty; it should be JSON"),
        (Order, b" \n", "The body is empty; it should be JSON"),
        (Order, b"[]", "The body should be object, not array"),
        (Order, b'{"bogus": 1}', "The body should NOT have property 'bogus'"),
        (Order, b'{"lines": [{}, {"bogus": 1}]}', "lines[1] should NOT have property 'bogus'"),
        (Order, b'{"lines": [{"colour": "blue"}]}', "lines[0].colour should be one of green, red, not 'blue'"),
        (Order, b'{"named": {"a": {"colour": ""}}}', "named[...].colour should be one of green, red, not ''"),
        (Order, b'{"lines": [{"count": 0}]}', "lines[0].count should be >= 1"),
        (Order, b'{"lines": [{"count": 10}]}', "lines[0].count should be <= 9"),
        (PlanBody, b"{}", "should have required property 'kind'"),
        (PlanBody, b'{"kind": "burn"}', "kind should be one of resolve, merge, undo, erase, delete, not 'burn'"),
        (PlanBody, b'{"kind": "undo"}', "should have required property 'actId'"),
        (PlanBody, b'{"kind": "undo", "actId": ""}', "actId should NOT be shorter than 1 characters"),
        (PlanBody, b'{"kind": "undo", "actId": "a", "user": "b"}', "The body should NOT have property 'user'"),
        (
            PlanBody,
            b'{"kind": "resolve", "conflictId": "a", "action": "transfer"}',
            "action should be one of dismiss, merge, move, reassign, not 'transfer'",
        ),
    ],
)
def test_what_is_wrong_is_said_with_what_would_be_right(shape: Any, body: bytes, told: str) -> None:
    with pytest.raises(InvalidBody) as refused:
        decode_json(body, shape)
    assert str(refused.value) == told


def test_what_was_sent_is_repeated_shortly_and_on_one_line() -> None:
    for body in (b'{"' + b"x" * 5000 + b'": 1}', b'{"lines": [{"colour": "' + b"y" * 5000 + b'"}]}', b'{"a\\nb": 1}'):
        with pytest.raises(InvalidBody) as refused:
            decode_json(body, Order)
        assert len(str(refused.value)) < 200
        assert str(refused.value).isprintable()
