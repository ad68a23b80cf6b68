"""Within which bounds the options of a webhook of FusionAuth's format may be chosen."""

import re
from typing import Final
from urllib.parse import urlsplit

from knownas.errors import DomainError
from knownas.webhooks import InvalidEventWebhook
from knownas.webhooks.event_options import EventWebhookOptions
from knownas.webhooks.event_types import EVENT_TYPES
from knownas.webhooks.triggers import check_target

TIMEOUT_MS_AT_MOST: Final = 20_000
HEADERS_AT_MOST: Final = 20
HEADER_NAME_LENGTH: Final = 100
HEADER_VALUE_LENGTH: Final = 2048
CREDENTIAL_LENGTH: Final = 512
DESCRIPTION_LENGTH: Final = 512

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?|")
# What the call itself needs, what says who signed it, and what is between two neighbours only (RFC 9110, 7.6.1).
_OURS: Final = frozenset(
    "connection expect host http2-settings keep-alive te trailer transfer-encoding upgrade user-agent"
    " x-fusionauth-signature-jwt".split()
)
_OUR_PREFIXES: Final = ("content-", "proxy-", "webhook-")


def check_options(options: EventWebhookOptions) -> EventWebhookOptions:
    """The options as they are kept: names and values trimmed, each event once. Raises InvalidEventWebhook."""
    for field, timeout_ms in (
        ("connect_timeout_ms", options.connect_timeout_ms),
        ("read_timeout_ms", options.read_timeout_ms),
    ):
        if not 1 <= timeout_ms <= TIMEOUT_MS_AT_MOST:
            raise InvalidEventWebhook(field, f"A timeout is from 1 to {TIMEOUT_MS_AT_MOST} milliseconds")
    if len(options.description) > DESCRIPTION_LENGTH:
        raise InvalidEventWebhook("description", f"A description has at most {DESCRIPTION_LENGTH} characters")
    username, password = _credentials(options.http_username, options.http_password)
    headers = _headers(options.headers)
    if username is not None and "authorization" in {name.lower() for name in headers}:
        raise InvalidEventWebhook("headers", "There is a user name already: Authorization is made of that")
    return EventWebhookOptions(
        url=_url(options.url),
        events_enabled=_events(options.events_enabled),
        connect_timeout_ms=options.connect_timeout_ms,
        read_timeout_ms=options.read_timeout_ms,
        headers=headers,
        http_username=username,
        http_password=password,
        description=options.description,
    )


def _url(url: str) -> str:
    try:
        check_target(url)
    except DomainError as wrong:
        raise InvalidEventWebhook("url", str(wrong).replace("target", "url", 1)) from None
    if urlsplit(url).username is not None or urlsplit(url).password is not None:
        raise InvalidEventWebhook(
            "url", "A user name and a password have options of their own, and no place in the url"
        )
    return url


def _events(events: tuple[str, ...]) -> tuple[str, ...]:
    known = {name.casefold(): name for name in EVENT_TYPES}
    for event in events:
        if event not in EVENT_TYPES:
            meant = known.get(event.casefold())
            hint = f": did you mean {meant}?" if meant else ""
            raise InvalidEventWebhook("events_enabled", f"FusionAuth has no such event as {event[:60]!a}{hint}")
    return tuple(dict.fromkeys(events))


def _headers(headers: dict[str, str]) -> dict[str, str]:
    if len(headers) > HEADERS_AT_MOST:
        raise InvalidEventWebhook("headers", f"At most {HEADERS_AT_MOST} headers")
    checked: dict[str, str] = {}
    for given, value in headers.items():
        name = given.strip()
        if not _TOKEN.fullmatch(name) or len(name) > HEADER_NAME_LENGTH:
            raise InvalidEventWebhook("headers", "A header's name has letters, digits and a few signs, but no blanks")
        lower = name.lower()
        if lower in _OURS or lower.startswith(_OUR_PREFIXES):
            raise InvalidEventWebhook("headers", f"{name} is set by Knownas itself, or by no one")
        if lower in {one.lower() for one in checked}:
            raise InvalidEventWebhook("headers", f"{name} is there twice")
        if not _VALUE.fullmatch(value.strip()) or len(value) > HEADER_VALUE_LENGTH:
            raise InvalidEventWebhook(
                "headers",
                f"The value of {name} has at most {HEADER_VALUE_LENGTH} printable ASCII characters, on one line",
            )
        checked[name] = value.strip()
    return checked


def _credentials(username: str | None, password: str | None) -> tuple[str | None, str | None]:
    """Both or neither: RFC 7617 has no colon in a user name and no control characters in either."""
    username, password = (username or "").strip() or None, (password or "").strip() or None
    for field, value in (("http_username", username), ("http_password", password)):
        if value is not None and not (value.isprintable() and len(value) <= CREDENTIAL_LENGTH):
            raise InvalidEventWebhook(field, f"At most {CREDENTIAL_LENGTH} characters, without control characters")
    if username is not None and ":" in username:
        raise InvalidEventWebhook("http_username", "HTTP allows no colon in a user name")
    if password is not None and username is None:
        raise InvalidEventWebhook("http_username", "A password needs a user name")
    return username, password
