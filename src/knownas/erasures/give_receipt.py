"""Write down that somebody's data was erased, for the audit log and for whoever asked for it."""

from typing import Final

from knownas.audit import Entry
from knownas.audit.append import append
from knownas.erasures import ErasureKind, Receipt
from knownas.resolutions import By
from knownas.transaction import Transaction

ACTIONS: Final[dict[ErasureKind, str]] = {"delete": "user.delete", "erase": "user.erase"}


def give_receipt(
    tx: Transaction, last: Entry | None, kind: ErasureKind, user_id: str, removed: dict[str, int], by: By
) -> Receipt:
    """Hold the audit entry behind `last`, which was read before the first write, and the receipt that names it.

    Held after all removals: the details of the user's earlier entries go, this one's stay.
    """
    entry = append(tx, last, by.actor, ACTIONS[kind], (user_id,), {"removed": removed, "note": by.note})
    receipt = Receipt(tx.new_id(), kind, user_id, by.actor, removed, entry.number, entry.hash, tx.now)
    tx.erasures.add(receipt)
    return receipt
