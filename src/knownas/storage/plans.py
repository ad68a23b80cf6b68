"""Stored plans."""

from typing import Final

import msgspec

from knownas.plans import Plan, PlanRequest, Preview
from knownas.storage.unit import Unit
from knownas.storage.users import to_json

BY_ID: Final = "SELECT id, request, preview, relies_on, actor, expires_at FROM plans WHERE app_id = $1 AND id = $2"
INSERT: Final = """
    INSERT INTO plans (app_id, id, request, preview, relies_on, actor, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)"""
INSERT_SUBJECT: Final = """
    INSERT INTO plan_subjects (app_id, subject, plan_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"""
TAKE: Final = "DELETE FROM plans WHERE app_id = $1 AND id = $2"
TAKE_SUBJECTS: Final = "DELETE FROM plan_subjects WHERE app_id = $1 AND plan_id = $2"
FORGET: Final = """
    DELETE FROM plans WHERE app_id = $1 AND id IN (
        SELECT plan_id FROM plan_subjects WHERE app_id = $1 AND subject IN {ids})"""
FORGET_SUBJECTS: Final = "DELETE FROM plan_subjects WHERE app_id = $1 AND subject IN {ids}"
# An id begins with the time at which it was made, so the oldest come first.
OLDEST: Final = "SELECT id, expires_at FROM plans WHERE app_id = $1 ORDER BY id LIMIT $2"


class PlanRows:
    """Plans (knownas.plans.Plans) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def by_id(self, plan_id: str) -> Plan | None:
        """The plan, or None."""
        row = await self._unit.row(BY_ID, plan_id)
        if row is None:
            return None
        return Plan(
            row[0],
            msgspec.json.decode(row[1], type=PlanRequest),
            msgspec.json.decode(row[2], type=Preview),
            msgspec.json.decode(row[3], type=dict[str, str | int | None]),
            row[4],
            row[5],
        )

    def add(self, plan: Plan, subjects: tuple[str, ...]) -> None:
        """Hold the new rows."""
        self._unit.hold(
            INSERT, plan.id, _json(plan.request), _json(plan.preview), to_json(plan.relies_on), plan.actor,
            plan.expires_at,
        )  # fmt: skip
        for subject in subjects:
            self._unit.hold(INSERT_SUBJECT, subject, plan.id)

    def take(self, plan: Plan) -> None:
        """Hold the removal, which succeeds once."""
        self._unit.hold(TAKE, plan.id, must=True)
        self._unit.hold(TAKE_SUBJECTS, plan.id)

    def forget(self, subjects: list[str]) -> None:
        """Hold the removal of all plans about these ids."""
        self._unit.hold_for_all(FORGET, subjects)
        self._unit.hold_for_all(FORGET_SUBJECTS, subjects)

    async def expired(self, limit: int) -> int:
        """Hold the removal of the oldest that have expired."""
        old = [row[0] for row in await self._unit.rows(OLDEST, limit) if row[1] <= self._unit.now]
        self._unit.hold_for_all("DELETE FROM plan_subjects WHERE app_id = $1 AND plan_id IN {ids}", old)
        self._unit.hold_for_all("DELETE FROM plans WHERE app_id = $1 AND id IN {ids}", old)
        return len(old)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
