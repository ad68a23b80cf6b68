"""What a change of control starts from: the conversation, its user, and the switchboard."""

from collections.abc import Callable
from typing import Any, NoReturn

from msgspec import Struct, structs

from knownas.conversations import Conversation, Holder, Participant
from knownas.conversations.branch_off import keep_apart
from knownas.conversations.find import get_with_participants, stream_of
from knownas.switchboards import (
    NEXT,
    Action,
    ControlFailed,
    ControlRefused,
    InvalidAction,
    InvalidTarget,
    SwitchboardIntegration,
    Wiring,
)
from knownas.transaction import Transaction
from knownas.users.metadata import check_metadata


class Scene(Struct, frozen=True):
    """A conversation, who takes part and who could answer in it. `user_id` is the participant's in a personal one."""

    conversation: Conversation
    participants: list[Participant]
    user_id: str | None
    wiring: Wiring
    metadata: dict[str, Any] | None

    @property
    def active(self) -> Holder | None:
        """Who has control, or would have as soon as the conversation goes on."""
        return self.wiring.holds_for(self.conversation)


async def find_scene(tx: Transaction, conversation_id: str, metadata: dict[str, Any] | None) -> Scene:
    """The conversation with its switchboard, and checked metadata. Raises ConversationNotFound, InvalidMetadata."""
    conversation, participants = await get_with_participants(tx, conversation_id)
    checked = None if metadata is None else check_metadata(metadata, subject="Control")
    user_id = stream_of(conversation, participants)
    return Scene(conversation, participants, user_id, await tx.switchboards.wiring(), checked)


def refuse(tx: Transaction, scene: Scene, action: Action, refusal: ControlRefused) -> NoReturn:
    """Keep that it was tried, and refuse. Emits ControlFailed; always raises `refusal`."""
    told = scene.conversation
    tx.emit(ControlFailed(scene.user_id, told.id, told, action, refusal.code, refusal.message, scene.metadata))
    raise refusal


def hand_over(
    tx: Transaction,
    scene: Scene,
    active: Holder | None,
    pending: Holder | None,
    event: Callable[[str | None, str, Conversation, dict[str, Any] | None], Struct],
) -> None:
    """Hold who has control and who is offered it, and tell of it with the conversation as it is then."""
    before = scene.conversation
    keep_apart(tx, before, scene.participants)
    tx.conversations.change(
        before, active_holder=active.id if active else None, pending_holder=pending.id if pending else None
    )
    after = structs.replace(before, active=active, pending=pending)
    tx.emit(event(scene.user_id, before.id, after, scene.metadata))


def require_live(wiring: Wiring) -> None:
    """Refuse with InvalidAction what needs a switchboard that directs conversations."""
    if not wiring.live:
        raise InvalidAction("This app has no enabled switchboard")


def find_target(wiring: Wiring, reference: str, since: str | None) -> SwitchboardIntegration:
    """The switchboard integration that `reference` names by its id, else its name, else its type. Pure.

    `next` is the one after the switchboard integration whose id is `since`. Raises InvalidTarget.
    """
    if reference == NEXT:
        before = wiring.by_id(since)
        if before is None:
            raise InvalidTarget("There is no next switchboardIntegration, because nobody has control")
        after = wiring.by_id(before.next_integration)
        if after is None:
            raise InvalidTarget(f"The switchboardIntegration {before.name} has no nextSwitchboardIntegrationId")
        return after
    for named in (
        [one for one in wiring.integrations if one.id == reference],
        [one for one in wiring.integrations if one.name == reference],
        [one for one in wiring.integrations if one.integration_type == reference],
    ):
        if len(named) > 1:
            raise InvalidTarget(
                f"More than one switchboardIntegration is of this type: {', '.join(one.name for one in named)}. "
                "Name one of them by its id or name"
            )
        if named:
            return named[0]
    raise InvalidTarget("No switchboardIntegration of this app has this id, name or integrationType")
