"""Decode what strangers send, and say in plain words what is wrong with it."""

import re
from collections.abc import Hashable
from typing import Any, Final, TypeVar, cast
from urllib.parse import parse_qsl

import msgspec

from knownas.errors import DomainError
from knownas.http.choices import choices

T = TypeVar("T")
MAX_PARAMETERS: Final = 100

_SUSPICIOUS: Final = re.compile(rb"\\u(?:0000|[dD][89abAB][0-9a-fA-F]{2}|[dD][c-fC-F][0-9a-fA-F]{2})")
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_BRACKETS: Final = re.compile(r"([^\[\]]+)\[([^\[\]]+)\]")


class InvalidBody(DomainError):
    """The body or query cannot be understood; the text says where and why."""

    kind = "invalid"
    code = "bad_request"


def decode_json(body: bytes, shape: type[T]) -> T:
    """JSON text as `shape`. Raises InvalidBody, whatever the bytes are."""
    if not body.strip():
        raise InvalidBody("The body is empty; it should be JSON")
    try:
        value: T = (_DECODERS.get(shape) or _decoder(shape)).decode(body)
        if _SUSPICIOUS.search(body):
            _refuse_unstorable(msgspec.json.decode(body))
    except msgspec.ValidationError as wrong:
        raise InvalidBody(_plainly(str(wrong), cast("Hashable", shape))) from None
    except (msgspec.DecodeError, UnicodeError) as wrong:
        raise InvalidBody(f"The body is not valid JSON: {shown(str(wrong))}") from None
    except RecursionError:
        raise InvalidBody("The body is nested too deeply") from None
    return value


_DECODERS: Final[dict[Any, msgspec.json.Decoder[Any]]] = {}
"""One for each shape that the program knows."""


def _decoder(shape: type[T]) -> msgspec.json.Decoder[T]:
    return _DECODERS.setdefault(shape, msgspec.json.Decoder(shape))


def parse_query(query: bytes) -> dict[str, Any]:
    """A query string as an object: `a[b]=1` and `a={"b":1}` alike become `{"a": {"b": ...}}`.

    The vendor's older clients send the one and its newest the other (facts on its clients). Raises InvalidBody.
    """
    if not query:
        return {}
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except (UnicodeError, ValueError):
        raise InvalidBody("Invalid query parameters") from None
    parsed: dict[str, Any] = {}
    for name, value in pairs:
        if _UNSTORABLE.search(name) or _UNSTORABLE.search(value):
            raise InvalidBody("Invalid query parameters")
        if bracketed := _BRACKETS.fullmatch(name):
            inner = parsed.setdefault(bracketed[1], {})
            if not isinstance(inner, dict):
                raise InvalidBody("Invalid query parameters")
            inner[bracketed[2]] = value
        elif value.startswith("{"):
            try:
                inner = decode_json(value.encode(), dict[str, Any])
            except InvalidBody:
                raise InvalidBody("Invalid query parameters") from None  # it is no body whose words would help
            parsed[name] = {**parsed[name], **inner} if isinstance(parsed.get(name), dict) else inner
        else:
            parsed[name] = value
    return parsed


def _refuse_unstorable(value: object) -> None:
    """Refuse a NUL or half a surrogate pair anywhere in the value: no database could give it back unchanged."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if _UNSTORABLE.search(item):
                raise InvalidBody("The body contains a NUL character or an unpaired surrogate, which cannot be stored")
        elif isinstance(item, dict):
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _plainly(message: str, shape: Hashable) -> str:
    """A validation message in the wording that the vendor's callers know (JSON Schema's, as its validator puts it)."""
    text, _, path = message.partition(" - at `")
    where = path.rstrip("`").removeprefix("$").removeprefix(".") if path else ""
    if missing := re.fullmatch(r"Object missing required field `(.+)`", text):
        return f"{where} should have required property '{missing[1]}'".strip()
    if length := re.fullmatch(r"Expected `str` of length (<=|>=) (\d+)", text):
        bound = "longer" if length[1] == "<=" else "shorter"
        return f"{where} should NOT be {bound} than {length[2]} characters"
    if limit := re.fullmatch(r"Expected `(?:int|float)` (<=|>=|<|>) (\S+)", text):
        return f"{where} should be {limit[1]} {limit[2]}"
    if unknown := re.fullmatch(r"Object contains unknown field `(.+)`", text, re.DOTALL):
        return f"{where or 'The body'} should NOT have property '{shown(unknown[1], 100)}'"
    if (given := re.fullmatch(r"Invalid (?:enum )?value (.+)", text, re.DOTALL)) and (known := choices(shape, where)):
        return f"{where} should be one of {', '.join(known)}, not {shown(given[1], 60)}"
    if text == "Invalid RFC3339 encoded datetime":
        return f"{where} should be {_TYPES['datetime']}".strip()
    if kind := re.match(r"Expected `([^`]+)`, got `([^`]+)`", text):
        wanted = " or ".join(_TYPES.get(part.strip(), part.strip()) for part in kind[1].split("|"))
        return f"{where or 'The body'} should be {wanted}, not {_TYPES.get(kind[2], kind[2])}"
    return shown(f"{where}: {text}" if where else text)


def shown(text: str, limit: int = 300) -> str:
    """What somebody sent as a part of a message: one line, not longer than `limit`, without what cannot be seen."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text[:limit])


_TYPES: Final = {
    "str": "string", "int": "integer", "float": "number", "bool": "boolean", "object": "object", "array": "array",
    "null": "null", "datetime": "a date and time such as 2020-05-21T15:53:30.197Z",
}  # fmt: skip
