"""Write down that somebody did something."""

from typing import Any

from msgspec import structs

from knownas.audit import BEGINNING, Entry, commitment_of, hash_of
from knownas.transaction import Transaction


def append(
    tx: Transaction, last: Entry | None, actor: str, action: str, subjects: tuple[str, ...], details: dict[str, Any]
) -> Entry:
    """Hold the next entry behind `last`, which the caller read before its first write.

    `details` hold whatever is personal; `actor`, `action` and `subjects` stay for good. Loses its race when somebody
    else has appended meanwhile; the verb is then run again.
    """
    salt = tx.new_secret()
    number, previous = (last.number + 1, last.hash) if last else (1, BEGINNING)
    entry = Entry(
        tx.app_id, number, tx.new_id(), tx.now, actor, action, subjects, commitment_of(salt, details), previous, "",
        salt, details,
    )  # fmt: skip
    entry = structs.replace(entry, hash=hash_of(entry))
    tx.audit.append(entry)
    return entry
