"""Make deliveries out of events, and remember how far that went: both or neither."""

from msgspec import structs

from knownas.deliveries import READER, Cursor, LostLease, Reader, Wanted
from knownas.transaction import Transaction


async def take_lease(tx: Transaction, holder: str, until: int, *, by_force: bool) -> Reader | None:
    """Become the one who delivers, or stay it, until `until`; None if somebody else is.

    `by_force` is for a database that one process serves: whoever starts last is the one.
    """
    former = await tx.outbox.reader(READER)
    if former.holder not in ("", holder) and former.held_until > tx.now and not by_force:
        return None
    taken = Reader(holder, until, former.cursor)
    tx.outbox.move(READER, former, taken)
    return taken


async def mend(tx: Transaction, held: Reader) -> Reader | None:
    """Put the outbox in order after a restore from a backup; None while there is more to do.

    The places of PostgreSQL's events are numbers of a server's transactions. On another server those begin anew, and
    without this, new events would lie before the place up to which all was read. Raises LostLease.
    """
    stored = await _still(tx, held)
    if not await tx.outbox.restored(stored.cursor):
        return stored
    cursor = await tx.outbox.mend(stored.cursor)
    if cursor is None:
        return None
    mended = structs.replace(stored, cursor=cursor)
    tx.outbox.move(READER, stored, mended)
    return mended


async def fan_out(tx: Transaction, held: Reader, to: Cursor, until: int, wanted: list[Wanted]) -> Reader:
    """Hold these deliveries, due now, and that everything up to `to` is seen to: so this happens once.

    Raises LostLease when somebody else took over.
    """
    stored = await _still(tx, held)
    moved = Reader(held.holder, until, to)
    tx.outbox.move(READER, stored, moved)
    if wanted:
        tx.deliveries.add(wanted, tx.now)
    return moved


async def release_lease(tx: Transaction, held: Reader, cursor: Cursor) -> None:
    """Let somebody else go on from `cursor` at once. Raises LostLease when somebody has."""
    stored = await _still(tx, held)
    tx.outbox.move(READER, stored, Reader("", 0, cursor))


async def _still(tx: Transaction, held: Reader) -> Reader:
    stored = await tx.outbox.reader(READER)
    if (stored.holder, stored.cursor) != (held.holder, held.cursor):
        raise LostLease("Somebody else delivers now")
    return stored
