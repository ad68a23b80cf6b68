"""Which web pages may embed a web integration."""

from typing import Final

from knownas.integrations import Integration

_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


def admits(integration: Integration, origin: str | None) -> bool:
    """Whether a page of this origin (RFC 6454, as in the Origin header) may start the messenger. Pure.

    Without a list every page may, and so may a program that names no origin: the list keeps other people's pages out,
    for whom their visitors' browsers speak the truth.
    """
    allowed = integration.settings.get("originWhitelist")
    return not allowed or origin is None or _same(origin) in {_same(one) for one in allowed}


def _same(origin: str) -> str:
    """The one spelling of an origin: lower case, without the port that its scheme has anyway."""
    origin = origin.lower()
    return origin.removesuffix(_DEFAULT_PORTS.get(origin.partition(":")[0], "\0"))
