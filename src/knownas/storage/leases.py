"""Stored leases."""

from typing import Final

from knownas.leases import Lease
from knownas.storage.unit import Unit

BY_NAME: Final = "SELECT name, holder, held_until FROM leases WHERE name = $1"
INSERT: Final = "INSERT INTO leases (name, holder, held_until) VALUES ($1, $2, $3)"
MOVE: Final = "UPDATE leases SET holder = $2, held_until = $3 WHERE name = $1 AND holder = $4 AND held_until = $5"


class LeaseRows:
    """Leases (knownas.leases.Leases) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def by_name(self, name: str) -> Lease | None:
        """The lease, or None."""
        row = await self._unit.directory_row(BY_NAME, name)
        return Lease(row[0], row[1], row[2]) if row else None

    def add(self, lease: Lease) -> None:
        """Hold the new row."""
        self._unit.hold_outside(INSERT, lease.name, lease.holder, lease.held_until)

    def move(self, former: Lease, lease: Lease) -> None:
        """Hold the row's new state, guarded by the old one."""
        self._unit.hold_outside(
            MOVE, lease.name, lease.holder, lease.held_until, former.holder, former.held_until, must=True
        )
