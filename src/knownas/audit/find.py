"""Read the audit log."""

from knownas.audit import Entry
from knownas.transaction import Transaction


async def list_entries(tx: Transaction, after: int, limit: int) -> list[Entry]:
    """Entries whose numbers are above `after`, in order."""
    return await tx.audit.page(after=after, limit=limit)
