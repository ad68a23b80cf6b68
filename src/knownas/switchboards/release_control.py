"""Let go of the control of a conversation."""

from typing import Any

from knownas.switchboards import ControlReleased, NotInControl
from knownas.switchboards.scene import find_scene, hand_over
from knownas.transaction import Transaction


async def release_control(
    tx: Transaction,
    conversation_id: str,
    metadata: dict[str, Any] | None = None,
    caller_integration: str | None = None,
) -> None:
    """Leave nobody in control and no offer open; of integrations, only the active one may ask.

    Where nobody is, nothing changes. Raises ConversationNotFound, InvalidMetadata, and NotInControl, which is not told:
    the vendor has no trigger for it. Emits ControlReleased.
    """
    scene = await find_scene(tx, conversation_id, metadata)
    active, pending = scene.conversation.active, scene.conversation.pending
    if caller_integration is not None and (active is None or active.integration_id != caller_integration):
        raise NotInControl
    if active is not None or pending is not None:
        hand_over(tx, scene, None, None, ControlReleased)
