"""Plans: show what an act will do, then do exactly that."""

from typing import Annotated, Final, Literal, cast

from msgspec import Meta, Struct

from knownas import documents
from knownas.http.admin.scope import acting_on
from knownas.http.call import Answer, Call, json_answer
from knownas.plans import PlanRequest
from knownas.plans.carry_out import carry_out
from knownas.plans.find import get_plan
from knownas.plans.make import make_plan
from knownas.resolutions import By

Reference = Annotated[str, Meta(min_length=1)]


class ResolveBody(Struct, rename="camel", forbid_unknown_fields=True, tag_field="kind", tag="resolve"):
    """Settle a conflict."""

    conflict_id: Reference
    action: Literal["reassign", "move", "merge", "dismiss"]

    def request(self) -> PlanRequest:
        """The same in the core's words."""
        return PlanRequest("resolve", case_id=self.conflict_id, action=self.action)


class MergeBody(Struct, rename="camel", forbid_unknown_fields=True, tag_field="kind", tag="merge"):
    """Make two users one. Ids or external ids."""

    surviving: Reference
    discarded: Reference

    def request(self) -> PlanRequest:
        """The same in the core's words."""
        return PlanRequest("merge", surviving=self.surviving, discarded=self.discarded)


class UndoBody(Struct, rename="camel", forbid_unknown_fields=True, tag_field="kind", tag="undo"):
    """Take a merge or a resolution back."""

    act_id: Reference

    def request(self) -> PlanRequest:
        """The same in the core's words."""
        return PlanRequest("undo", act_id=self.act_id)


class EraseBody(Struct, rename="camel", forbid_unknown_fields=True, tag_field="kind", tag="erase"):
    """Erase what is personal about a user. An id or an external id."""

    user: Reference

    def request(self) -> PlanRequest:
        """The same in the core's words."""
        return PlanRequest("erase", user=self.user)


class DeleteBody(Struct, rename="camel", forbid_unknown_fields=True, tag_field="kind", tag="delete"):
    """Remove a user and all that was said. An id or an external id."""

    user: Reference

    def request(self) -> PlanRequest:
        """The same in the core's words."""
        return PlanRequest("delete", user=self.user)


PlanBody = ResolveBody | MergeBody | UndoBody | EraseBody | DeleteBody
_PLAN_BODY: Final = cast("type[PlanBody]", PlanBody)  # a decoder takes unions, which mypy does not count as types


class ExecuteBody(Struct, rename="camel", forbid_unknown_fields=True):
    """Why it is done."""

    reason: str = ""


async def create(call: Call) -> Answer:
    """POST …/plans: 201 and the preview; nothing is done yet."""
    app, actor = await acting_on(call)
    body = await call.json(_PLAN_BODY)
    plan = await call.services.database.write(app, make_plan, body.request(), actor)
    return json_answer({"plan": documents.plan(plan)}, 201)


async def get(call: Call) -> Answer:
    """GET …/plans/{plan}."""
    app, _ = await acting_on(call)
    return json_answer({"plan": documents.plan(await call.services.database.read(app, get_plan, call.params["plan"]))})


async def execute(call: Call) -> Answer:
    """POST …/plans/{plan}/execute: 200, once; 409 when what the plan is about has changed since."""
    app, actor = await acting_on(call)
    body = await call.json(ExecuteBody, optional=True)
    done = await call.services.database.write(app, carry_out, call.params["plan"], By(actor, body.reason))
    return json_answer({"done": documents.done(done)})
