"""An app: a pool of users in which identities are unique."""

from typing import Any, Final, Literal, Protocol

from msgspec import Struct

from knownas.errors import DomainError

ConflictPolicy = Literal["reject", "quarantine", "transfer"]
"""What a contested identity does to the login that asserts it (R7)."""


DUPLICATE_ON_CREATE: Final = "user.loginId.duplicate.create"
DUPLICATE_ON_UPDATE: Final = "user.loginId.duplicate.update"


class DuplicateEvents(
    Struct, frozen=True, rename={"on_create": DUPLICATE_ON_CREATE, "on_update": DUPLICATE_ON_UPDATE}, omit_defaults=True
):
    """Whether webhooks of FusionAuth's format are told of contested identities, by that product's names (R12).

    What is switched off here reaches no webhook of the app, whatever it asks for.
    """

    on_create: bool = True
    on_update: bool = True

    @property
    def off(self) -> tuple[str, ...]:
        """The names of those that are switched off."""
        return tuple(
            name
            for name, on in ((DUPLICATE_ON_CREATE, self.on_create), (DUPLICATE_ON_UPDATE, self.on_update))
            if not on
        )


class AppSettings(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What an app may choose. The first block is the vendor's `appSettings`; the second is Knownas's own."""

    conversation_retention_seconds: int | None = None
    mask_credit_card_numbers: bool = False
    use_animal_names: bool = False
    echo_postback: bool = False
    ignore_auto_conversation_start: bool = False
    multi_convo_enabled: bool = False
    app_localization_enabled: bool = False
    end_session_enabled: bool = False
    disable_conversation_reopen: bool = False

    require_token_expiry: bool = False
    conflict_policy: ConflictPolicy = "reject"
    shadow_policy: ConflictPolicy | None = None
    """A policy that is only asked what it would have done."""
    undo_days: int = 90
    """For how long merges and resolutions can be undone."""
    duplicate_events: DuplicateEvents = DuplicateEvents()


class App(Struct, frozen=True):
    """One app as it is stored. `created_at` is in milliseconds; `revision` changes with every write of it."""

    id: str
    account_id: str
    display_name: str
    settings: AppSettings
    metadata: dict[str, Any]
    created_at: int
    revision: int = 1


class AppCreated(Struct, frozen=True, tag_field="event", tag="app.created"):
    """A new, empty pool of users exists."""

    app_id: str


class AppUpdated(Struct, frozen=True, tag_field="event", tag="app.updated"):
    """The app's name, settings or metadata changed."""

    app_id: str


class AppNotFound(DomainError):
    """No such app, or none that the caller may know of."""

    kind = "not_found"
    code = "app_not_found"

    def __init__(self) -> None:
        super().__init__("App not found")


class InvalidApp(DomainError):
    """The app cannot be made or changed like this; the text says why."""

    kind = "invalid"
    code = "bad_request"


class Apps(Protocol):
    """What verbs ask of stored apps. Apps are reached by id because they are what a transaction is bound to."""

    async def by_id(self, app_id: str) -> App | None:
        """The app, or None."""
        ...

    def add(self, app: App) -> None:
        """Hold the new app for writing."""
        ...

    def rely_on(self, app: App) -> None:
        """Have what is held lose its race when the app has been written since it was read."""
        ...

    def update(self, app: App) -> None:
        """Hold the app's new name, settings and metadata for writing, relying on how it was read."""
        ...

    def remove(self, app_id: str) -> None:
        """Hold the removal of the app and of everything in it, keys and users included."""
        ...

    async def removed_before(self, time: int) -> list[str]:
        """Some of the apps that were removed before `time` (milliseconds) and are still to be swept."""
        ...

    def sweep(self, app_id: str) -> None:
        """Hold the removal of whatever still carries a removed app's id, and that this is done."""
        ...

    async def page(self, account_id: str, *, after: str | None, before: str | None, limit: int) -> list[App]:
        """At most `limit` apps of the account in creation order, after or before the given id, exclusive."""
        ...


def require_multi_conversation_rules(before: AppSettings, after: AppSettings) -> None:
    """Refuse what the vendor's settings refuse: turning `multiConvoEnabled` off, or options that need it.

    Source: `appSettings` in spec/sunshine-v2.yaml.
    """
    if before.multi_convo_enabled and not after.multi_convo_enabled:
        raise InvalidApp("multiConvoEnabled cannot be turned off again once it is enabled")
    for name, value in (
        ("endSessionEnabled", after.end_session_enabled),
        ("disableConversationReopen", after.disable_conversation_reopen),
    ):
        if value and not after.multi_convo_enabled:
            raise InvalidApp(f"{name} requires multiConvoEnabled")
