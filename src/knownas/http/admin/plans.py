"""Plans: show what an act will do, then do exactly that."""

from typing import Literal

from msgspec import Struct

from knownas.http.admin import wire
from knownas.http.admin.scope import acting_on
from knownas.http.call import Answer, Call, json_answer
from knownas.plans import PlanKind, PlanRequest
from knownas.plans.carry_out import carry_out
from knownas.plans.find import get_plan
from knownas.plans.make import make_plan
from knownas.resolutions import By


class PlanBody(Struct, rename="camel", forbid_unknown_fields=True):
    """What is to be done (plans.PlanRequest)."""

    kind: PlanKind
    conflict_id: str | None = None
    action: Literal["reassign", "move", "merge", "dismiss"] | None = None
    surviving: str | None = None
    discarded: str | None = None
    act_id: str | None = None
    user: str | None = None

    def request(self) -> PlanRequest:
        """The same in the core's words."""
        return PlanRequest(
            self.kind, self.conflict_id, self.action, self.surviving, self.discarded, self.act_id, self.user
        )


class ExecuteBody(Struct, rename="camel", forbid_unknown_fields=True):
    """Why it is done."""

    reason: str = ""


async def create(call: Call) -> Answer:
    """POST …/plans: 201 and the preview; nothing is done yet."""
    app, actor = await acting_on(call)
    body = await call.json(PlanBody)
    plan = await call.services.database.write(app, make_plan, body.request(), actor)
    return json_answer({"plan": wire.plan(plan)}, 201)


async def get(call: Call) -> Answer:
    """GET …/plans/{plan}."""
    app, _ = await acting_on(call)
    return json_answer({"plan": wire.plan(await call.services.database.read(app, get_plan, call.params["plan"]))})


async def execute(call: Call) -> Answer:
    """POST …/plans/{plan}/execute: 200, once; 409 when what the plan is about has changed since."""
    app, actor = await acting_on(call)
    body = await call.json(ExecuteBody, optional=True)
    done = await call.services.database.write(app, carry_out, call.params["plan"], By(actor, body.reason))
    return json_answer({"done": wire.done(done)})
