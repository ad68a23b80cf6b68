"""Errors as this API writes them: `{"errors": [{"code", "title"}]}`, with the cause where credentials were refused."""

from knownas.errors import DomainError


def render_error(refusal: DomainError) -> object:
    """The body of a refusal."""
    error = {"code": refusal.code, "title": str(refusal)}
    cause = getattr(refusal, "cause", None)
    if cause is not None:
        error["cause"] = cause
    return {"errors": [error]}
