"""Check that nobody has changed, taken out or put in an entry."""

from typing import Final

from msgspec import Struct

from knownas.audit import ORIGIN, Entry, Head, commitment_of, hash_of
from knownas.transaction import Transaction

AT_ONCE: Final = 500


class Verified(Struct, frozen=True):
    """How far a stretch of the chain holds, from where it began to `head`, the last entry that holds.

    `entries` and `erased_details` count what was checked in it. `broken` says which entry does not hold, and why; None
    where all of them do. `more` says that the chain goes on behind `head`.
    """

    entries: int
    erased_details: int
    head: Head
    broken: str | None = None
    more: bool = False


async def verify_audit(
    tx: Transaction, expected: Head | None = None, *, after: Head = ORIGIN, limit: int = AT_ONCE
) -> Verified:
    """Check at most `limit` entries behind `after`, and that `after` is still there as it was noted down.

    Whoever goes on from each `head` until there is no more has checked the whole chain. What is written between two
    calls does no harm: entries are only ever added, and one that is forged meanwhile does not fit the head at hand.
    `expected` is a head that was noted down earlier. The stretch in which its number lies says whether it stands there,
    and the last one whether the chain reaches so far; stretches behind it leave it alone.
    """
    found = await tx.audit.page(after=max(after.number - 1, 0), limit=limit + 2)
    if after.number:
        start, found = (found[0] if found else None), found[1:]
        wrong = fault_of_head(start, after)
        if wrong is not None:
            return Verified(0, 0, after, wrong)
    head, entries, erased = after, 0, 0
    for entry in found[:limit]:
        wrong = fault_of(entry, head) or unexpected(entry, expected)
        if wrong is not None:
            return Verified(entries, erased, head, f"entry {head.number + 1}: {wrong}")
        head, entries = Head(entry.number, entry.hash), entries + 1
        erased += entry.details is None
    more = len(found) > limit
    if expected is not None and not more and expected.number > head.number:
        cut = f"entry {expected.number}: it was noted down, and the log ends at entry {head.number}"
        return Verified(entries, erased, head, cut)
    if expected is not None and expected.number == after.number and expected != after:
        return Verified(0, 0, after, f"entry {after.number}: it is not the one that was noted down")
    return Verified(entries, erased, head, more=more)


def fault_of(entry: Entry, head: Head) -> str | None:
    """What is wrong with the entry that follows `head`; None when nothing is. Pure."""
    if entry.number != head.number + 1:
        return f"the next entry has number {entry.number}: some are missing"
    if entry.previous != head.hash:
        return "it does not follow the entry before it"
    if entry.hash != hash_of(entry):
        return "its content is not what was written"
    if entry.details is not None and entry.salt is not None:
        if entry.commitment != commitment_of(entry.salt, entry.details):
            return "its details are not what was written"
    elif (entry.details is None) != (entry.salt is None):
        return "half of its details is missing"
    return None


def fault_of_head(entry: Entry | None, head: Head) -> str | None:
    """What is wrong with the entry that should be the one that `head` names; None when nothing is. Pure."""
    if entry is None or entry.number != head.number:
        return f"entry {head.number}: it was noted down, and is not there"
    wrong = unexpected(entry, head) or fault_of(entry, Head(head.number - 1, entry.previous))
    return f"entry {head.number}: {wrong}" if wrong else None


def unexpected(entry: Entry, expected: Head | None) -> str | None:
    """Whether the entry stands where another one was noted down. Pure."""
    if expected is None or entry.number != expected.number or entry.hash == expected.hash:
        return None
    return "it is not the one that was noted down"
