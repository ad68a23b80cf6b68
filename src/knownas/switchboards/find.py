"""Find the app's switchboard and its integrations."""

from knownas.switchboards import (
    Switchboard,
    SwitchboardIntegration,
    SwitchboardIntegrationNotFound,
    SwitchboardNotFound,
    Wiring,
)
from knownas.transaction import Transaction


async def get_switchboard(tx: Transaction, switchboard_id: str) -> tuple[Switchboard, Wiring]:
    """The app's switchboard, when it has this id, and all of its wiring. Raises SwitchboardNotFound."""
    wiring = await tx.switchboards.wiring()
    if wiring.board is None or wiring.board.id != switchboard_id:
        raise SwitchboardNotFound
    return wiring.board, wiring


async def list_switchboards(tx: Transaction) -> list[Switchboard]:
    """The app's switchboards, of which there is at most one."""
    board = (await tx.switchboards.wiring()).board
    return [] if board is None else [board]


async def list_switchboard_integrations(tx: Transaction, switchboard_id: str) -> list[SwitchboardIntegration]:
    """The switchboard's integrations, oldest first. Raises SwitchboardNotFound."""
    _, wiring = await get_switchboard(tx, switchboard_id)
    return list(wiring.integrations)


def one_of(wiring: Wiring, id: str) -> SwitchboardIntegration:
    """The switchboard integration with this id. Raises SwitchboardIntegrationNotFound."""
    found = wiring.by_id(id)
    if found is None:
        raise SwitchboardIntegrationNotFound
    return found
