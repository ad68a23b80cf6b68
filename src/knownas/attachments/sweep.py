"""What a sweep looks for: files that no attachment names, and attachments without a file."""

from typing import Final

from msgspec import Struct

from knownas.attachments import Gone, StoredFile
from knownas.transaction import Transaction

SETTLED_MS: Final = 3_600_000
"""A file is stored shortly before its row: what is younger than an hour may still get one."""


class Difference(Struct, frozen=True):
    """What a page of files and a page of attachments do not share. `following` is where the next pages begin, or None.

    `unknown` are files that no attachment names, `lost` are names of attachments that were not among the files.
    """

    unknown: list[str]
    lost: list[str]
    following: str | None


async def files_to_remove(tx: Transaction, limit: int) -> list[Gone]:
    """Removed attachments of all apps whose files are still there."""
    return await tx.attachments.gone(limit)


async def next_app(tx: Transaction, after: str) -> str | None:
    """The id of the app after this one, or None."""
    return await tx.attachments.next_app(after)


async def difference(tx: Transaction, files: list[StoredFile], after: str, limit: int) -> Difference:
    """Compare the app's files that follow `after`, at most `limit`, with its attachments there; what is new is left."""
    rows = {attachment.name: attachment.created_at for attachment in await tx.attachments.page(after, limit)}
    listed = {file.name: file.modified_at for file in files}
    end = common_end(list(listed), list(rows), limit)
    old = tx.now - SETTLED_MS
    unnamed = [name for name, at in listed.items() if at < old and name not in rows and (end is None or name <= end)]
    # A removed attachment is not on the page, and its file is somebody else's to remove.
    known = await tx.attachments.known(unnamed) if unnamed else set()
    return Difference(
        unknown=[name for name in unnamed if name not in known],
        lost=[name for name, at in rows.items() if at < old and name not in listed and (end is None or name <= end)],
        following=end,
    )


def common_end(files: list[str], rows: list[str], limit: int) -> str | None:
    """The last name up to which both pages, each in order and at most `limit` long, are complete, or None."""
    ends = [page[-1] for page in (files, rows) if len(page) >= limit]
    return min(ends) if ends else None


async def forget_lost(tx: Transaction, names: list[str]) -> None:
    """Forget attachments whose files were lost: nothing can be served under their addresses."""
    tx.attachments.forget_lost(names)
