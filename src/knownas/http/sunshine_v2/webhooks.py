"""Webhooks of a custom integration: create, list, get, update, delete, and rotate the secret."""

from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from knownas.apps import App
from knownas.http.app_scope import Forbidden
from knownas.http.call import Answer, Call, json_answer
from knownas.http.sunshine_v2.scope import acting_on_app
from knownas.http.wire import iso
from knownas.integrations import IntegrationNotFound
from knownas.keys import Scope
from knownas.webhooks import Webhook
from knownas.webhooks.create import add_webhook
from knownas.webhooks.find import get_webhook, list_webhooks
from knownas.webhooks.rotate import OVERLAP_S, OVERLAP_S_AT_MOST, rotate_secret
from knownas.webhooks.update import WebhookChanges, delete_webhook, update_webhook

_SCOPES: Final[tuple[Scope, ...]] = ("app", "integration")
"""Not an account's: the vendor's table of operations has webhooks for the two below it alone."""
_ME: Final = "me"


class WebhookCreateBody(Struct, rename="camel"):
    """`webhookCreateBody`."""

    target: str
    triggers: list[str]
    include_full_user: bool = False
    include_full_source: bool = False


class WebhookUpdateBody(Struct, rename="camel"):
    """`webhookBody`: what is absent stays."""

    target: str | UnsetType = UNSET
    triggers: list[str] | UnsetType = UNSET
    include_full_user: bool | UnsetType = UNSET
    include_full_source: bool | UnsetType = UNSET

    def changes(self) -> WebhookChanges:
        """What is to be changed."""
        return WebhookChanges(self.target, self.triggers, self.include_full_user, self.include_full_source)


class RotateBody(Struct, rename="camel"):
    """How long the secret before goes on counting; Knownas's own."""

    overlap_seconds: Annotated[int, Meta(ge=0, le=OVERLAP_S_AT_MOST)] = OVERLAP_S


async def create(call: Call) -> Answer:
    """POST …/webhooks: 201."""
    app, integration_id = await _acting_on_integration(call)
    body = await call.json(WebhookCreateBody)
    webhook = await call.services.database.write(
        app, add_webhook, integration_id, body.target, body.triggers, body.include_full_user, body.include_full_source
    )
    return json_answer({"webhook": webhook_body(webhook)}, 201)


async def list_all(call: Call) -> Answer:
    """GET …/webhooks: at most ten, so without paging."""
    app, integration_id = await _acting_on_integration(call)
    webhooks = await call.services.database.read(app, list_webhooks, integration_id)
    return json_answer({"webhooks": [webhook_body(webhook) for webhook in webhooks]})


async def get(call: Call) -> Answer:
    """GET …/webhooks/{webhook}: with its secret, as the vendor has it."""
    app, integration_id = await _acting_on_integration(call)
    webhook = await call.services.database.read(app, get_webhook, integration_id, call.params["webhook"])
    return json_answer({"webhook": webhook_body(webhook)})


async def update(call: Call) -> Answer:
    """PATCH …/webhooks/{webhook}: what is absent stays; a webhook that was switched off is on again."""
    app, integration_id = await _acting_on_integration(call)
    body = await call.json(WebhookUpdateBody)
    webhook = await call.services.database.write(
        app, update_webhook, integration_id, call.params["webhook"], body.changes()
    )
    return json_answer({"webhook": webhook_body(webhook)})


async def delete(call: Call) -> Answer:
    """DELETE …/webhooks/{webhook}: 200 and an empty object."""
    app, integration_id = await _acting_on_integration(call)
    await call.services.database.write(app, delete_webhook, integration_id, call.params["webhook"])
    return json_answer({})


async def rotate(call: Call) -> Answer:
    """POST …/webhooks/{webhook}/rotateSecret: 200, the new secret, and until when the one before counts too."""
    app, integration_id = await _acting_on_integration(call)
    body = await call.json(RotateBody, optional=True)
    webhook = await call.services.database.write(
        app, rotate_secret, integration_id, call.params["webhook"], body.overlap_seconds
    )
    until = {} if webhook.former_until is None else {"formerSecretUntil": iso(webhook.former_until)}
    return json_answer({"webhook": webhook_body(webhook), **until})


def webhook_body(webhook: Webhook) -> dict[str, Any]:
    """`webhook`; `disabledAt` is Knownas's own, and there only while nothing is sent."""
    body: dict[str, Any] = {
        "id": webhook.id,
        "version": "v2",
        "target": webhook.target,
        "triggers": webhook.triggers,
        "secret": webhook.secret,
        "includeFullUser": webhook.include_full_user,
        "includeFullSource": webhook.include_full_source,
    }
    if webhook.disabled_at is not None:
        body["disabledAt"] = iso(webhook.disabled_at)
    return body


async def _acting_on_integration(call: Call) -> tuple[App, str]:
    """The app, and the integration in the path, where `me` is an integration's caller's own.

    Raises Forbidden for an integration's caller who names any other, whether it exists or not (R13).
    """
    app, caller = await acting_on_app(call, _SCOPES)
    wanted = call.params["integration"]
    if caller.integration_id is None:
        if wanted == _ME:
            raise IntegrationNotFound
        return app, wanted
    if wanted not in (_ME, caller.integration_id):
        raise Forbidden
    return app, caller.integration_id
