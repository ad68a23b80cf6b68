"""What attackers do to accounts before and around their owners' arrival, each as a story that must come to nothing.

The first five are the pre-hijacking attacks of Sudhodanan and Paverd (USENIX Security 2022); the others are holes that
linking had elsewhere: chatwoot#14935, keycloak#53041, keycloak#49175.
"""

import pytest

from knownas.conflicts import EmailContested
from knownas.errors import DomainError
from knownas.plans import PlanNotFound, PlanRequest, PlanStale
from knownas.plans.carry_out import carry_out
from knownas.plans.make import make_plan
from knownas.sessions import InvalidSession
from knownas.sessions.reach import reach
from tests.given import BY, World, claims, device, proof

VICTIM = "victim@example.com"


async def test_whoever_typed_the_address_first_gets_nothing_of_its_owner(world: World) -> None:
    """Classic-federated merge: the attacker waits under the victim's address; the victim arrives with a signed one."""
    attacker = await world.visitor(theirs := device(), email=VICTIM)
    victim = await world.log_in(claims("victim", VICTIM), device())
    assert victim.user.id != attacker.user.id
    assert (await world.ask(reach, proof(attacker), attacker.user.id)).anonymous
    assert {one.guid for one in victim.devices}.isdisjoint({theirs.guid})
    assert await world.owner("email", VICTIM) == victim.user.id


@pytest.mark.parametrize("known", [False, True])
async def test_a_session_from_before_the_login_is_dead_after_it(world: World, known: bool) -> None:
    """Unexpired session: by promotion or by merge, what let the visitor in lets nobody in any more."""
    if known:
        await world.log_in(claims("victim", VICTIM), device())
    visitor = await world.visitor(phone := device())
    await world.log_in(claims("victim", VICTIM), phone, visitor)
    assert await world.sessions_of(visitor.user.id) == 0
    with pytest.raises(InvalidSession):
        await world.ask(reach, proof(visitor), visitor.user.id)
    again = await world.log_in(claims("someone"), device(), proof(visitor))
    assert again.user.id not in await world.members("victim")


async def test_what_was_added_to_a_record_beforehand_opens_nothing(world: World) -> None:
    """Trojan identifier: a second address that the attacker typed, or her device, gives no way in."""
    attacker = await world.visitor(theirs := device(), email="attacker@example.com")
    await world.has_identity(attacker.user, "email", VICTIM, owned=False)
    victim = await world.log_in(claims("victim", VICTIM), device())
    assert await world.owner("email", VICTIM) == victim.user.id
    assert [one.user_id for one in (await world.get(attacker.user.id)).identities] == []
    on_it = await world.log_in(claims("attacker"), theirs)
    assert on_it.user.id != victim.user.id


async def test_a_decision_from_before_the_owner_changed_is_not_carried_out(world: World) -> None:
    """Unexpired e-mail change: what was pending when the address changed hands is refused."""
    await world.log_in(claims("old", VICTIM), device())
    with pytest.raises(EmailContested):
        await world.log_in(claims("attacker", VICTIM), device())
    [case] = await world.open_cases()
    request = PlanRequest("resolve", case_id=case.id, action="move")
    pending = await world.do(make_plan, request, BY.actor)
    await world.choose(conflictPolicy="transfer")
    victim = await world.log_in(claims("victim", VICTIM), device())
    with pytest.raises(PlanStale):
        await world.do(carry_out, pending.id, BY)
    assert await world.owner("email", VICTIM) == victim.user.id


async def test_an_address_that_nobody_checked_is_a_label(world: World) -> None:
    """Non-verifying provider: without `email_verified` equal to true an address owns, contests and selects nothing."""
    attacker = await world.log_in(claims("attacker", VICTIM, verified=False), device())
    assert await world.owner("email", VICTIM) is None
    victim = await world.log_in(claims("victim", VICTIM), device())
    assert victim.user.id != attacker.user.id
    later = await world.log_in(claims("attacker", VICTIM, verified=False), device())
    assert later.user.id == attacker.user.id
    assert await world.owner("email", VICTIM) == victim.user.id
    assert await world.open_cases() == []


@pytest.mark.parametrize("email", [None, ""])
async def test_a_claim_that_is_absent_or_empty_finds_nobody(world: World, email: str | None) -> None:
    """chatwoot#14935: whoever says nothing of an address is not taken for somebody who has one, or has none."""
    await world.log_in(claims("victim", VICTIM), device())
    nameless = await world.log_in(claims("nameless"), device())
    found = await world.log_in(claims("other", email), device())
    assert found.user.id not in (nameless.user.id, *(await world.members("victim")))
    visitor = await world.visitor(email=email) if email else await world.visitor()
    assert visitor.user.id not in await world.members("victim")


async def test_a_squatter_loses_the_address_and_all_that_came_with_it(world: World) -> None:
    """keycloak#53041: the owner's arrival takes the address; the record of whoever claimed it is not linked to it."""
    squatter = await world.visitor(email=VICTIM)
    await world.has_identity(squatter.user, "email", VICTIM, owned=False)
    owner = await world.log_in(claims("owner", VICTIM), device())
    assert await world.members("owner") == [owner.user.id]
    emails = [row for row in (await world.snapshot())["identities"] if row["type"] == "email"]
    assert [(row["user_id"], row["owned"]) for row in emails] == [(owner.user.id, 1)]


async def test_a_plan_is_good_for_one_act_in_one_app_once(world: World) -> None:
    """keycloak#49175: a proof that is not bound to what it proves can be spent on something else."""
    await world.log_in(claims("1234", VICTIM), device())
    with pytest.raises(EmailContested):
        await world.log_in(claims("5678", VICTIM), device())
    [case] = await world.open_cases()
    plan = await world.do(make_plan, PlanRequest("resolve", case_id=case.id, action="reassign"), BY.actor)
    elsewhere = await world.another_app()
    with pytest.raises(PlanNotFound):
        await elsewhere.do(carry_out, plan.id, BY)
    with pytest.raises(DomainError):
        await elsewhere.do(make_plan, PlanRequest("resolve", case_id=case.id, action="reassign"), BY.actor)
    await world.do(carry_out, plan.id, BY)
    with pytest.raises(PlanNotFound):
        await world.do(carry_out, plan.id, BY)
