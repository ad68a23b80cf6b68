"""An integration: one place where an app meets its users, such as its web page or its Android app."""

from typing import Any, Literal, Protocol

from msgspec import Struct

from knownas.errors import DomainError
from knownas.ids import is_id
from knownas.integrations.kinds import KINDS, OTHER, with_defaults

SdkPlatform = Literal["web", "ios", "android"]
SDK_PLATFORMS: tuple[SdkPlatform, ...] = ("web", "ios", "android")


class Integration(Struct, frozen=True):
    """One integration. `settings` are the options of its type that somebody set; `created_at` is in milliseconds.

    `credentials` are those options that are sealed at rest; only a transaction opens them. `revision` changes with
    every write of it, and when something that belongs to it is made.
    """

    app_id: str
    id: str
    type: str
    display_name: str | None
    settings: dict[str, Any]
    created_at: int
    credentials: dict[str, Any] = {}
    revision: int = 1

    def __repr__(self) -> str:
        return f"Integration(id={self.id!r}, type={self.type!r}, display_name={self.display_name!r})"

    @property
    def connected(self) -> bool:
        """Whether it works: messages come and go through it. A channel of somebody else's does not yet."""
        return self.of_oauth_client or KINDS.get(self.type, OTHER).live

    @property
    def of_oauth_client(self) -> bool:
        """Whether it stands for a program that was connected by OAuth: its type is then the program's id."""
        return is_id(self.type)

    @property
    def shown(self) -> dict[str, Any]:
        """Its options as one may see them: with defaults, without what is only ever written."""
        kind = KINDS.get(self.type, OTHER)
        options = with_defaults(kind.defaults, {**self.settings, **self.credentials})
        return {name: value for name, value in options.items() if name not in kind.hidden}


class IntegrationCreated(Struct, frozen=True, tag_field="event", tag="integration.created"):
    """The app has one more integration."""

    integration_id: str
    type: str


class IntegrationUpdated(Struct, frozen=True, tag_field="event", tag="integration.updated"):
    """Options of the integration changed, or its name; the values, which may be secrets, are read from it."""

    integration_id: str
    fields: tuple[str, ...]


class IntegrationRemoved(Struct, frozen=True, tag_field="event", tag="integration.removed"):
    """The integration is gone with its keys, its webhooks and its places in the switchboard."""

    integration_id: str
    type: str


class IntegrationNotFound(DomainError):
    """No such integration in this app."""

    kind = "not_found"
    code = "integration_not_found"

    def __init__(self) -> None:
        super().__init__("Integration not found")


class InvalidIntegration(DomainError):
    """The integration cannot be made or changed like this; the text says why."""

    kind = "invalid"
    code = "bad_request"


class Integrations(Protocol):
    """What verbs ask of the app's stored integrations."""

    async def by_id(self, integration_id: str) -> Integration | None:
        """The app's integration with its secrets, or None."""
        ...

    async def of_type(self, type: str) -> list[Integration]:
        """The two oldest of this type: enough to say whether it names one."""
        ...

    async def page(self, types: list[str], *, after: str | None, before: str | None, limit: int) -> list[Integration]:
        """At most `limit` of these types (all, when none is named) in creation order, next to an id, exclusive."""
        ...

    def add(self, integration: Integration) -> None:
        """Hold the new integration for writing, its secrets sealed."""
        ...

    def rely_on(self, integration: Integration) -> None:
        """Have what is held lose its race when the integration has been written since it was read, or is gone."""
        ...

    def update(self, integration: Integration) -> None:
        """Hold its new name, settings and secrets, relying on the revision that was read."""
        ...

    def remove(self, integration: Integration) -> None:
        """Hold its removal with its keys, relying on the revision that was read."""
        ...
