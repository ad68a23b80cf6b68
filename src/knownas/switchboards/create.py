"""Give an app its switchboard."""

from knownas.switchboards import InvalidSwitchboard, Switchboard, SwitchboardCreated
from knownas.transaction import Transaction


async def create_switchboard(tx: Transaction) -> Switchboard:
    """The app's one switchboard, which directs nothing until it is enabled.

    Raises InvalidSwitchboard when there is one already. Emits switchboard.created.
    """
    if (await tx.switchboards.wiring()).board is not None:
        raise InvalidSwitchboard("Only one switchboard can be created per app")
    board = Switchboard(tx.new_id(), enabled=False, default_integration=None, created_at=tx.now)
    tx.switchboards.add(board)
    tx.emit(SwitchboardCreated(board.id))
    return board
