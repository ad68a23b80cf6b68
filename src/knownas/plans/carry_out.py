"""Carry a plan out, exactly as it was shown or not at all."""

from msgspec import to_builtins

from knownas.audit.append import append
from knownas.errors import DomainError
from knownas.plans import Done, PlanStale, check_reason
from knownas.plans.find import get_plan
from knownas.plans.kinds import carry_out_kind, foresee
from knownas.resolutions import By
from knownas.transaction import Transaction
from knownas.users.delete import ForeseenErasure, carry_out_erasure


async def carry_out(tx: Transaction, plan_id: str, by: By) -> Done:
    """Do what the plan says, once, and write it into the audit log with its reason.

    What the act reads now is compared with what the plan was made from. Where anything differs, or the act cannot be
    done any more, PlanStale is raised and nothing is done. Raises PlanNotFound, ReasonMissing.
    """
    check_reason(by.note)
    plan = await get_plan(tx, plan_id)
    try:
        foreseen = await foresee(tx, plan.request)
    except DomainError as refusal:
        if refusal.kind not in ("conflict", "not_found"):
            raise
        raise PlanStale(refusal.message) from refusal
    if foreseen.relies_on != plan.relies_on:
        raise PlanStale
    kind = plan.request.kind
    if isinstance(foreseen, ForeseenErasure):  # which removes the plan too: it names the user
        receipt = carry_out_erasure(tx, foreseen, by)
        left = foreseen.user.id if kind == "erase" else None
        return Done(kind, receipt.audit_number, receipt.audit_hash, left, receipt=receipt)
    last = await tx.audit.last()
    tx.plans.take(plan)
    outcome = carry_out_kind(tx, foreseen, by)
    action = f"resolve.{plan.request.action}" if kind == "resolve" else kind
    ids = (outcome.resolution.id if outcome.resolution else None, outcome.merge_id)
    subjects = tuple(dict.fromkeys([*foreseen.subjects, *(id for id in ids if id)]))
    details = {"note": by.note, "preview": to_builtins(foreseen.preview)}
    entry = append(tx, last, by.actor, action, subjects, details)
    return Done(
        kind,
        entry.number,
        entry.hash,
        outcome.user_id,
        outcome.resolution,
        outcome.merge_id,
        continued=outcome.continued,
    )
