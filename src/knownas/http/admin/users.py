"""A user as auditors ask about her: why she has what she has, and whom she was merged with."""

from knownas.http.admin import wire
from knownas.http.admin.scope import SIZE_AT_MOST, acting_on
from knownas.http.call import Answer, Call, json_answer
from knownas.identities.provenance import Provenance, explain_identities
from knownas.merges import Merge
from knownas.transaction import Transaction
from knownas.users import User
from knownas.users.find import get_user


async def provenance(call: Call) -> Answer:
    """GET …/users/{user}/provenance: each identity with its chain."""
    app, _ = await acting_on(call)
    user, chains = await call.services.database.read(app, _explain, call.params["user"])
    return json_answer({"userId": user.id, "identities": [wire.provenance(one) for one in chains]})


async def merges(call: Call) -> Answer:
    """GET …/users/{user}/merges: the newest hundred, undone ones too."""
    app, _ = await acting_on(call)
    user, found = await call.services.database.read(app, _merges, call.params["user"])
    return json_answer({"userId": user.id, "merges": [wire.merge(one) for one in found]})


async def _explain(tx: Transaction, reference: str) -> tuple[User, list[Provenance]]:
    user = await get_user(tx, reference)
    return user, await explain_identities(tx, user)


async def _merges(tx: Transaction, reference: str) -> tuple[User, list[Merge]]:
    user = await get_user(tx, reference)
    return user, await tx.merges.of_users(await tx.users.members(user), SIZE_AT_MOST)
