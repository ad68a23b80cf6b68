"""Find cases, and what belongs to one."""

from knownas.conflicts import Case, CaseNotFound, CaseState, Evidence
from knownas.resolutions import Resolution
from knownas.transaction import Transaction


async def list_cases(tx: Transaction, state: CaseState | None, after: str | None, limit: int) -> list[Case]:
    """Cases of a state, or all, behind the one with the id `after`, oldest first."""
    return await tx.conflicts.page(state, after=after, before=None, limit=limit)


async def get_case(tx: Transaction, case_id: str) -> tuple[Case, list[Evidence], list[Resolution]]:
    """A case with its evidence and what was done about it. Raises CaseNotFound."""
    case = await tx.conflicts.by_id(case_id)
    if case is None:
        raise CaseNotFound
    return case, await tx.conflicts.evidence(case_id), await tx.resolutions.of_case(case_id)
