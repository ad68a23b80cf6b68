"""Errors as RFC 6749 writes them at the token endpoint, and as the rest of the vendor's API does elsewhere."""

from knownas.errors import DomainError
from knownas.oauth import OAuthRefusal


def render_error(refusal: DomainError) -> object:
    """The body of a refusal. One that is not OAuth's own has both shapes: who asks may expect either."""
    if isinstance(refusal, OAuthRefusal):
        return {"error": refusal.code, "error_description": str(refusal)}
    error = {"code": refusal.code, "title": str(refusal)}
    cause = getattr(refusal, "cause", None)
    if cause is not None:
        error["cause"] = cause
    return {"errors": [error], "error": refusal.code, "error_description": str(refusal)}
