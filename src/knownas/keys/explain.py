"""Say to a person why a token is, or would be, refused; without the key, for as much as can be seen."""

from typing import Any, Literal, cast, get_args

from msgspec import Struct

from knownas.keys import Algorithm, Key, WeakKey, is_key_id
from knownas.keys.parts import read, read_part
from knownas.keys.refusals import CAUSES, TokenRefused
from knownas.keys.tokens import judge, prepare, verify

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_HEADER_TEXTS = ("alg", "typ", "cty")


class Explanation(Struct, frozen=True):
    """The verdict and what led to it. `accepted` is True only when everything was checked, the signature included.

    `cause` is a key of CAUSES, `key.weak`, or None for an accepted token. No secret and no signature is in here.
    """

    accepted: bool
    cause: str | None
    message: str
    header: dict[str, Any]
    claims: dict[str, Any]
    notes: list[str]


def explain(token: str, key: Key | None, now_s: float) -> Explanation:
    """What Knownas thinks of `token` at `now_s`; `key` is the one its `kid` names, or None if that is not at hand."""
    claims = _part(token, "body")
    cause, message = _verdict(token, claims, key, now_s)
    notes = _notes(claims, now_s)
    if key is None:
        notes.append("the signature was not checked, nor whether the key is alive: no key was given")
    header = _safe_header(_part(token, "header"))
    secret = key.secret if key else None
    return Explanation(cause is None, cause, message, header, _safe(claims, token, secret), notes)


def _verdict(token: str, claims: dict[str, Any], key: Key | None, now_s: float) -> tuple[str | None, str]:
    try:
        unverified = read(token)
        header = unverified.header
        if key is not None:
            verify(unverified, prepare(key), now_s)
            return None, "The token is accepted"
        if header.alg not in get_args(Algorithm):
            raise TokenRefused("jwt.alg.mismatch")
        # Malformed bodies are refused here; whose key it is matters to no check that can be made without it.
        read_part(token, "body")
        judge(claims, Key(header.kid, "", None, None, cast(Algorithm, header.alg), "", 0), now_s)
    except TokenRefused as refused:
        return refused.cause, refused.message
    except WeakKey as weak:
        return "key.weak", weak.message
    return "jwt.unchecked", CAUSES["jwt.unchecked"]


def _part(token: str, part: Literal["header", "body"]) -> dict[str, Any]:
    try:
        return read_part(token, part)
    except TokenRefused:
        return {}


def _safe_header(header: dict[str, Any]) -> dict[str, Any]:
    """The members that cannot carry a secret. People do put secrets into `kid`."""
    safe = {name: value[:32] for name in _HEADER_TEXTS if isinstance(value := header.get(name), str)}
    if "kid" in header:
        kid = header["kid"]
        safe["kid"] = kid if isinstance(kid, str) and is_key_id(kid) else "(hidden: not the id of a key)"
    return cast(dict[str, Any], _safe(safe, "", None))


def _safe(value: Any, token: str, secret: str | None) -> Any:
    """A copy that can be printed anywhere and repeats neither the secret nor the token."""
    if isinstance(value, dict):
        return {_safe(name, token, secret): _safe(member, token, secret) for name, member in value.items()}
    if isinstance(value, list):
        return [_safe(member, token, secret) for member in value]
    if not isinstance(value, str):
        return value
    signature = token.rpartition(".")[2]
    if (secret and secret in value) or (len(signature) > 16 and signature in value):
        return "(hidden: contains a secret)"
    return value.encode(errors="backslashreplace").decode()


def _notes(claims: dict[str, Any], now_s: float) -> list[str]:
    if not claims:
        return []
    notes = _time_notes(claims, now_s)
    for name in ("external_id", "userId"):
        value = claims.get(name)
        if type(value) is int or type(value) is float:
            notes.append(f'{name} is a number: send it as a string, "{name}": "{value}"')
    if "userId" in claims and "external_id" not in claims:
        notes.append("userId is the older spelling of external_id; it is understood")
    if claims.get("email") and claims.get("email_verified") is not True:
        notes.append("email without email_verified: true is only a label; it is never used to find a user")
    return notes


def _time_notes(claims: dict[str, Any], now_s: float) -> list[str]:
    if "exp" not in claims:
        return ["has no exp: valid until its key is deleted"]
    exp = claims["exp"]
    notes = []
    try:
        seconds = float(exp) if type(exp) in (str, int, float) else float("nan")
    except (ValueError, OverflowError):
        seconds = float("nan")
    if not abs(seconds) < 1e15:
        return ["exp is not a number of seconds"]
    if isinstance(exp, str):
        notes.append(f"exp is written as a string: read as {seconds:.15g}")
    elif seconds > 1e11:
        notes.append("exp looks like milliseconds: it must be seconds")
    left = seconds - now_s
    notes.append(f"expires in {_span(left)}" if left >= 0 else f"expired {_span(-left)} ago")
    return notes


def _span(seconds: float) -> str:
    unit, size = next(((name, size) for name, size in _UNITS if seconds >= size), _UNITS[-1])
    count = int(seconds // size)
    return f"{count} {unit}{'' if count == 1 else 's'}"
