"""Give control of a conversation to somebody."""

from typing import Any

from knownas.switchboards import NEXT, ControlPassed, ControlRefused, InvalidAction, SwitchboardIntegration
from knownas.switchboards.scene import Scene, find_scene, find_target, hand_over, refuse, require_live
from knownas.transaction import Transaction


async def pass_control(
    tx: Transaction,
    conversation_id: str,
    reference: str,
    metadata: dict[str, Any] | None = None,
    caller_integration: str | None = None,
) -> None:
    """Make the switchboard integration that `reference` names (find_target) the active one; offers lapse.

    Passing it to who has it changes nothing and tells nobody, and neither does `next` that its own integration sends
    once more after control has moved. Raises ConversationNotFound, InvalidMetadata, InvalidTarget, InvalidAction; the
    last two are told (ControlFailed). Emits ControlPassed.
    """
    scene = await find_scene(tx, conversation_id, metadata)
    try:
        target = _target(scene, reference, caller_integration)
    except ControlRefused as refusal:
        refuse(tx, scene, "passControl", refusal)
    conversation = scene.conversation
    if conversation.active is not None and conversation.active.id == target.id and conversation.pending is None:
        return
    hand_over(tx, scene, target.holder, None, ControlPassed)


def _target(scene: Scene, reference: str, caller_integration: str | None) -> SwitchboardIntegration:
    """Whom control goes to. Raises InvalidTarget, InvalidAction."""
    require_live(scene.wiring)
    active = scene.active
    mine = [one for one in scene.wiring.integrations if caller_integration and one.integration_id == caller_integration]
    if reference != NEXT or not mine or (active is not None and any(one.id == active.id for one in mine)):
        return find_target(scene.wiring, reference, active.id if active else None)
    # An integration says "next" and is not active: the same request once more, or one that was never its to make.
    followers = [find_target(scene.wiring, NEXT, one.id) for one in mine if one.next_integration is not None]
    again = [one for one in followers if active is not None and one.id == active.id]
    if not again:
        raise InvalidAction(f"{mine[0].name} is not in control of this conversation, so it cannot pass it to the next")
    return again[0]
