"""Events of the outbox as FusionAuth's webhooks are told them: the duplicate events (R12).

Rendering is pure: all values are in the event, fixed at commit, so each attempt has the same bytes.
"""

from typing import Final

from msgspec import Struct

from knownas.apps import DUPLICATE_ON_CREATE, DUPLICATE_ON_UPDATE
from knownas.conflicts import IdentityContested
from knownas.http.fusionauth import wire
from knownas.http.fusionauth.wire import LOGIN_IDS, Body
from knownas.ids import uuid_of
from knownas.webhooks import Told, Webhook

_MEMBERS: Final = {"email": "duplicateEmail", "phone": "duplicatePhoneNumber", "username": "duplicateUsername"}


def told(event: Struct, webhook: Webhook) -> Told | None:
    """The event as this webhook is told of it, or None when it is not."""
    if not isinstance(event, IdentityContested):
        return None
    trigger = DUPLICATE_ON_CREATE if event.claimant_id is None else DUPLICATE_ON_UPDATE
    collided = [one for one in event.duplicates if one.type in LOGIN_IDS]
    if event.existing is None or event.requested is None or not collided or not webhook.wants(trigger):
        return None
    duplicates: Body = {_MEMBERS[one.type]: wire.login_id(one.type, one.value) for one in collided}
    return Told(
        trigger,
        {
            # Who does not exist yet has an id all the same, which is nobody's (facts on FusionAuth, section 2.5).
            "linkedObjectId": uuid_of(event.requested.id),
            "info": wire.info(event.info),
            **duplicates,
            "duplicateIdentities": [
                {"type": LOGIN_IDS[one.type], "value": wire.login_id(one.type, one.value)} for one in collided
            ],
            "existing": wire.user(event.existing, webhook.app_id),
            "user": wire.user(event.requested, webhook.app_id),
        },
    )
