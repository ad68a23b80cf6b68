"""R8, R9: a conflict is settled as its preview said, the refused login then succeeds, and undo puts everything back."""

from typing import Any

import msgspec
import pytest

from knownas.audit import Head
from knownas.audit.verify import verify_audit
from knownas.conflicts import EmailContested
from knownas.conflicts.set_policy import PolicyChanges, set_policy
from knownas.conversations import Reference
from knownas.conversations.activity import post_activity
from knownas.conversations.find import get_conversation
from knownas.devices.clients import list_devices
from knownas.errors import DomainError
from knownas.identities.provenance import explain_identities
from knownas.messages.delete import delete_message
from knownas.messages.read import list_messages
from knownas.plans import PlanNotFound, PlanStale, ReasonMissing
from knownas.plans.carry_out import carry_out
from knownas.resolutions import Action, By, CannotResolve, CannotUndo
from knownas.transaction import Transaction
from knownas.users import UserChanges, UserNotFound
from knownas.users.find import get_user
from knownas.users.update import update_user
from tests.given import World, claims, device, numbered_without_gaps, retold, stored
from tests.settling import OPERATOR, act, check_what_always_holds, collide, plan, rows_of
from tests.unit.test_conversations import found, personal, say, seats


@pytest.fixture
def world(world_on_both: World) -> World:
    """All of this holds on both engines."""
    return world_on_both


@pytest.mark.parametrize("action", ["reassign", "move", "merge"])
@pytest.mark.parametrize("known", [False, True])
async def test_the_refused_login_succeeds_and_undo_gives_back_the_rows(
    world: World, action: Action, known: bool
) -> None:
    if known:
        await world.log_in(claims("5678", name="Countess"), device("tablet-5678"))
    case = await collide(world)
    before = rows_of(await world.snapshot())
    if known and action == "reassign":
        with pytest.raises(CannotResolve, match="merge the two, or move"):
            await plan(world, kind="resolve", case_id=case.id, action=action)
        return
    done = await act(world, kind="resolve", case_id=case.id, action=action)
    assert done.resolution is not None
    assert await world.open_cases() == []
    ada = await world.get("1234")
    new = await world.get("5678")
    assert new.id == done.user_id
    assert (new.id == ada.id) == (action != "move")
    owner = await world.owner("email", "ada@example.com")
    assert owner == (new.id if action == "move" else ada.id)
    await act(world, kind="undo", act_id=done.resolution.id)
    assert rows_of(await world.snapshot()) == before
    with pytest.raises(EmailContested):
        await world.log_in(claims("5678", "ada@example.com"), device("tablet-5678"))
    again = await act(world, kind="resolve", case_id=case.id, action=action)
    access = await world.log_in(claims("5678", "ada@example.com"), device("tablet-5678"))
    assert access.user.id == again.user_id
    assert [one.value for one in (await world.get("5678")).identities] == ["ada@example.com"]
    assert (await world.log_in(claims("1234"), device("phone-1234"))).user.id == ada.id, "the former id still resolves"
    assert numbered_without_gaps(await world.snapshot())


async def test_a_dismissed_case_stays_dismissed_and_counts_on(world: World) -> None:
    case = await collide(world)
    done = await act(world, kind="resolve", case_id=case.id, action="dismiss")
    with pytest.raises(EmailContested):
        await world.log_in(claims("5678", "ada@example.com"))
    assert await world.open_cases() == []
    [row] = (await world.snapshot())["conflicts"]
    assert (row["state"], row["count"]) == ("dismissed", 2)
    assert done.resolution is not None
    await act(world, kind="undo", act_id=done.resolution.id)
    assert [one.id for one in await world.open_cases()] == [case.id]


async def test_a_plan_is_done_once_in_time_with_a_reason_and_in_the_world_that_it_was_made_for(world: World) -> None:
    case = await collide(world)
    made = await plan(world, kind="resolve", case_id=case.id, action="move")
    assert "moves from user" in made.preview.does[0]
    with pytest.raises(ReasonMissing):
        await world.do(carry_out, made.id, By("key:operator", "  "))
    await world.log_in(claims("1234", name="Ada King"), device("phone-1234"))
    before = await world.snapshot()
    with pytest.raises(PlanStale):
        await world.do(carry_out, made.id, OPERATOR)
    assert await world.snapshot() == before
    made = await plan(world, kind="resolve", case_id=case.id, action="move")
    await world.do(carry_out, made.id, OPERATOR)
    with pytest.raises(PlanNotFound):
        await world.do(carry_out, made.id, OPERATOR)
    with pytest.raises(CannotResolve, match="resolved already"):
        await plan(world, kind="resolve", case_id=case.id, action="merge")


async def test_two_users_merge_with_all_they_have_and_part_again_exactly(world: World) -> None:
    first = await world.log_in(claims("a", "a@example.com"), device("one"))
    second = await world.log_in(claims("b", "b@example.com"), device("two"))
    await world.do(_describe, "a", {"plan": "gold", "size": 1})
    await world.do(_describe, "b", {"plan": "tin", "shoe": 40})
    before = rows_of(await world.snapshot())
    made = await plan(world, kind="merge", surviving="a", discarded=second.user.id)
    assert [(one.role, one.external_id, one.stays) for one in made.preview.parties] == [
        ("surviving", "a", True),
        ("discarded", "b", False),
    ]
    done = await world.do(carry_out, made.id, OPERATOR)
    one = await world.get("b")
    assert one.id == first.user.id == (await world.get(second.user.id)).id
    assert one.metadata == {"plan": "gold", "size": 1, "shoe": 40}
    assert sorted(identity.value for identity in one.identities) == ["a@example.com", "b@example.com"]
    snapshot = await world.snapshot()
    assert retold(snapshot) == stored(snapshot)
    await act(world, kind="undo", act_id=done.merge_id)
    assert rows_of(await world.snapshot()) == before
    with pytest.raises(CannotUndo, match="undone already"):
        await plan(world, kind="undo", act_id=done.merge_id)


async def test_what_changed_since_a_merge_stays_with_the_survivor(world: World) -> None:
    await world.log_in(claims("a"), device("one"))
    await world.log_in(claims("b"), device("two"))
    await world.do(_describe, "b", {"shoe": 40, "hat": 7})
    done = await act(world, kind="merge", surviving="a", discarded="b")
    await world.do(_describe, "a", {"shoe": 41, "new": True})
    await world.log_in(claims("b"), device("three"))
    await act(world, kind="undo", act_id=done.merge_id)
    assert (await world.get("a")).metadata == {"shoe": 41, "new": True}
    assert (await world.get("b")).metadata == {"shoe": 40, "hat": 7}
    three = await world.device("three")
    assert three is not None
    assert three.user_id == (await world.get("a")).id


async def test_a_chain_of_merges_is_undone_from_its_end(world: World) -> None:
    for who in ("a", "b", "c"):
        await world.log_in(claims(who), device(who))
    before = rows_of(await world.snapshot())
    inner = await act(world, kind="merge", surviving="b", discarded="c")
    outer = await act(world, kind="merge", surviving="a", discarded="b")
    assert (await world.get("c")).id == (await world.get("a")).id
    with pytest.raises(CannotUndo, match="undo that merge first"):
        await plan(world, kind="undo", act_id=inner.merge_id)
    await act(world, kind="undo", act_id=outer.merge_id)
    assert (await world.get("c")).id == (await world.get("b")).id
    await act(world, kind="undo", act_id=inner.merge_id)
    assert rows_of(await world.snapshot()) == before


async def test_who_must_not_become_one_does_not(world: World) -> None:
    await world.log_in(claims("a"), device("one"))
    visitor = await world.visitor()
    for surviving, discarded in (("a", "a"), (visitor.user.id, "a")):
        with pytest.raises(CannotResolve):
            await plan(world, kind="merge", surviving=surviving, discarded=discarded)
    await act(world, kind="merge", surviving="a", discarded=visitor.user.id)
    assert (await world.get(visitor.user.id)).external_id == "a"
    assert await world.sessions_of(visitor.user.id) == 0


async def test_undo_ends_with_the_days_that_the_app_gives_it(world: World) -> None:
    case = await collide(world)
    done = await act(world, kind="resolve", case_id=case.id, action="move")
    world.app = await world.do(set_policy, PolicyChanges(undo_days=1), OPERATOR)
    await world.do(_age, 86_400_001)
    assert done.resolution is not None
    with pytest.raises(CannotUndo, match="1 days"):
        await plan(world, kind="undo", act_id=done.resolution.id)


async def test_a_transfer_of_the_policy_can_be_undone(world: World) -> None:
    ada = await world.log_in(claims("1234", "ada@example.com"), device("phone-1234"))
    world.app = await world.do(set_policy, PolicyChanges(conflict_policy="transfer"), OPERATOR)
    await world.log_in(claims("5678", "ada@example.com"), device("tablet-5678"))
    [row] = (await world.snapshot())["resolutions"]
    await act(world, kind="undo", act_id=row["id"])
    assert await world.owner("email", "ada@example.com") == ada.user.id
    assert (await world.get("1234")).email == "ada@example.com"
    assert (await world.get("5678")).identities == ()


@pytest.mark.parametrize("multi", [False, True])
async def test_a_merge_unites_conversations_and_counts_and_undo_parts_them_exactly(world: World, multi: bool) -> None:
    await world.choose(multiConvoEnabled=multi)
    ada, bob = [(await world.log_in(claims(who), device(f"on-{who}"))).user for who in ("a", "b")]
    hers, his = await personal(world, ada), await personal(world, bob)
    for talk, by_user, by_business in ((hers, 2, 1), (his, 3, 2)):
        for speaker in [ada if talk is hers else bob] * by_user + [None] * by_business:
            await say(world, talk, speaker)
    before = rows_of(await world.snapshot())
    made = await plan(world, kind="merge", surviving="a", discarded="b")
    assert [(one.conversations, one.messages, one.devices) for one in made.preview.parties] == [(1, 3, 1), (1, 5, 1)]
    done = await world.do(carry_out, made.id, OPERATOR)
    await check_what_always_holds(world)
    assert await found(world, Reference(external_id="b")) == ([hers.id, his.id] if multi else [hers.id])
    read = await world.ask(list_messages, his.id)
    assert len(read.rows) == (5 if multi else 8)
    assert [seat.unread_count for seat in await seats(world, hers)] == [1 if multi else 3]
    assert (await world.ask(get_conversation, hers.id)).message_count == (3 if multi else 8)
    assert not (await world.ask(get_conversation, his.id)).is_default or not multi
    assert len(await world.ask_of("a", list_devices)) == 2
    await act(world, kind="undo", act_id=done.merge_id)
    assert rows_of(await world.snapshot()) == before
    await check_what_always_holds(world)


async def test_what_is_said_and_deleted_since_a_merge_leaves_both_counts_right(world: World) -> None:
    """Messages since then stay with the survivor; those that were deleted are missing where they were."""
    ada, bob = [(await world.log_in(claims(who), device(f"on-{who}"))).user for who in ("a", "b")]
    hers, his = await personal(world, ada), await personal(world, bob)
    for _ in range(3):
        await say(world, his)
    done = await act(world, kind="merge", surviving="a", discarded="b")
    first = (await world.ask(list_messages, his.id)).rows[0]
    await world.do(delete_message, hers.id, first.id)
    await say(world, his)
    assert [seat.unread_count for seat in await seats(world, hers)] == [3]
    await act(world, kind="undo", act_id=done.merge_id)
    await check_what_always_holds(world)
    for talk, messages in ((hers, 1), (his, 2)):
        assert (await world.ask(get_conversation, talk.id)).message_count == messages
        assert [seat.unread_count for seat in await seats(world, talk)] == [messages]


async def test_what_is_read_since_a_merge_is_not_taken_off_what_is_unread(world: World) -> None:
    ada, bob = [(await world.log_in(claims(who), device(f"on-{who}"))).user for who in ("a", "b")]
    hers, his = await personal(world, ada), await personal(world, bob)
    for _ in range(2):
        await say(world, his)
    done = await act(world, kind="merge", surviving="a", discarded="b")
    await world.do(post_activity, hers.id, "conversation:read", Reference(ada.id))
    for _ in range(3):
        await say(world, hers)
    await act(world, kind="undo", act_id=done.merge_id)
    assert [seat.unread_count for seat in await seats(world, hers)] == [3]
    assert [seat.unread_count for seat in await seats(world, his)] == [2], "as it was"


async def test_metadata_that_does_not_fit_is_shown_kept_and_given_back(world: World) -> None:
    for who in ("a", "b"):
        await world.log_in(claims(who), device(f"on-{who}"))
        await world.do(_describe, who, {f"{who}{n}": "x" * 900 for n in range(4)})
    before = rows_of(await world.snapshot())
    made = await plan(world, kind="merge", surviving="a", discarded="b")
    assert made.preview.warnings
    assert made.preview.discarded_metadata.keys() <= {f"b{n}" for n in range(4)}
    assert made.preview.discarded_metadata
    done = await world.do(carry_out, made.id, OPERATOR)
    kept = (await world.get("a")).metadata
    assert kept.keys() | made.preview.discarded_metadata.keys() == {f"{who}{n}" for who in "ab" for n in range(4)}
    await act(world, kind="undo", act_id=done.merge_id)
    assert rows_of(await world.snapshot()) == before


async def test_a_customer_who_goes_on_writing_does_not_spoil_her_own_merge(world: World) -> None:
    """Decision 14: numbers that are only shown may grow between the preview and the act."""
    ada, bob = [(await world.log_in(claims(who), device(f"on-{who}"))).user for who in ("a", "b")]
    hers, his = await personal(world, ada), await personal(world, bob)
    made = await plan(world, kind="merge", surviving="a", discarded="b")
    for talk, user in ((hers, ada), (his, bob), (hers, None), (his, None)):
        await say(world, talk, user)
    done = await world.do(carry_out, made.id, OPERATOR)
    assert (await world.ask(get_conversation, hers.id)).message_count == 4
    made = await plan(world, kind="undo", act_id=done.merge_id)
    await say(world, his, ada)
    await world.do(carry_out, made.id, OPERATOR)
    await check_what_always_holds(world)
    assert (await world.ask(get_conversation, hers.id)).message_count == 3


async def test_a_login_of_hers_since_a_merge_leaves_her_device_hers(world: World) -> None:
    """Her external id leads to the survivor while they are one; the device goes back with her all the same."""
    for who in ("a", "b"):
        await world.log_in(claims(who), device(f"on-{who}"))
    done = await act(world, kind="merge", surviving="a", discarded="b")
    await world.log_in(claims("b"), device("on-b"))
    await act(world, kind="undo", act_id=done.merge_id)
    assert [one.guid for one in await world.ask_of("b", list_devices)] == ["on-b"]
    snapshot = await world.snapshot()
    assert retold(snapshot) == stored(snapshot)


async def test_acts_on_one_case_are_undone_from_the_last(world: World) -> None:
    case = await collide(world)
    dismissed = await act(world, kind="resolve", case_id=case.id, action="dismiss")
    moved = await act(world, kind="resolve", case_id=case.id, action="move")
    assert dismissed.resolution is not None
    assert moved.resolution is not None
    with pytest.raises(CannotUndo, match=r"undo that first \(move"):
        await plan(world, kind="undo", act_id=dismissed.resolution.id)
    await act(world, kind="undo", act_id=moved.resolution.id)
    await check_what_always_holds(world)
    await act(world, kind="undo", act_id=dismissed.resolution.id)
    assert [one.id for one in await world.open_cases()] == [case.id]


async def test_an_identity_says_why_it_sits_where_it_sits(world: World) -> None:
    case = await collide(world)
    moved = await act(world, kind="resolve", case_id=case.id, action="move")
    await world.log_in(claims("9", "nine@example.com"), device("nine"))
    merged = await act(world, kind="merge", surviving="9", discarded="5678")
    chains = {(one.type, one.value): one for one in await world.ask_of("9", explain_identities)}
    chain = chains["email", "ada@example.com"]
    assert [step.what for step in chain.steps] == ["asserted", "contested", "asserted", "moved", "merged"]
    assert chain.steps[0].text == "A signed token said so"
    assert chains["external_id", "9"].steps[0].text == "A signed token said so"
    assert chain.steps[1].ref == case.id
    assert moved.resolution is not None
    assert chain.steps[3].ref == moved.resolution.id
    assert OPERATOR.note in chain.steps[3].text
    assert chain.steps[4].ref == merged.merge_id


async def test_the_audit_log_tells_of_each_act_and_notices_a_change(world: World) -> None:
    case = await collide(world)
    await act(world, kind="resolve", case_id=case.id, action="move")
    await act(world, kind="erase", user="5678")
    world.app = await world.do(set_policy, PolicyChanges(conflict_policy="quarantine"), OPERATOR)
    verified = await world.ask(verify_audit)
    assert (verified.entries, verified.broken) == (3, None)
    reasons = [msgspec.json.decode(row["body"]).get("note") for row in (await world.snapshot())["audit_details"]]
    assert reasons == [OPERATOR.note] * 2, "of the erasure and of the policy"
    assert verified.erased_details == 1, "the move's: it named her"
    assert (await world.ask(verify_audit, verified.head)).broken is None
    assert (await world.ask(verify_audit, Head(3, "f" * 64))).broken is not None
    rows = (await world.snapshot())["audit"]
    assert [row["action"] for row in sorted(rows, key=lambda row: int(row["number"]))] == [
        "resolve.move",
        "user.erase",
        "policy.change",
    ]
    for forged in (
        "UPDATE audit SET actor = 'x' WHERE app_id = $1 AND number = 2",
        "DELETE FROM audit WHERE app_id = $1 AND number = 1",
    ):
        await world.do(_forge, forged)
        broken = await world.ask(verify_audit)
        assert broken.broken is not None


async def test_deleting_by_plan_gives_a_receipt(world: World) -> None:
    await world.log_in(claims("1234", "ada@example.com"), device("phone-1234"))
    made = await plan(world, kind="delete", user="1234")
    assert made.preview.removes["devices"] == 1
    done = await world.do(carry_out, made.id, OPERATOR)
    assert done.receipt is not None
    assert done.receipt.removed == {**made.preview.removes, "plans": 1}, "the plan named her too"
    with pytest.raises(UserNotFound):
        await world.get("1234")
    with pytest.raises(DomainError):
        await world.do(carry_out, made.id, OPERATOR)


async def _describe(tx: Transaction, reference: str, metadata: dict[str, Any]) -> None:
    await update_user(tx, await get_user(tx, reference), UserChanges(metadata=metadata))


async def _age(tx: Transaction, milliseconds: int) -> None:
    """Have all resolutions happened so much earlier."""
    tx.unit.hold("UPDATE resolutions SET created_at = created_at - $2 WHERE app_id = $1", milliseconds)  # type: ignore[attr-defined]


async def _forge(tx: Transaction, sql: str) -> None:
    tx.unit.hold(sql)  # type: ignore[attr-defined]


async def test_an_external_id_says_whether_a_token_or_an_operator_brought_it(world: World) -> None:
    case = await collide(world)
    done = await act(world, kind="resolve", case_id=case.id, action="reassign")
    chains = {one.value: one.steps for one in await world.ask_of("5678", explain_identities)}
    assert [step.text for step in chains["1234"]] == ["A signed token said so"]
    assert [step.what for step in chains["5678"]] == ["asserted", "reassigned"]
    assert done.resolution is not None
    assert (chains["5678"][1].by, chains["5678"][1].ref) == (OPERATOR.actor, done.resolution.id)
    taken_back = await plan(world, kind="undo", act_id=done.resolution.id)
    assert "has external id 1234 again" in taken_back.preview.does[0]
