"""Stored cases and their evidence."""

from typing import Any, Final

import msgspec

from knownas.apps import ConflictPolicy
from knownas.conflicts import (
    LISTED_AT_MOST,
    Case,
    CaseState,
    Evidence,
    RequestInfo,
    ShadowCount,
    Standing,
    slot_of,
)
from knownas.identities import IdentityType
from knownas.storage.unit import Row, Unit
from knownas.storage.users import USER_COLUMNS, USER_WIDTH, UserRows, shown_identities, user_of

CASE_COLUMNS: Final = """k.id, k.type, k.key, k.owner_id, k.claimant, k.claimant_id, k.asserted_by, k.first_seen,
    k.last_seen, k.count, k.state, k.value, k.outcome, k.shadow_policy, k.shadow_outcome, k.revision"""
_IDENTITY_WIDTH: Final = 5
_CASE_AT: Final = USER_WIDTH + _IDENTITY_WIDTH

_SELECT: Final = f"SELECT {CASE_COLUMNS} FROM conflicts k WHERE k.app_id = $1"  # noqa: S608
BY_ID: Final = f"{_SELECT} AND k.id = $2"
OPEN: Final = f"{_SELECT} AND k.state = 'open' ORDER BY k.id LIMIT {LISTED_AT_MOST}"
OF_IDENTITY: Final = f"{_SELECT} AND k.type = $2 AND k.key = $3 ORDER BY k.id LIMIT {LISTED_AT_MOST}"
# The owner with her identities, and beside each row the case of this claim.
STANDING: Final = f"""
    SELECT {USER_COLUMNS}, s.type, s.value, s.verification, s.key, s.created_at, {CASE_COLUMNS}
    FROM users u
    LEFT JOIN identities s
        ON s.app_id = u.app_id AND s.user_id = u.id AND s.type <> 'external_id' AND s.owned = 1
    LEFT JOIN conflicts k ON k.app_id = $1 AND k.type = $3 AND k.key = $4 AND k.claimant = $5
    WHERE u.app_id = $1 AND u.id = $2"""  # noqa: S608
INSERT: Final = """
    INSERT INTO conflicts (app_id, id, type, key, owner_id, claimant, claimant_id, asserted_by, first_seen, last_seen,
        count, state, value, outcome, shadow_policy, shadow_outcome, revision, seq)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 1, $17)"""
EVIDENCE: Final = """
    SELECT number, asserted_by, outcome, device_guid, platform, info, seen_at FROM conflict_evidence
    WHERE app_id = $1 AND case_id = $2 ORDER BY number"""
FIRST_EVIDENCE: Final = """
    INSERT INTO conflict_evidence (app_id, case_id, slot, number, asserted_by, outcome, device_guid, platform, info,
        seen_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"""
ADD_EVIDENCE: Final = f"""
    {FIRST_EVIDENCE}
    ON CONFLICT (app_id, case_id, slot) DO UPDATE SET number = excluded.number, asserted_by = excluded.asserted_by,
        outcome = excluded.outcome, device_guid = excluded.device_guid, platform = excluded.platform,
        info = excluded.info, seen_at = excluded.seen_at
    WHERE conflict_evidence.number < excluded.number"""
SHADOW: Final = """
    SELECT outcome, shadow_outcome, count(*), CAST(sum(count) AS BIGINT), max(id) FROM conflicts
    WHERE app_id = $1 AND shadow_policy = $2 GROUP BY outcome, shadow_outcome ORDER BY outcome, shadow_outcome"""
SHADOW_EXAMPLES: Final = """
    SELECT id FROM conflicts WHERE app_id = $1 AND shadow_policy = $2 AND outcome = $3 AND shadow_outcome = $4
    ORDER BY id DESC LIMIT 10"""

_STATE: Final = 11  # where it stands among the parameters of INSERT
_COUNT_AT_MOST: Final = 2**62

_decode_info: Final = msgspec.json.Decoder(RequestInfo).decode


class ConflictRows:
    """Cases (knownas.conflicts.Conflicts) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def standing(self, owner_id: str, type: IdentityType, key: str, claimant: str) -> Standing | None:
        """The owner as a whole, and the case if there is one."""
        rows = await self._unit.rows(STANDING, owner_id, type, key, claimant)
        if not rows:
            return None
        case = case_of(rows[0][_CASE_AT:]) if rows[0][_CASE_AT] is not None else None
        owner = user_of(rows[0], shown_identities(rows))
        if owner.merged_into is None and not owner.absorbed:
            return Standing(owner, case)
        survivor = await UserRows(self._unit).by_id(owner_id)
        return Standing(survivor, case) if survivor else None

    async def by_id(self, case_id: str) -> Case | None:
        """The case, or None."""
        row = await self._unit.row(BY_ID, case_id)
        return case_of(row) if row else None

    async def open(self) -> list[Case]:
        """The open cases, oldest first."""
        return [case_of(row) for row in await self._unit.rows(OPEN)]

    async def page(self, state: CaseState | None, *, after: str | None, before: str | None, limit: int) -> list[Case]:
        """In creation order, on one side of an id."""
        side, order = ("<", "DESC") if before is not None else (">", "ASC")
        of_state = " AND k.state = $4" if state else ""
        sql = f"{_SELECT} AND k.id {side} $2{of_state} ORDER BY k.id {order} LIMIT $3"
        rows = await self._unit.rows(sql, before or after or "", limit, *([state] if state else []))
        return [case_of(row) for row in (reversed(rows) if before is not None else rows)]

    async def of_identity(self, type: IdentityType, key: str) -> list[Case]:
        """All claimants' cases about the identity."""
        return [case_of(row) for row in await self._unit.rows(OF_IDENTITY, type, key)]

    async def evidence(self, case_id: str) -> list[Evidence]:
        """The attempts that are kept, oldest first."""
        return [
            Evidence(row[0], row[1], row[2], row[3], row[4], _decode_info(row[5]), row[6])
            for row in await self._unit.rows(EVIDENCE, case_id)
        ]

    async def shadow(self, policy: ConflictPolicy) -> list[ShadowCount]:
        """Cases by what they ended in and would have ended in, each with its ten latest."""
        return [
            ShadowCount(
                policy, row[0], row[1], row[2], row[3],
                tuple(one[0] for one in await self._unit.rows(SHADOW_EXAMPLES, policy, row[0], row[1])),
            )
            for row in await self._unit.rows(SHADOW, policy)
        ]  # fmt: skip

    def add(self, case: Case) -> None:
        """Hold the new row."""
        self._unit.tables[case.id] = "conflicts"
        self._unit.hold_fresh(
            case.id, INSERT, self._unit.app_id, case.id, case.type, case.key, case.owner_id, case.claimant,
            case.claimant_id, case.asserted_by, case.first_seen, case.last_seen, case.count, case.state, case.value,
            case.outcome, case.shadow_policy, case.shadow_outcome,
        )  # fmt: skip

    def repeat(self, case: Case, **columns: object) -> None:
        """Hold one attempt more, however many there have been by then."""
        patch = self._unit.patch(case.id, "conflicts")
        patch.one_more["count"] = _COUNT_AT_MOST
        patch.columns.update(columns)

    def change(self, case: Case, **columns: object) -> None:
        """Hold new values, guarded."""
        patch = self._unit.patch(case.id, "conflicts")
        patch.revision = case.revision
        patch.columns.update(columns)

    def settle(self, case: Case, state: CaseState, claimant_id: str | None) -> None:
        """Hold the state, in the new row where the case is new."""
        fresh = self._unit.fresh.get(case.id)
        if fresh is None:
            patch = self._unit.patch(case.id, "conflicts")
            patch.columns.update(state=state, claimant_id=claimant_id)
            if not patch.one_more:
                patch.revision = case.revision
            return
        params = list(fresh[1])
        params[_STATE] = state
        self._unit.fresh[case.id] = (fresh[0], tuple(params))

    def add_evidence(self, case_id: str, evidence: Evidence) -> None:
        """Hold the attempt, in its slot; it loses its race when another attempt has its number.

        A case that this unit makes has no attempt yet, and another that makes it too loses its race by the case.
        """
        fresh = case_id in self._unit.fresh
        self._unit.hold(
            FIRST_EVIDENCE if fresh else ADD_EVIDENCE, case_id, slot_of(evidence.number), evidence.number,
            evidence.asserted_by, evidence.outcome, evidence.device_guid, evidence.platform,
            msgspec.json.encode(evidence.info).decode(), evidence.seen_at, must=not fresh,
        )  # fmt: skip


def case_of(row: Row) -> Case:
    """The case in CASE_COLUMNS."""
    values: list[Any] = list(row)
    return Case(*values)
