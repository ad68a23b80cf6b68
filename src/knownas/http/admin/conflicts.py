"""Conflicts: list them, and look at one with its evidence."""

from typing import get_args

from knownas import documents
from knownas.conflicts import CaseState
from knownas.conflicts.find import get_case, list_cases
from knownas.http.admin.scope import acting_on, after_of, size_of, text_of
from knownas.http.call import Answer, Call, json_answer
from knownas.http.decode import InvalidBody


async def list_page(call: Call) -> Answer:
    """GET …/conflicts?state=&after=&limit=: oldest first."""
    app, _ = await acting_on(call, "state", "after", "limit")
    state, after, size = _state_of(call), after_of(call), size_of(call)
    found = await call.services.database.read(app, list_cases, state, after, size + 1)
    return json_answer(documents.page("conflicts", [documents.case(one) for one in found], size, after))


async def get(call: Call) -> Answer:
    """GET …/conflicts/{conflict}: with its evidence and what was done about it."""
    app, _ = await acting_on(call)
    return json_answer(documents.whole_case(*await call.services.database.read(app, get_case, call.params["conflict"])))


def _state_of(call: Call) -> CaseState | None:
    named = text_of(call, "state")
    known: tuple[CaseState, ...] = get_args(CaseState)
    found = next((state for state in known if state == named), None)
    if named is not None and found is None:
        raise InvalidBody(f"state should be one of {', '.join(known)}")
    return found
