"""A switchboard: who of a business answers in a conversation, and to whom they hand it on."""

from typing import Any, Final, Literal, Protocol

from msgspec import Struct

from knownas.conversations import Conversation, Holder
from knownas.errors import DomainError, Kind

INTEGRATIONS_AT_MOST: Final = 10  # the vendor's limit
NEXT: Final = "next"
Action = Literal["passControl", "offerControl", "acceptControl"]


class Switchboard(Struct, frozen=True):
    """An app's switchboard. `default_integration` is the switchboard integration that new conversations begin with.

    `revision` changes with every write of it or of one of its integrations. `created_at` is in milliseconds.
    """

    id: str
    enabled: bool
    default_integration: str | None
    created_at: int
    revision: int = 1


class SwitchboardIntegration(Struct, frozen=True):
    """One who answers. `integration_id` is None for a type that has no integration in this app.

    `next_integration` is to whom control goes by default, and `message_history_count` how many earlier messages
    somebody is told who gets it.
    """

    id: str
    switchboard_id: str
    name: str
    integration_id: str | None
    integration_type: str
    deliver_standby_events: bool
    next_integration: str | None
    message_history_count: int | None
    created_at: int

    @property
    def holder(self) -> Holder:
        """It as conversations name it."""
        return Holder(self.id, self.name, self.integration_id, self.integration_type)


class Wiring(Struct, frozen=True):
    """The app's switchboard as a whole: `board` is None where there is none, `integrations` are oldest first."""

    board: Switchboard | None
    integrations: tuple[SwitchboardIntegration, ...] = ()

    @property
    def live(self) -> bool:
        """Whether it directs conversations."""
        return self.board is not None and self.board.enabled

    @property
    def default(self) -> SwitchboardIntegration | None:
        """Who is given control of a new conversation."""
        return None if self.board is None else self.by_id(self.board.default_integration)

    def by_id(self, id: str | None) -> SwitchboardIntegration | None:
        """The switchboard integration with this id, or None."""
        return next((one for one in self.integrations if one.id == id), None)

    def holds_for(self, conversation: Conversation) -> Holder | None:
        """Who has control: as stored, else the default, as in conversations that are older than the switchboard."""
        if not self.live:
            return None
        return conversation.active or (self.default.holder if self.default else None)


class SwitchboardCreated(Struct, frozen=True, tag_field="event", tag="switchboard.created"):
    """The app has a switchboard; it is not enabled yet."""

    switchboard_id: str


class SwitchboardUpdated(Struct, frozen=True, tag_field="event", tag="switchboard.updated"):
    """The switchboard was switched on or off, has another default, or one of its integrations came, changed or went."""

    switchboard_id: str


class SwitchboardRemoved(Struct, frozen=True, tag_field="event", tag="switchboard.removed"):
    """The switchboard is gone with its switchboard integrations; nobody has control of a conversation any more."""

    switchboard_id: str


# Events of control hold the conversation as it is then. Those of a personal conversation are numbered in its user's
# sequence (`user_id`), those of a group in the conversation's own.


class ControlPassed(Struct, frozen=True, tag_field="event", tag="control.passed"):
    """Somebody else has control now (`switchboard:passControl`)."""

    user_id: str | None
    conversation_id: str
    conversation: Conversation
    metadata: dict[str, Any] | None


class ControlOffered(Struct, frozen=True, tag_field="event", tag="control.offered"):
    """Control waits to be accepted (`switchboard:offerControl`)."""

    user_id: str | None
    conversation_id: str
    conversation: Conversation
    metadata: dict[str, Any] | None


class ControlAccepted(Struct, frozen=True, tag_field="event", tag="control.accepted"):
    """Who was offered control has it (`switchboard:acceptControl`)."""

    user_id: str | None
    conversation_id: str
    conversation: Conversation
    metadata: dict[str, Any] | None


class ControlReleased(Struct, frozen=True, tag_field="event", tag="control.released"):
    """Nobody has control, until the conversation goes on (`switchboard:releaseControl`)."""

    user_id: str | None
    conversation_id: str
    conversation: Conversation
    metadata: dict[str, Any] | None


class ControlFailed(Struct, frozen=True, tag_field="event", tag="control.failed"):
    """Control stays where it was (`switchboard:{action}:failure`); `code` and `message` say why."""

    user_id: str | None
    conversation_id: str
    conversation: Conversation
    action: Action
    code: str
    message: str
    metadata: dict[str, Any] | None


class SwitchboardNotFound(DomainError):
    """No such switchboard in this app."""

    kind = "not_found"
    code = "switchboard_not_found"

    def __init__(self) -> None:
        super().__init__("Switchboard not found")


class SwitchboardIntegrationNotFound(DomainError):
    """No such switchboard integration, or none where there must be one; the text says which."""

    kind = "not_found"
    code = "switchboard_integration_not_found"

    def __init__(self, message: str = "SwitchboardIntegration not found") -> None:
        super().__init__(message)


class InvalidSwitchboard(DomainError):
    """The switchboard or one of its integrations cannot be made, changed or removed like this; the text says why."""

    kind = "invalid"
    code = "bad_request"


class TooManySwitchboardIntegrations(DomainError):
    """The switchboard has as many integrations as one may."""

    kind = "invalid"
    code = "too_many_switchboard_integrations"

    def __init__(self) -> None:
        super().__init__(f"Switchboard has reached the max number of switchboard integrations ({INTEGRATIONS_AT_MOST})")


class ControlRefused(DomainError):
    """Control stays where it is. That it was tried is told (ControlFailed), although the caller is refused."""

    kind: Kind = "invalid"
    keeps_trace = True


class InvalidTarget(ControlRefused):
    """Control cannot go there; the text says why."""

    code = "switchboard_invalid_target"


class InvalidAction(ControlRefused):
    """Nothing of this kind can be done now; the text says why."""

    code = "switchboard_invalid_action"


class NotInControl(ControlRefused):
    """An integration asks for what only the active or the pending one may do."""

    kind = "forbidden"
    code = "forbidden"

    def __init__(self) -> None:
        super().__init__("Forbidden")


class Switchboards(Protocol):
    """What verbs ask of the app's stored switchboard."""

    async def wiring(self) -> Wiring:
        """The switchboard with its integrations."""
        ...

    def add(self, board: Switchboard) -> None:
        """Hold the new switchboard for writing; loses its race when the app has one by now."""
        ...

    def update(self, board: Switchboard) -> None:
        """Hold its new state, relying on the revision that was read; held with every change of its integrations."""
        ...

    def remove(self, board: Switchboard) -> None:
        """Hold its removal with its integrations, relying on the revision that was read."""
        ...

    def add_integration(self, one: SwitchboardIntegration) -> None:
        """Hold the new switchboard integration for writing."""
        ...

    def update_integration(self, one: SwitchboardIntegration) -> None:
        """Hold its new state."""
        ...

    def remove_integration(self, one: SwitchboardIntegration) -> None:
        """Hold its removal. Conversations that name it read as if they named nobody."""
        ...
