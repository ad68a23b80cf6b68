"""Events of the outbox as this API tells them to webhooks (the `*Event` schemas of spec/sunshine-v2.yaml).

An event that no trigger of the vendor's names is told to nobody, and so is what businesses do themselves where the
vendor's trigger is about users: reading and typing. Rendering is pure: all values are in the event, fixed at commit.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from knownas.conversations import (
    ActivityHappened,
    ConversationCreated,
    ConversationRemoved,
    ParticipantJoined,
    ParticipantLeft,
)
from knownas.http.sunshine_v2 import webhook_parts as parts
from knownas.http.sunshine_v2.webhook_parts import Payload
from knownas.http.sunshine_v2.webhook_users import USER_EVENTS
from knownas.messages import MessagePosted, PostbackReceived
from knownas.switchboards import ControlAccepted, ControlFailed, ControlOffered, ControlPassed, ControlReleased
from knownas.webhooks import Told, Webhook

Trigger = str | Callable[[Any], str | None]
Render = Callable[[Any, Webhook], Payload]


def trigger_of(event: Struct) -> str | None:
    """What a webhook has to ask for to be told of this event; None for what nobody is told of."""
    known = _KNOWN.get(type(event))
    if known is None:
        return None
    trigger = known[0]
    return trigger if isinstance(trigger, str) else trigger(event)


def told(event: Struct, webhook: Webhook) -> Told | None:
    """The event as this webhook is told of it, or None when it is not."""
    trigger = trigger_of(event)
    if trigger is None or not webhook.wants(trigger) or _on_standby(event, trigger, webhook):
        return None
    return Told(trigger, _KNOWN[type(event)][1](event, webhook))


def _on_standby(event: Struct, trigger: str, webhook: Webhook) -> bool:
    """Whether somebody else answers in the conversation, and the webhook's integration is not to hear of that.

    Of control itself everybody is told, or nobody would know that it is offered or lost.
    """
    if not webhook.in_control_only or not trigger.startswith("conversation:"):
        return False
    active = getattr(event, "conversation").active  # noqa: B009  every event of these triggers has one
    return active is not None and active.integration_id != webhook.integration_id


def _created(event: ConversationCreated, webhook: Webhook) -> Payload:
    payload: Payload = {
        "conversation": parts.conversation(event.conversation),
        "creationReason": event.reason,
        "source": parts.source(event.origin, webhook, event.user, event.device),
    }
    if event.user is not None and event.conversation.type == "personal":
        payload["user"] = parts.user(event.user, webhook)
    return payload


def _with_user(event: ParticipantJoined | ParticipantLeft, webhook: Webhook) -> Payload:
    return {
        "conversation": parts.conversation(event.conversation),
        "user": parts.user(event.user, webhook),
    }


def _removed(event: ConversationRemoved, _: Webhook) -> Payload:
    return {"conversation": parts.conversation(event.conversation)}


def _posted(event: MessagePosted, webhook: Webhook) -> Payload:
    return {
        "conversation": parts.conversation(event.conversation),
        "message": parts.message(event, webhook),
    }


def _postback(event: PostbackReceived, webhook: Webhook) -> Payload:
    postback: Payload = {"payload": event.payload}
    if event.metadata is not None:
        postback["metadata"] = event.metadata
    return {
        "postback": postback,
        "conversation": parts.conversation(event.conversation),
        "user": parts.user(event.user, webhook),
        "source": parts.source(event.origin, webhook, event.user, event.device),
    }


def _activity_trigger(event: ActivityHappened) -> str | None:
    if event.author is None:
        return None
    return "conversation:read" if event.type == "conversation:read" else "conversation:typing"


def _activity(event: ActivityHappened, webhook: Webhook) -> Payload:
    return {
        "conversation": parts.conversation(event.conversation),
        "activity": {
            "type": event.type,
            "author": parts.author(event.author, webhook),
            "source": parts.source(event.origin, webhook, event.author, event.device),
        },
    }


def _control(event: ControlAccepted | ControlOffered | ControlPassed | ControlReleased, _: Webhook) -> Payload:
    return {"conversation": parts.conversation(event.conversation), **_metadata(event.metadata)}


def _control_failed(event: ControlFailed, _: Webhook) -> Payload:
    return {
        "conversation": parts.conversation(event.conversation),
        "error": {"code": event.code, "message": event.message},
        **_metadata(event.metadata),
    }


def _metadata(metadata: dict[str, Any] | None) -> Payload:
    return {} if metadata is None else {"metadata": metadata}


_KNOWN: Final[Mapping[type[Struct], tuple[Trigger, Render]]] = {
    ActivityHappened: (_activity_trigger, _activity),
    ControlAccepted: ("switchboard:acceptControl", _control),
    ControlFailed: (lambda event: f"switchboard:{event.action}:failure", _control_failed),
    ControlOffered: ("switchboard:offerControl", _control),
    ControlPassed: ("switchboard:passControl", _control),
    ControlReleased: ("switchboard:releaseControl", _control),
    ConversationCreated: ("conversation:create", _created),
    ConversationRemoved: ("conversation:remove", _removed),
    MessagePosted: ("conversation:message", _posted),
    ParticipantJoined: ("conversation:join", _with_user),
    ParticipantLeft: ("conversation:leave", _with_user),
    PostbackReceived: ("conversation:postback", _postback),
    **USER_EVENTS,
}
