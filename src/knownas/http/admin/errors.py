"""Errors as the admin API writes them: `{"error": {"code", "message"}}`, with the cause where there is one."""

from knownas.errors import DomainError


def render_error(refusal: DomainError) -> object:
    """The body of a refusal."""
    error = {"code": refusal.code, "message": str(refusal)}
    cause = getattr(refusal, "cause", None)
    if cause is not None:
        error["cause"] = cause
    return {"error": error}
