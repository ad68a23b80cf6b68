"""What an SDK asks first: which app is this, and where does its API live? Public, whatever credentials come along."""

from typing import Any, Final

from knownas.apps import AppNotFound
from knownas.http.app_scope import Forbidden
from knownas.http.call import Answer, Call, json_answer
from knownas.http.sdk.wire import PROFILE, REALTIME
from knownas.integrations import IntegrationNotFound
from knownas.integrations.origins import admits

# What of a web integration's settings is meant for the page that embeds it.
_STYLE: Final = (
    "brandColor", "conversationColor", "actionColor", "fixedIntroPane", "displayStyle", "buttonIconUrl", "buttonWidth",
    "buttonHeight", "businessName", "businessIconUrl", "backgroundImageUrl",
)  # fmt: skip
_RETRIES: Final = {"intervals": {"regular": 60, "aggressive": 15}, "backoffMultiplier": 2, "maxRetries": 5}


async def get(call: Call) -> Answer:
    """GET …/integrations/{integrationId}/config."""
    directory = call.services.database.directory
    integration = await directory.integration(call.params["integration"])
    if integration is None:
        raise IntegrationNotFound
    origin = call.header(b"origin")
    if not admits(integration, None if origin is None else origin.decode("latin-1")):
        raise Forbidden("The originWhitelist of this integration does not have the origin of this page")
    app = await directory.app(integration.app_id)
    if app is None:
        raise AppNotFound
    prefix = "/sc/sdk" if call.scope["raw_path"].startswith(b"/sc/") else "/sdk"
    base_url = call.origin + prefix
    one_more = integration.settings.get("canUserCreateMoreConversations", app.settings.multi_convo_enabled)
    config: dict[str, Any] = {
        "app": {
            "_id": app.id,
            "status": "active",
            "name": app.display_name,
            "settings": {"multiConvoEnabled": app.settings.multi_convo_enabled},
        },
        "baseUrl": {"web": base_url, "ios": base_url, "android": base_url},
        "restRetryPolicy": _RETRIES,
        "integration": {
            "_id": integration.id,
            "type": integration.type,
            "canUserCreateMoreConversations": bool(one_more),
            "canUserSeeConversationList": bool(integration.settings.get("canUserSeeConversationList", True)),
        },
        "integrations": [{"_id": integration.id, "type": integration.type}],
        "realtime": REALTIME,
        "profile": PROFILE,
        "style": {name: integration.settings[name] for name in _STYLE if name in integration.settings},
    }
    return json_answer({"config": config})
