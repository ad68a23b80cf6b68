"""R7: what a contested e-mail does to a login, by the app's policy; whatever it is, there is one case and an event."""

from contextlib import suppress

import pytest

from knownas.apps import ConflictPolicy
from knownas.conflicts import Case, EmailContested, Evidence, RequestInfo
from knownas.sessions.log_in import log_in
from knownas.transaction import Transaction
from tests.garbage import left_behind
from tests.given import World, claims, device

SOMEWHERE = RequestInfo(address="192.0.2.7", user_agent="Browser/1")


@pytest.fixture
def world(world_on_both: World) -> World:
    """All of this holds on both engines."""
    return world_on_both


async def evidence_of(world: World, case: Case) -> list[Evidence]:
    async def evidence(tx: Transaction) -> list[Evidence]:
        return await tx.conflicts.evidence(case.id)

    return await world.ask(evidence)


async def only_case(world: World) -> Case:
    async def page(tx: Transaction) -> list[Case]:
        return await tx.conflicts.page(None, after=None, before=None, limit=2)

    [case] = await world.ask(page)
    return case


@pytest.mark.parametrize("policy", ["quarantine", "transfer"])
async def test_a_login_succeeds_under_its_external_id(world: World, policy: ConflictPolicy) -> None:
    ada = await world.log_in(claims("1234", "ada@example.com"), device())
    await world.choose(conflictPolicy=policy)
    access = await world.log_in(claims("5678", "Ada@example.com", name="Ada"), device())
    assert access.created
    assert access.user.external_id == "5678"
    assert access.user.given_name == "Ada"
    assert access.user.id != ada.user.id
    case = await only_case(world)
    assert (case.owner_id, case.claimant, case.claimant_id) == (ada.user.id, "5678", access.user.id)
    assert case.value == "Ada@example.com"


async def test_quarantine_leaves_the_email_with_its_owner(world: World) -> None:
    ada = await world.log_in(claims("1234", "ada@example.com"), device())
    await world.choose(conflictPolicy="quarantine")
    phone = device()
    accesses = [await world.log_in(claims("5678", "ada@example.com"), phone) for _ in range(3)]
    assert [access.user.identities for access in accesses] == [()] * 3
    assert [one.guid for one in accesses[-1].devices] == [phone.guid]
    assert await world.owner("email", "ada@example.com") == ada.user.id
    case = await only_case(world)
    assert (case.state, case.count, case.outcome) == ("open", 3, "quarantined")


async def test_transfer_gives_the_email_to_the_newest_assertion_and_back(world: World) -> None:
    ada = await world.log_in(claims("1234", "ada@example.com"), device())
    await world.choose(conflictPolicy="transfer")
    new = await world.log_in(claims("5678", "ada@example.com"), device())
    assert await world.owner("email", "ada@example.com") == new.user.id
    assert [identity.value for identity in (await world.get("5678")).identities] == ["ada@example.com"]
    former = await world.get("1234")
    assert former.identities == ()
    assert former.email is None, "the label goes with the identity"
    assert (await only_case(world)).state == "resolved"
    await world.log_in(claims("1234", "ada@example.com"), device())
    assert await world.owner("email", "ada@example.com") == ada.user.id
    resolutions = (await world.snapshot())["resolutions"]
    assert sorted((row["action"], row["actor"], row["claimant"]) for row in resolutions) == [
        ("transfer", "policy:transfer", "1234"),
        ("transfer", "policy:transfer", "5678"),
    ]


async def test_a_promoted_visitor_keeps_her_history_under_every_policy(world: World) -> None:
    await world.log_in(claims("1234", "ada@example.com"), device())
    promoted = []
    for policy, external_id in (("quarantine", "b"), ("transfer", "c")):
        await world.choose(conflictPolicy=policy)
        visitor = await world.visitor(phone := device(), metadata={"cart": 1})
        access = await world.log_in(claims(external_id, "ada@example.com"), phone, visitor)
        assert access.user.id == visitor.user.id
        assert access.user.metadata == {"cart": 1}
        promoted.append(access.user.id)
    assert await world.owner("email", "ada@example.com") == promoted[-1]


async def test_ten_thousand_repeats_are_one_case_with_the_first_and_the_latest_attempts(world: World) -> None:
    await world.log_in(claims("1234", "ada@example.com"))
    for number in range(1, 101):
        seen = RequestInfo(address=f"192.0.2.{number}")
        with pytest.raises(EmailContested):
            await world.do(_log_in_from, seen)

    async def count_up(tx: Transaction) -> None:
        [case] = await tx.conflicts.open()
        tx.conflicts.change(case, count=9_999)

    await world.do(count_up)
    with pytest.raises(EmailContested):
        await world.do(_log_in_from, SOMEWHERE)
    case = await only_case(world)
    assert case.count == 10_000
    kept = await evidence_of(world, case)
    assert [one.number for one in kept][:10] == list(range(1, 11))
    assert len(kept) == 30
    assert kept[-1].number == 10_000
    assert kept[-1].info == SOMEWHERE
    assert kept[0].info.address == "192.0.2.1"


@pytest.mark.parametrize("claimant", ["x" * 255, "漢" * 200])
async def test_the_case_of_a_long_external_id_is_found_again(world: World, claimant: str) -> None:
    """An external id of more than 512 bytes has another key than itself."""
    await world.log_in(claims("1234", "ada@example.com"))
    for _ in range(3):
        with pytest.raises(EmailContested):
            await world.log_in(claims(claimant, "ada@example.com"))
    assert (await only_case(world)).count == 3


async def test_a_shadow_policy_only_says_what_it_would_have_done(world: World) -> None:
    ada = await world.log_in(claims("1234", "ada@example.com"))
    await world.choose(shadowPolicy="transfer")
    for who in ("b", "c"):
        with pytest.raises(EmailContested):
            await world.log_in(claims(who, "ada@example.com"))
    with pytest.raises(EmailContested):
        await world.log_in(claims("c", "ada@example.com"))
    assert await world.owner("email", "ada@example.com") == ada.user.id

    async def report(tx: Transaction) -> list[tuple[str, str, int, int, int]]:
        return [
            (one.outcome, one.shadow_outcome, one.cases, one.attempts, len(one.examples))
            for one in await tx.conflicts.shadow("transfer")
        ]

    assert await world.ask(report) == [("refused", "transferred", 2, 3, 2)]


async def test_the_event_has_both_sides_as_of_the_moment(world: World) -> None:
    """R12: existing is the owner, requested the claimant with the change; info what is known of the request."""
    ada = await world.log_in(claims("1234", "ada@example.com", name="Ada Lovelace"))
    with pytest.raises(EmailContested):
        await world.do(_log_in_from, SOMEWHERE)
    bob = await world.log_in(claims("bob", "bob@example.com"))
    with pytest.raises(EmailContested):
        await world.log_in(claims("bob", "ada@example.com", name="Bob"))
    first, second = await world.open_cases()
    [create] = await world.events(first.id)
    [update] = await world.events(second.id)
    assert create["existing"]["id"] == ada.user.id
    assert create["existing"]["identities"][0]["value"] == "ada@example.com"
    assert (create["requested"]["external_id"], create["claimant_id"]) == ("5678", None)
    assert create["requested"]["identities"][0]["value"] == "ada@example.com"
    assert create["info"] == {"address": "192.0.2.7", "user_agent": "Browser/1"}
    assert create["duplicates"] == [{"type": "email", "value": "ada@example.com"}]
    assert update["claimant_id"] == update["requested"]["id"] == bob.user.id
    assert update["requested"]["given_name"] == "Bob"
    assert sorted(one["value"] for one in update["requested"]["identities"]) == ["ada@example.com", "bob@example.com"]


async def _log_in_from(tx: Transaction, seen: RequestInfo) -> None:
    await log_in(tx, claims("5678", "ada@example.com"), None, None, request=lambda: seen)


async def test_a_refusal_leaves_nothing_for_the_garbage_collector(world: World) -> None:
    """An exception that is in a circle with its frames keeps all that they hold, until everything stops for a while."""
    await world.log_in(claims("1234", "ada@example.com"))

    async def refused(number: int) -> None:
        with suppress(EmailContested):
            await world.log_in(claims(f"x{number}", "ada@example.com"), device(f"phone-{number}"))

    assert await left_behind(refused, 20) < 20
