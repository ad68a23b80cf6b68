"""An integration: one place where an app meets its users, such as its web page or its Android app."""

from typing import Any, Literal, Protocol

from msgspec import Struct

from knownas.errors import DomainError

SdkPlatform = Literal["web", "ios", "android"]
SDK_PLATFORMS: tuple[SdkPlatform, ...] = ("web", "ios", "android")


class Integration(Struct, frozen=True):
    """One integration. `settings` are the options of its type; `created_at` is in milliseconds."""

    app_id: str
    id: str
    type: str
    display_name: str | None
    settings: dict[str, Any]
    created_at: int


class IntegrationCreated(Struct, frozen=True, tag_field="event", tag="integration.created"):
    """The app has one more integration."""

    integration_id: str
    type: str


class IntegrationNotFound(DomainError):
    """No such integration in this app."""

    kind = "not_found"
    code = "integration_not_found"

    def __init__(self) -> None:
        super().__init__("Integration not found")


class Integrations(Protocol):
    """What verbs ask of the app's stored integrations."""

    async def by_id(self, integration_id: str) -> Integration | None:
        """The app's integration, or None."""
        ...

    def add(self, integration: Integration) -> None:
        """Hold the new integration for writing."""
        ...
