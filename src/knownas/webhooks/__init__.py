"""A webhook: where the business wants to be told what happens in an app, and what exactly."""

import base64
from typing import Any, Literal, Protocol

from msgspec import Struct

from knownas.errors import DomainError
from knownas.webhooks.event_options import CallOptions, PublicKey

WEBHOOKS_AT_MOST = 10
EVENT_WEBHOOKS_AT_MOST = 10

WebhookFormat = Literal["sunshine", "fusionauth"]
"""Whose envelope a webhook gets, and which events it can be told of."""


class Webhook(Struct, frozen=True):
    """One webhook as stored, of a custom integration or, in FusionAuth's format, of the app. Times are in milliseconds.

    `secret` is shared with the receiver. While it is being rotated, `former_secret` counts too until
    `former_until`. `failing_since` is the first failure after the last success; after five days of failure only the
    webhook is switched off: `disabled_at`. `triggers` may hold `*`. `in_control_only` is what the app's switchboard
    says of the integration: it hears of a conversation only while nobody else has control of it.

    In FusionAuth's format there is no integration, the triggers are that product's names of events, `call` says how it
    is called, `public_keys` are what its calls were lately signed with, and `muted` what the app wants nobody told of.
    """

    id: str
    app_id: str
    integration_id: str
    target: str
    triggers: tuple[str, ...]
    include_full_user: bool
    include_full_source: bool
    secret: str
    created_at: int
    former_secret: str | None = None
    former_until: int | None = None
    failing_since: int | None = None
    disabled_at: int | None = None
    revision: int = 1
    in_control_only: bool = False
    format: WebhookFormat = "sunshine"
    call: CallOptions | None = None
    public_keys: tuple[PublicKey, ...] = ()
    muted: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Webhook(id={self.id!r}, target=…)"

    def wants(self, trigger: str) -> bool:
        """Whether it is told of this trigger."""
        if self.disabled_at is not None or trigger in self.muted:
            return False
        return trigger in self.triggers or "*" in self.triggers

    def live_secrets(self, now: int) -> tuple[str, ...]:
        """The secrets that count at `now`, the one that receivers are sure to know first: it goes into X-API-Key.

        While the secret is being rotated there are two, and a signature is made with each.
        """
        if self.former_secret is None or (self.former_until is not None and self.former_until <= now):
            return (self.secret,)
        return (self.former_secret, self.secret)


def as_standard(secret: str) -> str:
    """A webhook's secret as libraries for Standard Webhooks want it; its UTF-8 text is the key. Pure."""
    return f"whsec_{base64.b64encode(secret.encode()).decode()}"


class Told(Struct, frozen=True):
    """One event of the outbox as a receiver sees it. `payload` is rendered for one webhook."""

    trigger: str
    payload: dict[str, Any]


class WebhookCreated(Struct, frozen=True, tag_field="event", tag="webhook.created"):
    """The integration has one more webhook."""

    webhook_id: str
    integration_id: str


class WebhookUpdated(Struct, frozen=True, tag_field="event", tag="webhook.updated"):
    """The webhook was changed, switched on again, or got another secret."""

    webhook_id: str
    integration_id: str


class WebhookDeleted(Struct, frozen=True, tag_field="event", tag="webhook.deleted"):
    """The webhook is gone."""

    webhook_id: str
    integration_id: str


class WebhookSwitchedOff(Struct, frozen=True, tag_field="event", tag="webhook.switched_off"):
    """Five days of nothing but failures: nothing is sent there until the webhook is updated."""

    webhook_id: str
    integration_id: str
    failing_since: int


class WebhookNotFound(DomainError):
    """The integration has no such webhook."""

    kind = "not_found"
    code = "not_found"

    def __init__(self) -> None:
        super().__init__("Resource not found")


class NoSuchWebhook(WebhookNotFound):
    """The same to those who are not bound to the vendor's words."""

    code = "webhook_not_found"

    def __init__(self) -> None:
        DomainError.__init__(self, "Webhook not found")


class InvalidWebhook(DomainError):
    """The webhook cannot be made or changed like this; the text says why."""

    kind = "invalid"
    code = "bad_request"


class TooManyWebhooks(InvalidWebhook):
    """The app has as many webhooks as one may."""

    def __init__(self) -> None:
        super().__init__(f"An app is limited to {WEBHOOKS_AT_MOST} webhooks")


class InvalidEventWebhook(DomainError):
    """The webhook cannot be like this. `field` is the option that is wrong; the text says why and repeats no secret."""

    kind = "invalid"
    code = "invalid_webhook"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class TooManyEventWebhooks(DomainError):
    """The app has as many webhooks of FusionAuth's format as one may."""

    kind = "invalid"
    code = "too_many_webhooks"

    def __init__(self) -> None:
        super().__init__(f"An app is limited to {EVENT_WEBHOOKS_AT_MOST} webhooks of this format")


class NoWebhooksHere(DomainError):
    """Only an integration of type `custom` carries webhooks."""

    kind = "forbidden"
    code = "forbidden"

    def __init__(self) -> None:
        super().__init__("Webhooks are available only for custom integrations")


class Webhooks(Protocol):
    """What verbs ask of the app's stored webhooks."""

    async def by_id(self, webhook_id: str) -> Webhook | None:
        """The webhook, or None."""
        ...

    async def of_app(self) -> list[Webhook]:
        """All webhooks of the app's integrations: WEBHOOKS_AT_MOST."""
        ...

    async def event_webhooks(self) -> list[Webhook]:
        """All of the app's webhooks of FusionAuth's format, oldest first: EVENT_WEBHOOKS_AT_MOST."""
        ...

    async def public_keys(self, app_id: str | None, limit: int) -> list[PublicKey]:
        """Those of the newest `limit` webhooks that have any, of one app or of all."""
        ...

    async def of_integration(self, integration_id: str) -> list[Webhook]:
        """The integration's webhooks, oldest first."""
        ...

    def add(self, webhook: Webhook) -> None:
        """Hold the new webhook for writing; loses its race when the app has as many of its format as it may by then."""
        ...

    def update(self, webhook: Webhook) -> None:
        """Hold its new state, relying on the revision that was read."""
        ...

    def remove(self, webhook: Webhook) -> None:
        """Hold its removal with what still waits to be delivered to it."""
        ...

    def remove_of_integration(self, integration_id: str) -> None:
        """Hold the removal of all of the integration's webhooks, as `remove` does it for one."""
        ...
