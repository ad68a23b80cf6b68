"""Parameters of OAuth's requests: each at most once (RFC 6749, 3.1 and 3.2), and none that could not be stored."""

from typing import Final
from urllib.parse import parse_qsl

from knownas.http.call import Call
from knownas.http.decode import decode_json
from knownas.oauth import OAuthRefusal

BODY_BYTES: Final = 16 * 1024
MAX_CHARACTERS: Final = 2048
MAX_PARAMETERS: Final = 30


def invalid_request(message: str) -> OAuthRefusal:
    """A request that cannot be understood."""
    return OAuthRefusal("invalid_request", message)


def of_query(call: Call) -> dict[str, str]:
    """The query's parameters. Raises OAuthRefusal."""
    return _parsed(call.scope["query_string"])


async def of_form(call: Call) -> dict[str, str]:
    """The parameters of a posted form. Raises OAuthRefusal, TooLarge."""
    if _media_type(call) != b"application/x-www-form-urlencoded":
        raise invalid_request("The body should be application/x-www-form-urlencoded")
    return _parsed(await call.body(BODY_BYTES))


async def of_body(call: Call) -> dict[str, str]:
    """The parameters of a posted form, or of a JSON object, as the vendor has it. Raises OAuthRefusal, TooLarge."""
    if _media_type(call) != b"application/json":
        return await of_form(call)
    values = decode_json(await call.body(BODY_BYTES), dict[str, str])
    _check(list(values.items()))
    return {name: value for name, value in values.items() if value}


def _media_type(call: Call) -> bytes:
    return (call.header(b"content-type") or b"").partition(b";")[0].strip().lower()


def _parsed(text: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(text.decode("ascii"), errors="strict", max_num_fields=MAX_PARAMETERS)
    except (UnicodeError, ValueError):
        raise invalid_request("The parameters cannot be read") from None
    _check(pairs)
    found = dict(pairs)
    if len(found) < len(pairs):
        raise invalid_request("A parameter was sent more than once")
    return found


def _check(pairs: list[tuple[str, str]]) -> None:
    for name, value in pairs:
        if len(value) > MAX_CHARACTERS:
            raise invalid_request(f"A parameter has at most {MAX_CHARACTERS} characters")
        if any(
            character < " " or character == "\x7f" or "\ud800" <= character <= "\udfff" for character in name + value
        ):
            raise invalid_request("A parameter contains a control character")
