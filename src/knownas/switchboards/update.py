"""Switch an app's switchboard on or off, choose who answers first, or take it away."""

from msgspec import UNSET, UnsetType, structs

from knownas.switchboards import (
    Switchboard,
    SwitchboardIntegrationNotFound,
    SwitchboardRemoved,
    SwitchboardUpdated,
)
from knownas.switchboards.find import get_switchboard, one_of
from knownas.transaction import Transaction


async def update_switchboard(
    tx: Transaction,
    switchboard_id: str,
    enabled: bool | UnsetType = UNSET,
    default_integration: str | None | UnsetType = UNSET,
) -> Switchboard:
    """Change what is given. Enabled, it must have a default, who gets the conversations that nobody has.

    Raises SwitchboardNotFound, SwitchboardIntegrationNotFound. Emits switchboard.updated when anything changed.
    """
    board, wiring = await get_switchboard(tx, switchboard_id)
    if isinstance(default_integration, str):
        default_integration = one_of(wiring, default_integration).id
    changed = structs.replace(
        board,
        enabled=board.enabled if enabled is UNSET else enabled,
        default_integration=board.default_integration if default_integration is UNSET else default_integration,
    )
    if changed.enabled and changed.default_integration is None:
        raise SwitchboardIntegrationNotFound(
            "Enabled switchboard must have an associated default switchboardIntegration"
        )
    if changed != board:
        tx.switchboards.update(changed)
        tx.emit(SwitchboardUpdated(board.id))
    return changed


async def delete_switchboard(tx: Transaction, switchboard_id: str) -> None:
    """Remove the switchboard with its switchboard integrations; what they were linked to stays.

    Raises SwitchboardNotFound. Emits switchboard.removed.
    """
    board, _ = await get_switchboard(tx, switchboard_id)
    tx.switchboards.remove(board)
    tx.emit(SwitchboardRemoved(board.id))
