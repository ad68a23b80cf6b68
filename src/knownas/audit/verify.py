"""Check that nobody has changed, taken out or put in an entry."""

from typing import Final

from msgspec import Struct

from knownas.audit import BEGINNING, Entry, commitment_of, hash_of
from knownas.transaction import Transaction

AT_ONCE: Final = 500


class Verified(Struct, frozen=True):
    """How far the chain holds. `broken` says at which entry it does not, and why; None when all of it holds.

    `head` is the hash of the last entry that holds: whoever notes it down elsewhere can tell later (`expected`) that
    nothing before it was changed and the end was not cut off.
    """

    entries: int
    erased_details: int
    head: str
    broken: str | None = None


async def verify_audit(tx: Transaction, expected: str | None = None) -> Verified:
    """Walk the app's whole chain. `expected` is a head that was noted down earlier and must stand in it."""
    number, head, erased, met = 0, BEGINNING, 0, expected in (None, BEGINNING)
    while True:
        page = await tx.audit.page(after=number, limit=AT_ONCE)
        for entry in page:
            wrong = fault_of(entry, number, head)
            if wrong is not None:
                return Verified(number, erased, head, f"entry {number + 1}: {wrong}")
            number, head = entry.number, entry.hash
            erased += entry.details is None
            met = met or head == expected
        if len(page) < AT_ONCE:
            break
    return Verified(number, erased, head, None if met else "the expected hash stands nowhere in the chain")


def fault_of(entry: Entry, number: int, head: str) -> str | None:
    """What is wrong with the entry that follows number `number` with hash `head`; None when nothing is. Pure."""
    if entry.number != number + 1:
        return f"the next entry has number {entry.number}: some are missing"
    if entry.previous != head:
        return "it does not follow the entry before it"
    if entry.hash != hash_of(entry):
        return "its content is not what was written"
    if entry.details is not None and entry.salt is not None:
        if entry.commitment != commitment_of(entry.salt, entry.details):
            return "its details are not what was written"
    elif (entry.details is None) != (entry.salt is None):
        return "half of its details is missing"
    return None
