"""What each kind of plan reads, and what it holds: the one place that knows all kinds."""

from msgspec import Struct, structs

from knownas.conflicts.resolve import ForeseenResolution, carry_out_resolution, foresee_resolution
from knownas.merges.merge import ForeseenMerge, carry_out_merge, foresee_merge
from knownas.plans import Foreseen, InvalidPlan, PlanRequest
from knownas.plans.party import party
from knownas.resolutions import By, Resolution
from knownas.resolutions.undo import ForeseenUndo, carry_out_undo, foresee_undo
from knownas.transaction import Transaction
from knownas.users.delete import foresee_erasure
from knownas.users.find import get_user


class Outcome(Struct, frozen=True):
    """Who is there after an act, and what it is written down as, where it is; see knownas.plans.Done."""

    user_id: str | None
    resolution: Resolution | None
    merge_id: str | None
    continued: dict[str, str] = {}


async def foresee(tx: Transaction, request: PlanRequest) -> Foreseen:
    """All that the act has to know, and its preview. Raises InvalidPlan, and what the act raises."""
    match request.kind:
        case "resolve":
            action = request.action
            if action is None or action == "transfer":
                raise InvalidPlan("A plan of kind resolve needs an action: reassign, move, merge or dismiss")
            return await foresee_resolution(tx, _given(request, "case_id"), action)
        case "merge":
            surviving = await get_user(tx, _given(request, "surviving"))
            return await foresee_merge(tx, surviving, await get_user(tx, _given(request, "discarded")))
        case "undo":
            return await foresee_undo(tx, _given(request, "act_id"))
        case "delete" | "erase":
            user = await get_user(tx, _given(request, "user"))
            foreseen = await foresee_erasure(tx, user, request.kind)
            whom = await party(tx, user, "user", stays=request.kind == "erase")
            return structs.replace(foreseen, preview=structs.replace(foreseen.preview, parties=(whom,)))


def carry_out_kind(tx: Transaction, foreseen: Foreseen, by: By) -> Outcome:
    """Hold the act."""
    if isinstance(foreseen, ForeseenResolution):
        resolution, user_id = carry_out_resolution(tx, foreseen, by)
        return Outcome(user_id or None, resolution, resolution.merge_id)
    if isinstance(foreseen, ForeseenMerge):
        return Outcome(foreseen.surviving.id, None, carry_out_merge(tx, foreseen, by))
    assert isinstance(foreseen, ForeseenUndo), "erasures are carried out with their receipt"  # noqa: S101
    merge_id = foreseen.unmerge.merge.id if foreseen.unmerge else None
    left, continued = carry_out_undo(tx, foreseen, by)
    return Outcome(left, foreseen.resolution, merge_id, continued)


def _given(request: PlanRequest, name: str) -> str:
    value: str | None = getattr(request, name)
    if not value:
        raise InvalidPlan(f"A plan of kind {request.kind} needs {name}")
    return value
