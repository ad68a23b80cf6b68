"""The app's policy for contested identities, and what another one would have done."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from knownas import documents
from knownas.apps import ConflictPolicy
from knownas.conflicts import ShadowCount
from knownas.conflicts.set_policy import PolicyChanges, set_policy
from knownas.http.admin.scope import acting_on
from knownas.http.call import Answer, Call, json_answer
from knownas.plans import NOTE_AT_MOST
from knownas.resolutions import By
from knownas.transaction import Transaction


class PolicyBody(Struct, rename="camel", forbid_unknown_fields=True):
    """What to change; what is absent stays."""

    conflict_policy: ConflictPolicy | UnsetType = UNSET
    shadow_policy: ConflictPolicy | None | UnsetType = UNSET
    undo_days: int | UnsetType = UNSET
    reason: Annotated[str, Meta(max_length=NOTE_AT_MOST)] = ""


async def get(call: Call) -> Answer:
    """GET …/policy."""
    app, _ = await acting_on(call)
    return json_answer({"policy": documents.policy(app)})


async def update(call: Call) -> Answer:
    """PATCH …/policy: from now on, on every node within a second."""
    app, actor = await acting_on(call)
    body = await call.json(PolicyBody)
    changes = PolicyChanges(body.conflict_policy, body.shadow_policy, body.undo_days)
    changed = await call.services.database.write(app, set_policy, changes, By(actor, body.reason))
    return json_answer({"policy": documents.policy(changed)})


async def shadow(call: Call) -> Answer:
    """GET …/policy/shadow: an empty list where no shadow policy is set."""
    app, _ = await acting_on(call)
    policy = app.settings.shadow_policy
    counts = await call.services.database.read(app, _shadow, policy) if policy else []
    return json_answer({"shadowPolicy": policy, "counts": [documents.shadow(count) for count in counts]})


async def _shadow(tx: Transaction, policy: ConflictPolicy) -> list[ShadowCount]:
    return await tx.conflicts.shadow(policy)
