"""An account: the business that runs Knownas; it owns apps and account keys."""

from typing import Protocol

from msgspec import Struct


class Account(Struct, frozen=True):
    """One business. `created_at` is in milliseconds."""

    id: str
    display_name: str
    created_at: int


class Accounts(Protocol):
    """What verbs ask of stored accounts."""

    async def by_id(self, account_id: str) -> Account | None:
        """The account, or None."""
        ...

    async def first(self) -> Account | None:
        """The oldest account: the one that a single-business installation has."""
        ...

    def add(self, account: Account) -> None:
        """Hold the new account for writing."""
        ...
