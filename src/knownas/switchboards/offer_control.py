"""Offer somebody control of a conversation."""

from typing import Any

from knownas.switchboards import ControlOffered, ControlRefused, InvalidTarget
from knownas.switchboards.scene import find_scene, find_target, hand_over, refuse, require_live
from knownas.transaction import Transaction


async def offer_control(
    tx: Transaction, conversation_id: str, reference: str, metadata: dict[str, Any] | None = None
) -> None:
    """Make the switchboard integration that `reference` names the pending one, in place of an earlier one.

    The active one keeps control until the offer is accepted. The same offer twice is told once. Raises
    ConversationNotFound, InvalidMetadata, and InvalidTarget (also for who is active) and InvalidAction, which are told
    (ControlFailed). Emits ControlOffered.
    """
    scene = await find_scene(tx, conversation_id, metadata)
    active = scene.active
    try:
        require_live(scene.wiring)
        target = find_target(scene.wiring, reference, active.id if active else None)
        if active is not None and active.id == target.id:
            raise InvalidTarget(f"{target.name} is in control of this conversation already")
    except ControlRefused as refusal:
        refuse(tx, scene, "offerControl", refusal)
    pending = scene.conversation.pending
    if pending is None or pending.id != target.id:
        hand_over(tx, scene, active, target.holder, ControlOffered)
