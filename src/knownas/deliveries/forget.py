"""Remove what is older than events are kept, a bite at a time."""

from knownas.transaction import Transaction

AT_ONCE = 500


async def forget_events(tx: Transaction, before: int) -> int:
    """Remove some of the events made before `before` (milliseconds) that all readers have read; how many."""
    return await tx.outbox.forget_before(before, AT_ONCE)


async def forget_attempts(tx: Transaction, app_id: str, webhook_id: str, before: int) -> int:
    """Remove some of one webhook's log and deliveries from before `before`; how many."""
    return await tx.deliveries.forget_before(app_id, webhook_id, before, AT_ONCE)
