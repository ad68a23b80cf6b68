"""An erasure: that somebody's data was removed, kept as a receipt that says nothing about her (R10)."""

from typing import Final, Literal, Protocol

from msgspec import Struct

from knownas.errors import DomainError

ErasureKind = Literal["delete", "erase"]
"""The user with everything; or only what is personal about her."""


FOR_EVER: Final = 2**62


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


class PastMerge(Struct, frozen=True):
    """A line of the merge journal. Times are in milliseconds; `undone_at` is None while the two are one."""

    surviving: str
    discarded: str
    created_at: int
    undone_at: int | None


class Window(Struct, frozen=True):
    """While somebody whom she was merged into, and is no more, showed her values as her own."""

    user_id: str
    since: int
    until: int


class Reach(Struct, frozen=True):
    """Where an erasure has to look.

    `members` are the ids that stand for the user. `others` were one with some of them once: their streams and
    conversations may name her. `windows` say when they showed what is hers as their own.
    """

    members: list[str]
    others: list[str] = []
    windows: tuple[Window, ...] = ()

    @property
    def everyone(self) -> list[str]:
        """All whose streams, conversations and cases may say something of her."""
        return [*self.members, *self.others]


CLOCKS_APART_MS: Final = 1000
"""How far the clocks of two processes that serve one database may be apart."""


def reach_of(members: list[str], past: list[PastMerge]) -> Reach:
    """Where to look, given all merges of these users and of those whom they were ever merged with. Pure."""
    hers = set(members)
    others = {id for merge in past for id in (merge.surviving, merge.discarded)} - hers
    windows: set[Window] = set()
    to_follow = [Window(id, 0, FOR_EVER) for id in hers]
    while to_follow:
        shown = to_follow.pop()
        for merge in past:
            until = FOR_EVER if merge.undone_at is None else merge.undone_at
            window = Window(merge.surviving, max(shown.since, merge.created_at), min(shown.until, until))
            if merge.discarded != shown.user_id or merge.surviving in hers or window.since > window.until:
                continue
            if window not in windows:
                windows.add(window)
                to_follow.append(window)
    return Reach(
        members,
        sorted(others),
        tuple(
            Window(one.user_id, one.since - CLOCKS_APART_MS, min(one.until + CLOCKS_APART_MS, FOR_EVER))
            for one in sorted(windows, key=lambda one: (one.since, one.user_id))
        ),
    )


class Erasures(Protocol):
    """What verbs ask of the app's receipts, and of what an erasure would remove."""

    async def reach(self, members: list[str]) -> Reach:
        """Where the journal says that these users' values may be."""
        ...

    async def extent(self, reach: Reach, *, whole: bool) -> dict[str, int]:
        """How many rows of each sort hold something of these users; `whole` counts what only a deletion removes too."""
        ...

    def forget_told(self, reach: Reach) -> None:
        """Hold the removal of events that speak of them, in whatever stream, with their deliveries and attempts.

        Whatever is held after this waits for units that are writing about the users, and sees what they wrote.
        """
        ...

    def forget_merges(self, reach: Reach, *, whole: bool) -> None:
        """Hold that the merge journal holds nothing of them; `whole` removes their entries."""
        ...

    def forget_settled(self, reach: Reach) -> None:
        """Hold the removal of the cases about them, and of plans, resolutions and details of the audit log."""
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
