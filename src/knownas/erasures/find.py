"""Find receipts of erasures."""

from knownas.erasures import Receipt, ReceiptNotFound
from knownas.transaction import Transaction


async def list_receipts(tx: Transaction, after: str | None, limit: int) -> list[Receipt]:
    """The app's receipts behind the one with the id `after`, oldest first."""
    return await tx.erasures.page(after=after, before=None, limit=limit)


async def get_receipt(tx: Transaction, receipt_id: str) -> Receipt:
    """Raises ReceiptNotFound."""
    found = await tx.erasures.by_id(receipt_id)
    if found is None:
        raise ReceiptNotFound
    return found
