"""Take the control of a conversation that was offered."""

from typing import Any

from knownas.switchboards import ControlAccepted, ControlRefused, InvalidAction, NotInControl
from knownas.switchboards.scene import find_scene, hand_over, refuse, require_live
from knownas.transaction import Transaction


async def accept_control(
    tx: Transaction,
    conversation_id: str,
    metadata: dict[str, Any] | None = None,
    caller_integration: str | None = None,
) -> None:
    """Make the pending switchboard integration the active one; of integrations, only the pending one may ask.

    Raises ConversationNotFound, InvalidMetadata, and InvalidAction when nothing is offered and NotInControl, which
    are told (ControlFailed). Emits ControlAccepted.
    """
    scene = await find_scene(tx, conversation_id, metadata)
    pending = scene.conversation.pending
    try:
        require_live(scene.wiring)
        if pending is None:
            if caller_integration is not None:
                raise NotInControl
            raise InvalidAction("There is no pendingSwitchboardIntegration")
        if caller_integration is not None and pending.integration_id != caller_integration:
            raise NotInControl
    except ControlRefused as refusal:
        refuse(tx, scene, "acceptControl", refusal)
    hand_over(tx, scene, pending, None, ControlAccepted)
