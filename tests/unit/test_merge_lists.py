"""A user's merges are found through all of her ids, in pages, however many ids there are."""

import pytest

from knownas.merges.find import list_merges
from knownas.plans import PlanRequest
from knownas.plans.carry_out import carry_out
from knownas.plans.make import make_plan
from knownas.storage import parameters
from tests.given import BY, World


async def test_pages_are_the_same_however_many_ids_one_statement_takes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.user("ada")
    for number in range(7):
        await world.user(f"user-{number}")
        plan = await world.do(make_plan, PlanRequest("merge", surviving="ada", discarded=f"user-{number}"), BY.actor)
        await world.do(carry_out, plan.id, BY)
    _, whole = await world.ask(list_merges, "ada", None, 100)
    assert len(whole) == 7
    for at_once in (1, 2, 3, 100):
        monkeypatch.setattr(parameters, "IDS_AT_ONCE", at_once)
        for size in (1, 3, 7):
            walked: list[str] = []
            while True:
                _, page = await world.ask(list_merges, "ada", walked[-1] if walked else None, size)
                if not page:
                    break
                assert len(page) <= size
                walked += [one.id for one in page]
            assert walked == [one.id for one in whole]
