"""An event: what the outbox says has happened. Each is defined by its noun; here they are found by their names."""

from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import Struct

from knownas.apps import AppCreated, AppUpdated
from knownas.clients import ClientAdded, ClientRemoved, ClientUpdated
from knownas.conflicts import ConflictReopened, ConflictSettled, IdentityContested
from knownas.conversations import (
    ActivityHappened,
    ConversationCreated,
    ConversationRemoved,
    ConversationUpdated,
    ParticipantJoined,
    ParticipantLeft,
)
from knownas.devices import DeviceSignedIn, DeviceSignedOut
from knownas.identities import IdentityAttached, IdentityTakenOver
from knownas.integrations import IntegrationCreated, IntegrationRemoved, IntegrationUpdated
from knownas.keys import KeyCreated, KeyDeleted
from knownas.merges import UsersMerged, UsersUnmerged
from knownas.messages import MessageDeleted, MessagePosted, MessagesDeleted, PostbackReceived
from knownas.oauth import AccessGranted
from knownas.sessions import UserAuthenticated
from knownas.switchboards import (
    ControlAccepted,
    ControlFailed,
    ControlOffered,
    ControlPassed,
    ControlReleased,
    SwitchboardCreated,
    SwitchboardRemoved,
    SwitchboardUpdated,
)
from knownas.users import UserCreated, UserErased, UserIdentified, UserRemoved, UserUpdated
from knownas.webhooks import WebhookCreated, WebhookDeleted, WebhookSwitchedOff, WebhookUpdated

EVENTS: Final[tuple[type[Struct], ...]] = (
    AccessGranted,
    ActivityHappened,
    AppCreated,
    AppUpdated,
    ClientAdded,
    ClientRemoved,
    ClientUpdated,
    ConflictReopened,
    ConflictSettled,
    ControlAccepted,
    ControlFailed,
    ControlOffered,
    ControlPassed,
    ControlReleased,
    ConversationCreated,
    ConversationRemoved,
    ConversationUpdated,
    DeviceSignedIn,
    DeviceSignedOut,
    IdentityAttached,
    IdentityContested,
    IdentityTakenOver,
    IntegrationCreated,
    IntegrationRemoved,
    IntegrationUpdated,
    KeyCreated,
    KeyDeleted,
    MessageDeleted,
    MessagePosted,
    MessagesDeleted,
    ParticipantJoined,
    ParticipantLeft,
    PostbackReceived,
    SwitchboardCreated,
    SwitchboardRemoved,
    SwitchboardUpdated,
    UserAuthenticated,
    UserCreated,
    UserErased,
    UserIdentified,
    UserRemoved,
    UserUpdated,
    UsersMerged,
    UsersUnmerged,
    WebhookCreated,
    WebhookDeleted,
    WebhookSwitchedOff,
    WebhookUpdated,
)
"""All that the outbox may hold. A test finds those that are missing here."""


def name_of(event: type[Struct]) -> str:
    """What the outbox calls it: `noun.past_tense`."""
    return str(event.__struct_config__.tag)


_BY_NAME: Final = {name_of(event): event for event in EVENTS}


def decode_event(type: str, body: bytes | str) -> Struct | None:
    """The event of an outbox row, or None when this program knows none of that name: a newer one wrote it.

    A row may be older than its class. A new field therefore has a default, and none is renamed or removed.
    Raises msgspec.ValidationError for a body that is not the event's.
    """
    event = _BY_NAME.get(type)
    if event is None:
        return None
    decoded: Struct = _decoder(event).decode(body)
    return decoded


@lru_cache(maxsize=len(EVENTS))
def _decoder(event: type[Struct]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(event)
