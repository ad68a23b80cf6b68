"""Become the one who does some work, or stay it."""

from knownas.leases import Lease
from knownas.transaction import Transaction


async def take_lease(tx: Transaction, name: str, holder: str, until: int) -> bool:
    """Hold the lease for `holder` until `until` (milliseconds); False when somebody else has it."""
    former = await tx.leases.by_name(name)
    lease = Lease(name, holder, until)
    if former is None:
        tx.leases.add(lease)
    elif former.holder == holder or former.held_until <= tx.now:
        tx.leases.move(former, lease)
    else:
        return False
    return True
