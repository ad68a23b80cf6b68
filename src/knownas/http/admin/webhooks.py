"""Webhooks in FusionAuth's format: create, list, get, update, delete, rotate. Secrets are shown when they are made."""

import asyncio
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from knownas import documents
from knownas.delivery.signing import make_signing_key
from knownas.http.admin.scope import acting_on, after_of, size_of
from knownas.http.call import Answer, Call, json_answer
from knownas.times import iso
from knownas.webhooks import Webhook, as_standard
from knownas.webhooks.create_event_webhook import create_event_webhook
from knownas.webhooks.event_options import EventWebhookChanges, EventWebhookOptions, SigningAlgorithm
from knownas.webhooks.event_types import without_effect
from knownas.webhooks.event_webhooks import (
    delete_event_webhook,
    get_event_webhook,
    list_event_webhooks,
    rotate_event_secret,
    update_event_webhook,
)
from knownas.webhooks.rotate import OVERLAP_S, OVERLAP_S_AT_MOST


class CreateBody(Struct, rename="camel", forbid_unknown_fields=True):
    """A new webhook. With `signingAlgorithm` its calls carry `X-FusionAuth-Signature-JWT`."""

    url: str
    events_enabled: tuple[str, ...]
    connect_timeout: int | UnsetType = UNSET
    read_timeout: int | UnsetType = UNSET
    headers: dict[str, str] = {}
    http_authentication_username: str | None = None
    http_authentication_password: str | None = None
    description: str = ""
    signing_algorithm: SigningAlgorithm | None = None

    def options(self) -> EventWebhookOptions:
        """The same in the core's words."""
        chosen = EventWebhookOptions(
            self.url,
            self.events_enabled,
            headers=self.headers,
            http_username=self.http_authentication_username,
            http_password=self.http_authentication_password,
            description=self.description,
        )
        timeouts = {"connect_timeout_ms": self.connect_timeout, "read_timeout_ms": self.read_timeout}
        return structs.replace(chosen, **{name: value for name, value in timeouts.items() if value is not UNSET})


class UpdateBody(Struct, rename="camel", forbid_unknown_fields=True):
    """What to change; what is absent stays."""

    url: str | UnsetType = UNSET
    events_enabled: tuple[str, ...] | UnsetType = UNSET
    connect_timeout: int | UnsetType = UNSET
    read_timeout: int | UnsetType = UNSET
    headers: dict[str, str] | UnsetType = UNSET
    http_authentication_username: str | None | UnsetType = UNSET
    http_authentication_password: str | None | UnsetType = UNSET
    description: str | UnsetType = UNSET


class RotateBody(Struct, rename="camel", forbid_unknown_fields=True):
    """How long the secret before goes on counting."""

    overlap_seconds: Annotated[int, Meta(ge=0, le=OVERLAP_S_AT_MOST)] = OVERLAP_S


async def create(call: Call) -> Answer:
    """POST …/webhooks: 201, with the secret, and the signing secret of HS256, shown this once."""
    app, _ = await acting_on(call)
    body = await call.json(CreateBody)
    algorithm = body.signing_algorithm
    key = await asyncio.to_thread(make_signing_key, algorithm) if algorithm else None
    webhook = await call.services.database.write(app, create_event_webhook, body.options(), key)
    shown = _shown(webhook) | {"secret": as_standard(webhook.secret)}
    if key is not None and key.algorithm == "HS256":
        shown["signingSecret"] = key.private
    return json_answer({"webhook": shown}, 201)


async def list_page(call: Call) -> Answer:
    """GET …/webhooks?after=&limit=: oldest first, of at most ten."""
    app, _ = await acting_on(call, "after", "limit")
    after, size = after_of(call), size_of(call)
    found = await call.services.database.read(app, list_event_webhooks)
    shown = [_shown(webhook) for webhook in found if webhook.id > (after or "")]
    return json_answer(documents.page("webhooks", shown, size, after))


async def get(call: Call) -> Answer:
    """GET …/webhooks/{webhook}."""
    app, _ = await acting_on(call)
    return json_answer(
        {"webhook": _shown(await call.services.database.read(app, get_event_webhook, call.params["webhook"]))}
    )


async def update(call: Call) -> Answer:
    """PATCH …/webhooks/{webhook}: what is absent stays; one that was switched off is on again."""
    app, _ = await acting_on(call)
    body = await call.json(UpdateBody)
    changes = EventWebhookChanges(
        body.url,
        body.events_enabled,
        body.connect_timeout,
        body.read_timeout,
        body.headers,
        body.http_authentication_username,
        body.http_authentication_password,
        body.description,
    )
    webhook = await call.services.database.write(app, update_event_webhook, call.params["webhook"], changes)
    return json_answer({"webhook": _shown(webhook)})


async def delete(call: Call) -> Answer:
    """DELETE …/webhooks/{webhook}: 200 and an empty object."""
    app, _ = await acting_on(call)
    await call.services.database.write(app, delete_event_webhook, call.params["webhook"])
    return json_answer({})


async def rotate(call: Call) -> Answer:
    """POST …/webhooks/{webhook}/rotateSecret: 200 and the new secret, shown this once."""
    app, _ = await acting_on(call)
    body = await call.json(RotateBody, optional=True)
    webhook = await call.services.database.write(app, rotate_event_secret, call.params["webhook"], body.overlap_seconds)
    return json_answer({"webhook": _shown(webhook) | {"secret": as_standard(webhook.secret)}})


def _shown(webhook: Webhook) -> dict[str, Any]:
    """The webhook without secrets: neither password nor values of headers, which may be tokens."""
    call = webhook.call
    key = call.signing_key if call else None
    return {
        "id": webhook.id,
        "url": webhook.target,
        "eventsEnabled": list(webhook.triggers),
        "eventsWithoutEffect": sorted(without_effect(webhook.triggers)),
        "connectTimeout": call.connect_timeout_ms if call else None,
        "readTimeout": call.read_timeout_ms if call else None,
        "headers": sorted(call.headers) if call else [],
        "httpAuthenticationUsername": call.http_username if call else None,
        "description": call.description if call else "",
        "signingKeyId": key.id if key else None,
        "signingAlgorithm": key.algorithm if key else None,
        "failingSince": None if webhook.failing_since is None else iso(webhook.failing_since),
        "switchedOffAt": None if webhook.disabled_at is None else iso(webhook.disabled_at),
        "createdAt": iso(webhook.created_at),
    }
