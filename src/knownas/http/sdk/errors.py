"""Errors as SDKs read them: `{"error": {"code", "description"}}`, with the cause where credentials were refused."""

from knownas.errors import DomainError


def render_error(refusal: DomainError) -> object:
    """The body of a refusal."""
    error = {"code": refusal.code, "description": str(refusal)}
    cause = getattr(refusal, "cause", None)
    if cause is not None:
        error["cause"] = cause
    return {"error": error}
