"""Merge an anonymous user into an identified one."""

from msgspec import structs

from knownas.merges import Merge, MergeReason, UsersMerged
from knownas.transaction import Transaction
from knownas.users import User
from knownas.users.metadata import combine


def absorb(tx: Transaction, surviving: User, visitor: User, reason: MergeReason) -> User:
    """Hold the merge of `visitor` into `surviving`: a pointer, a journal entry, the combined metadata.

    Whatever carries the visitor's id stays where it is and is found through the pointer. Her sessions end (R4).
    Raises nothing; loses its race when either user is gone or the visitor was identified meanwhile. Emits users.merged.
    """
    metadata, left_over = combine(surviving.metadata, visitor.metadata)
    changed = {"metadata": metadata, "absorbed": surviving.absorbed + 1 + visitor.absorbed}
    before = {name: getattr(surviving, name) for name in changed}
    merge = Merge(tx.new_id(), surviving.id, visitor.id, reason, before, left_over, tx.now)
    tx.users.change(surviving, **changed)
    tx.users.change(visitor, merged_into=surviving.id)
    tx.sessions.end_all([visitor.id])
    tx.merges.add(merge)
    tx.emit(UsersMerged(surviving.id, visitor.id, merge.id, reason))
    return structs.replace(surviving, **changed)
