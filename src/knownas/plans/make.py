"""Show what an act will do, and keep what was shown."""

from knownas.plans import LIVES_MS, Plan, PlanRequest
from knownas.plans.kinds import foresee
from knownas.transaction import Transaction


async def make_plan(tx: Transaction, request: PlanRequest, actor: str) -> Plan:
    """A plan that can be carried out for an hour, as long as nothing that it is about changes.

    Raises InvalidPlan where the request says too little, and what the act itself would raise.
    """
    foreseen = await foresee(tx, request)
    await tx.plans.expired(100)
    plan = Plan(tx.new_id(), request, foreseen.preview, foreseen.relies_on, actor, tx.now + LIVES_MS)
    tx.plans.add(plan, foreseen.subjects)
    return plan
