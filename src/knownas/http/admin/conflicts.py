"""Conflicts: list them, and look at one with its evidence."""

from typing import get_args

from knownas.conflicts import Case, CaseNotFound, CaseState, Evidence
from knownas.http.admin import wire
from knownas.http.admin.scope import acting_on, after_of, page, size_of, text_of
from knownas.http.call import Answer, Call, json_answer
from knownas.http.decode import InvalidBody
from knownas.resolutions import Resolution
from knownas.transaction import Transaction


async def list_page(call: Call) -> Answer:
    """GET …/conflicts?state=&after=&limit=: oldest first."""
    app, _ = await acting_on(call)
    state, size = _state_of(call), size_of(call)
    found = await call.services.database.read(app, _page, state, after_of(call), size + 1)
    return json_answer(page("conflicts", [wire.case(one) for one in found], size))


async def get(call: Call) -> Answer:
    """GET …/conflicts/{conflict}: with its evidence and what was done about it."""
    app, _ = await acting_on(call)
    case, evidence, resolutions = await call.services.database.read(app, _whole, call.params["conflict"])
    return json_answer(
        {
            "conflict": wire.case(case),
            "evidence": [wire.evidence(one) for one in evidence],
            "resolutions": [wire.resolution(one) for one in resolutions],
        }
    )


def _state_of(call: Call) -> CaseState | None:
    named = text_of(call, "state")
    known: tuple[CaseState, ...] = get_args(CaseState)
    found = next((state for state in known if state == named), None)
    if named is not None and found is None:
        raise InvalidBody(f"state should be one of {', '.join(known)}")
    return found


async def _page(tx: Transaction, state: CaseState | None, after: str | None, limit: int) -> list[Case]:
    return await tx.conflicts.page(state, after=after, before=None, limit=limit)


async def _whole(tx: Transaction, case_id: str) -> tuple[Case, list[Evidence], list[Resolution]]:
    case = await tx.conflicts.by_id(case_id)
    if case is None:
        raise CaseNotFound
    return case, await tx.conflicts.evidence(case_id), await tx.resolutions.of_case(case_id)
