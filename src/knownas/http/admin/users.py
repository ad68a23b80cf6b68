"""A user as auditors ask about her: why she has what she has, and whom she was merged with."""

from typing import Final

from knownas import documents
from knownas.http.admin.scope import acting_on, after_of, number_of, size_of
from knownas.http.call import Answer, Call, json_answer
from knownas.identities.provenance import explain_user
from knownas.merges.find import list_merges

IDENTITIES_AT_MOST: Final = 10**6


async def provenance(call: Call) -> Answer:
    """GET …/users/{user}/provenance?after=&limit=: each identity with its chain, in the order in which she got them."""
    app, _ = await acting_on(call, "after", "limit")
    after, size = number_of(call, "after", 0, 0, IDENTITIES_AT_MOST), size_of(call)
    user, chains = await call.services.database.read(app, explain_user, call.params["user"], after, size + 1)
    shown = [documents.provenance(one) | {"number": after + place} for place, one in enumerate(chains, 1)]
    return json_answer({"userId": user.id} | documents.page("identities", shown, size, after, place="number"))


async def merges(call: Call) -> Answer:
    """GET …/users/{user}/merges?after=&limit=: oldest first, undone ones too."""
    app, _ = await acting_on(call, "after", "limit")
    after, size = after_of(call), size_of(call)
    user, found = await call.services.database.read(app, list_merges, call.params["user"], after, size + 1)
    return json_answer(
        {"userId": user.id} | documents.page("merges", [documents.merge(one) for one in found], size, after)
    )
