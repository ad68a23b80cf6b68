"""Stored cases."""

from typing import Final

from knownas.conflicts import Case
from knownas.storage.unit import Unit

OPEN: Final = """
    SELECT id, type, key, owner_id, claimant, claimant_id, asserted_by, first_seen, last_seen, count, state
    FROM conflicts WHERE app_id = $1 AND state = 'open' ORDER BY id LIMIT 100"""
REFRESH: Final = """
    INSERT INTO conflicts (app_id, id, type, key, owner_id, claimant, claimant_id, asserted_by, first_seen, last_seen,
        count, state)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, 'open')
    ON CONFLICT (app_id, type, key, claimant) DO UPDATE SET
        owner_id = excluded.owner_id, claimant_id = excluded.claimant_id, asserted_by = excluded.asserted_by,
        last_seen = excluded.last_seen, count = conflicts.count + 1, state = 'open'"""

FORGET_CLAIMANT: Final = "DELETE FROM conflicts WHERE app_id = $1 AND claimant = $2 AND claimant_id IS NULL"


class ConflictRows:
    """Cases (knownas.conflicts.Conflicts) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def open(self) -> list[Case]:
        """The open cases, oldest first, at most 100."""
        return [Case(*row) for row in await self._unit.rows(OPEN)]

    def refresh(self, case: Case) -> None:
        """Hold the case: opened, or counted once more."""
        self._unit.hold(
            REFRESH, case.id, case.type, case.key, case.owner_id, case.claimant, case.claimant_id, case.asserted_by,
            case.first_seen, case.last_seen,
        )  # fmt: skip

    def forget(self, members: list[str], external_id: str | None) -> None:
        """Hold the removal of the cases that name these users, or this external id from before it had a user."""
        self._unit.hold_for_all(
            "DELETE FROM conflicts WHERE app_id = $1 AND (owner_id IN {ids} OR claimant_id IN {ids})", members
        )
        if external_id is not None:
            self._unit.hold(FORGET_CLAIMANT, external_id)
