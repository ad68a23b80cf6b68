"""What webhooks are told of users and their clients: `user:*` and `client:*`."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from knownas.clients import ClientAdded, ClientRemoved, ClientUpdated
from knownas.devices import Device, DeviceSignedIn
from knownas.devices.clients import sdk_client
from knownas.http.sunshine_v2 import webhook_parts as parts
from knownas.http.sunshine_v2 import wire
from knownas.http.sunshine_v2.webhook_parts import Payload
from knownas.merges import MergeReason, UsersMerged
from knownas.sessions import UserAuthenticated
from knownas.users import User, UserIdentified, UserRemoved
from knownas.webhooks import Webhook

_MERGE_REASONS: Final[dict[MergeReason, str]] = {"login": "sdkLogin", "api": "api", "channel": "channelLinking"}


def _sdk_client_trigger(event: DeviceSignedIn) -> str | None:
    """The first device is when the client of type `sdk` comes into being; the others join it."""
    return None if event.user is None else "client:add"


def _sdk_client(event: DeviceSignedIn, webhook: Webhook) -> Payload:
    user, device = event.user, event.device
    client = None if user is None or device is None else sdk_client(user, [device])
    if user is None or device is None or client is None:
        raise TypeError("only a first device makes a client")
    return {
        "user": parts.user(user, webhook),
        "client": wire.client(client),
        "reason": "sdkLogin",
        "source": parts.source(parts.from_device(device), webhook, user, device),
    }


def _added(event: ClientAdded, webhook: Webhook) -> Payload:
    client = event.client if event.client is not None else event.sdk_client
    payload: Payload = {
        "user": parts.user(event.user, webhook),
        "client": None if client is None else wire.client(client),
        "reason": event.reason,
        "source": parts.source(event.origin, webhook),
    }
    return payload | _in(event)


def _updated(event: ClientUpdated, webhook: Webhook) -> Payload:
    payload: Payload = {
        "user": parts.user(event.user, webhook),
        "client": wire.client(event.client),
        "reason": event.reason,
    }
    return payload | _in(event)


def _removed(event: ClientRemoved, webhook: Webhook) -> Payload:
    payload: Payload = {
        "user": parts.user(event.user, webhook),
        "client": wire.client(event.client),
        "reason": event.reason,
        "source": parts.source(event.origin, webhook),
    }
    if event.error is not None:
        payload["error"] = {"code": event.error.code, "message": event.error.message}
    return payload | _in(event)


def _in(event: ClientAdded | ClientUpdated | ClientRemoved) -> Payload:
    return {} if event.conversation is None else {"conversation": parts.conversation(event.conversation)}


def _identified_trigger(event: UserIdentified) -> str | None:
    """At a login it is the authentication that is told, once; here is what the business's server said."""
    return None if event.user is None else "user:update"


def _identified(event: UserIdentified, webhook: Webhook) -> Payload:
    """Without `reason`: she did not authenticate, and the vendor has no word for this."""
    if event.user is None:
        raise TypeError("told of a login by its user.authenticated")
    return _update(event.user, None, webhook)


def _authenticated(event: UserAuthenticated, webhook: Webhook) -> Payload:
    return {"reason": "authentication", **_update(event.user, event.device, webhook)}


def _update(user: User, device: Device | None, webhook: Webhook) -> Payload:
    return {
        "user": parts.user(user, webhook),
        "source": parts.source(parts.from_device(device), webhook, user, device),
    }


def _merged(event: UsersMerged, webhook: Webhook) -> Payload:
    payload: Payload = {
        "mergedUsers": {
            "surviving": parts.user(event.surviving_user, webhook),
            "discarded": parts.user(event.discarded_user, webhook),
        },
        "reason": _MERGE_REASONS[event.reason],
    }
    if event.merged_conversations is not None:
        payload["mergedConversations"] = {
            "surviving": parts.conversation(event.merged_conversations.surviving),
            "discarded": parts.conversation(event.merged_conversations.discarded),
        }
    if event.discarded_metadata:
        payload["discardedMetadata"] = event.discarded_metadata
    return payload


def _gone(event: UserRemoved, _: Webhook) -> Payload:
    """Truncated whatever the webhook asks for: there is nothing more in the event (R10)."""
    return {
        "user": parts.identified(event.removed_user_id, event.external_id, authenticated=event.authenticated),
    }


USER_EVENTS: Final[
    Mapping[type[Struct], tuple[str | Callable[[Any], str | None], Callable[[Any, Webhook], Payload]]]
] = {
    ClientAdded: ("client:add", _added),
    ClientRemoved: ("client:remove", _removed),
    ClientUpdated: ("client:update", _updated),
    DeviceSignedIn: (_sdk_client_trigger, _sdk_client),
    UserAuthenticated: ("user:update", _authenticated),
    UserIdentified: (_identified_trigger, _identified),
    UserRemoved: ("user:remove", _gone),
    UsersMerged: ("user:merge", _merged),
}
