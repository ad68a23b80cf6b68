"""Take a token apart, strictly and once, so that no two parsers can disagree about what was signed.

Nothing here is believed yet (RFC 7515; RFC 8725, 3). Pure.
"""

import re
from binascii import Error as NotBase64
from binascii import a2b_base64
from functools import lru_cache
from json import JSONDecoder
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from knownas.keys import is_key_id
from knownas.keys.refusals import TokenRefused

MAX_TOKEN: Final = 8192
MAX_DEPTH: Final = 16

# Strings, ended or not, and brackets. Possessive, so that a hostile text is read once.
_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
# base64url to base64, with what base64url lacks turned into something that base64 lacks as well.
_TO_BASE64 = bytes.maketrans(b"-_+/=", b"+/!!!")
_LAST: Final = {2: b"AQgw", 3: b"AEIMQUYcgkosw048"}  # last characters whose unused bits are zero
_PADDING: Final = {0: b"", 2: b"==", 3: b"="}


class Header(Struct, frozen=True):
    """What a token's header says of itself, not yet believed. `kid` has the shape of a key's id."""

    kid: str
    alg: str


class Unverified(Struct, frozen=True):
    """A token taken apart, of which nothing is believed yet: its header, and the parts as they were sent."""

    header: Header
    signed: bytes
    body: bytes
    signature: bytes


def read(token: str) -> Unverified:
    """The token with its header read, to find the key by. Raises TokenRefused."""
    header, body, signature = _split(token)
    return Unverified(_header_of(header), b"%b.%b" % (header, body), body, signature)


def read_part(token: str, part: Literal["header", "body"]) -> dict[str, Any]:
    """The members of one part, strictly parsed and not verified: for explanations only. Raises TokenRefused."""
    return members(_split(token)[0 if part == "header" else 1])


def _split(token: str) -> list[bytes]:
    if len(token) > MAX_TOKEN:
        raise TokenRefused("jwt.too_large")
    if not token.isascii():
        raise TokenRefused("jwt.base64")
    segments = token.encode().split(b".")
    if len(segments) != 3:
        raise TokenRefused("jwt.segments")
    return segments


def _header_of(segment: bytes) -> Header:
    # A stranger's long headers do not get to fill the cache.
    return _parse_header(segment) if len(segment) <= 512 else _parse_header.__wrapped__(segment)


@lru_cache(maxsize=4096)
def _parse_header(segment: bytes) -> Header:
    """The header, which repeats in all tokens of a key and so is worth remembering."""
    header = members(segment)
    if "crit" in header or header.get("b64", True) is not True:
        raise TokenRefused("jwt.crit")
    if not header.keys().isdisjoint(("jku", "jwk", "x5u", "x5c")):
        raise TokenRefused("jwt.key_source")
    alg = header.get("alg")
    if not isinstance(alg, str):
        raise TokenRefused("jwt.alg.missing")
    if alg.strip().lower() == "none":
        raise TokenRefused("jwt.alg.none")
    if "kid" not in header:
        raise TokenRefused("jwt.kid.missing")
    kid = header["kid"]
    if not isinstance(kid, str):
        raise TokenRefused("jwt.kid.not_string")
    if not is_key_id(kid):
        raise TokenRefused("jwt.kid.unknown")
    return Header(kid, alg)


def decode(segment: bytes) -> bytes:
    """Base64url with exactly one spelling per value: no padding, no foreign characters, unused bits zero."""
    rest = len(segment) % 4
    if rest == 1 or (rest and segment[-1] not in _LAST[rest]):
        raise TokenRefused("jwt.base64")
    try:
        return a2b_base64(segment.translate(_TO_BASE64) + _PADDING[rest], strict_mode=True)
    except NotBase64:
        raise TokenRefused("jwt.base64") from None


def members(segment: bytes) -> dict[str, Any]:
    """The members of a part, each named once.

    What reads and writes back as the very same bytes names nothing twice, because writing never does: that is how
    most tokens come, and it is quicker than watching every member. The slow way also knows what is wrong.
    """
    raw = decode(segment)
    if raw.count(b"{") == 1 and b"[" not in raw:
        try:
            plain = _plain_object(raw)
            if _plain_text(plain) == raw:
                return plain
        except (msgspec.DecodeError, UnicodeError):
            pass
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise TokenRefused("jwt.utf8") from None
    if text.count("{") + text.count("[") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise TokenRefused("jwt.too_deep")
    try:
        value = _JSON.decode(text)
    except ValueError:
        raise TokenRefused("jwt.json") from None
    if type(value) is not dict:
        raise TokenRefused("jwt.not_object")
    return value


def _depth(text: str) -> int:
    """How deep brackets outside strings open; found without recursion."""
    depth = deepest = 0
    for match in _STRUCTURE.finditer(text):
        if match[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif match[0] in "]}":
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise TokenRefused("jwt.duplicate")
    return members


def _no_constant(name: str) -> None:
    raise TokenRefused("jwt.json")


_plain_object = msgspec.json.Decoder(dict[str, Any]).decode
_plain_text = msgspec.json.Encoder().encode
_JSON = JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
