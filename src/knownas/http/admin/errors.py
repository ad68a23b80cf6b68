"""Errors as the admin API writes them: `{"error": {"code", "message"}}`, with cause and field where there is one."""

from typing import Final

from knownas.errors import DomainError

FIELDS: Final = {
    "url": "url",
    "events_enabled": "eventsEnabled",
    "connect_timeout_ms": "connectTimeout",
    "read_timeout_ms": "readTimeout",
    "headers": "headers",
    "http_username": "httpAuthenticationUsername",
    "http_password": "httpAuthenticationPassword",
    "description": "description",
}
"""Options of a webhook, in this API's words."""


def render_error(refusal: DomainError) -> object:
    """The body of a refusal."""
    error = {"code": refusal.code, "message": str(refusal)}
    cause, field = getattr(refusal, "cause", None), getattr(refusal, "field", None)
    if cause is not None:
        error["cause"] = cause
    if field in FIELDS:
        error["field"] = FIELDS[field]
    return {"error": error}
