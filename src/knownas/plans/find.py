"""Find a plan that can still be carried out."""

from knownas.plans import Plan, PlanNotFound
from knownas.transaction import Transaction


async def get_plan(tx: Transaction, plan_id: str) -> Plan:
    """Raises PlanNotFound, also for one that has expired."""
    plan = await tx.plans.by_id(plan_id)
    if plan is None or plan.expires_at <= tx.now:
        raise PlanNotFound
    return plan
