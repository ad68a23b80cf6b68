"""Stored accounts."""

from typing import Final

from knownas.accounts import Account
from knownas.storage.unit import Unit

BY_ID: Final = "SELECT id, display_name, created_at FROM accounts WHERE id = $1"
FIRST: Final = "SELECT id, display_name, created_at FROM accounts ORDER BY id LIMIT 1"
INSERT: Final = "INSERT INTO accounts (id, display_name, created_at) VALUES ($1, $2, $3)"


class AccountRows:
    """Accounts (knownas.accounts.Accounts) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def by_id(self, account_id: str) -> Account | None:
        """The account, or None."""
        row = await self._unit.directory_row(BY_ID, account_id)
        return Account(*row) if row else None

    async def first(self) -> Account | None:
        """The oldest account."""
        row = await self._unit.directory_row(FIRST)
        return Account(*row) if row else None

    def add(self, account: Account) -> None:
        """Hold the new account."""
        self._unit.hold_directory(INSERT, account.id, account.display_name, account.created_at)
