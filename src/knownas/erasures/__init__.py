"""An erasure: that somebody's data was removed, kept as a receipt that says nothing about her (R10)."""

from typing import Literal, Protocol

from msgspec import Struct

from knownas.errors import DomainError

ErasureKind = Literal["delete", "erase"]
"""The user with everything; or only what is personal about her."""


class Receipt(Struct, frozen=True):
    """What was removed: counts by what it was. `audit_number` and `audit_hash` name the entry that vouches for it.

    `created_at` is in milliseconds.
    """

    id: str
    kind: ErasureKind
    user_id: str
    actor: str
    removed: dict[str, int]
    audit_number: int
    audit_hash: str
    created_at: int


class ReceiptNotFound(DomainError):
    """No such receipt in this app."""

    kind = "not_found"
    code = "receipt_not_found"

    def __init__(self) -> None:
        super().__init__("Receipt not found")


class Erasures(Protocol):
    """What verbs ask of the app's receipts, and of what an erasure would remove."""

    async def extent(self, members: list[str], external_id: str | None, *, whole: bool) -> dict[str, int]:
        """How many rows of each sort stand for these users; `whole` counts what only a deletion removes too."""
        ...

    async def by_id(self, receipt_id: str) -> Receipt | None:
        """The receipt, or None."""
        ...

    async def page(self, *, after: str | None, before: str | None, limit: int) -> list[Receipt]:
        """Receipts in creation order, on one side of an id."""
        ...

    def add(self, receipt: Receipt) -> None:
        """Hold the new receipt for writing."""
        ...
