"""Acts that others overtake (R8, R9): it is as if one had come after the other, and never a mixture of both."""

import asyncio
import itertools
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, NamedTuple

import msgspec
import pytest

from knownas.conflicts.set_policy import PolicyChanges, set_policy
from knownas.conversations import Reference
from knownas.conversations.activity import post_activity
from knownas.messages import Author
from knownas.messages.delete import delete_all_messages, delete_message
from knownas.messages.draft import Draft
from knownas.messages.post import post_message
from knownas.messages.read import list_messages
from knownas.plans import Done, PlanRequest
from knownas.plans.carry_out import carry_out
from knownas.plans.make import make_plan
from knownas.resolutions import Action
from knownas.sessions.log_in import log_in
from knownas.transaction import Transaction
from knownas.users import UserChanges
from knownas.users.delete import delete_user, erase_personal_information
from knownas.users.update import update_user
from tests.contract.test_storage import all_at_once, on_user, outcomes
from tests.given import BY, Snapshot, World, beside, claims, device, proof
from tests.settling import OPERATOR, act, check_what_always_holds, collide, plan, survivor_of
from tests.unit.test_conversations import HELLO, personal, say, seats

EMAIL = "ada@example.com"
Call = tuple[Any, ...]
"""A verb and its arguments."""


class Scene(NamedTuple):
    """Ada (1234) owns the e-mail that 5678 claims; who is there has talked, and a visitor stands by."""

    app: World
    act: Call
    talks: dict[str, str]
    case_id: str
    visitor: Any


def of_plan(made: Any) -> Call:
    return (carry_out, made.id, OPERATOR)


async def set_up(world: World, what: str) -> Scene:
    app = await world.another_app()
    alone = what.removeprefix("undo ") == "go on"  # only the claimant has talked
    known = what not in ("reassign", "undo reassign", "add", "undo add")
    await app.log_in(claims("1234", EMAIL, name="Ada"), device("phone-1234"))
    if known:
        await app.log_in(claims("5678", "eve@example.com", name="Eve"), device("tablet-5678"))
    case = await collide(app)
    talks = {}
    for who in ("1234", "5678") if known else ("1234",):
        user = await app.get(who)
        await app.do(on_user, who, update_user, UserChanges(metadata={f"of-{who}": 1}))
        if alone and who == "1234":
            continue
        talk = await personal(app, user)
        for speaker in (user, None, None):
            await say(app, talk, speaker)
        talks[who] = talk.id
    for who in ("1234", "5678"):
        talks.setdefault(who, next(iter(talks.values())))
    action = {"join": "merge", "add": "merge"}.get(what.removeprefix("undo "), what.removeprefix("undo "))
    request: dict[str, Any] = (
        {"kind": "merge", "surviving": "1234", "discarded": "5678"}
        if action in ("unite", "go on")
        else {"kind": "resolve", "case_id": case.id, "action": action}
    )
    if what.startswith("undo"):
        done = await act(app, **request)
        if alone:
            for by in (Author("user", (await app.get("1234")).id), Author("business")):
                await app.do(post_message, talks["5678"], Draft(by, HELLO))
        request = {"kind": "undo", "act_id": done.resolution.id if done.resolution else done.merge_id}
    visitor = await app.visitor(device("kiosk"), metadata={"cart": 1})
    await say(app, await personal(app, visitor.user), visitor.user)
    return Scene(app, of_plan(await plan(app, **request)), talks, case.id, visitor)


async def same_case(scene: Scene, action: Action) -> Call:
    """Another operator's plan, or one that cannot be made here."""
    request = PlanRequest("resolve", case_id=scene.case_id, action=action)
    [made] = await all_at_once(scene.app.do(make_plan, request, OPERATOR.actor))
    return (carry_out, getattr(made, "id", "0" * 24), OPERATOR)


async def first_message(scene: Scene) -> Call:
    listed = await scene.app.ask(list_messages, scene.talks["5678"])
    return (delete_message, scene.talks["5678"], listed.rows[1].id)


def said(scene: Scene, who: str, author: Author) -> Call:
    return (post_message, scene.talks[who], Draft(author, HELLO), f"key-{author.type}")


ACTS = (
    "unite", "undo unite", "join", "undo join", "move", "undo move", "reassign", "undo reassign", "add", "undo add",
    "dismiss", "go on", "undo go on",
)  # fmt: skip
OTHERS: dict[str, Callable[[Scene], Call | Awaitable[Call]]] = {
    "the owner logs in": lambda _: (log_in, claims("1234"), device("new"), None),
    "the claimant logs in": lambda _: (log_in, claims("5678"), device("new"), None),
    "the claimant asks again": lambda _: (log_in, claims("5678", EMAIL), device("new"), None),
    "somebody else asks": lambda _: (log_in, claims("9999", EMAIL), device("new"), None),
    "the owner asserts it": lambda _: (log_in, claims("1234", EMAIL, name="Countess"), device("phone-1234"), None),
    "a visitor turns out to be her": lambda s: (log_in, claims("5678"), device("kiosk"), proof(s.visitor)),
    "the business writes to her": lambda s: said(s, "1234", Author("business")),
    "the business writes to the claimant": lambda s: said(s, "5678", Author("business")),
    "she writes": lambda s: (on_user, "1234", _says, s.talks["1234"]),
    "the claimant writes": lambda s: (_writes, "5678", s.talks["5678"]),
    "she reads": lambda s: (post_activity, s.talks["1234"], "conversation:read", Reference(external_id="1234")),
    "a message is deleted": first_message,
    "all is deleted": lambda s: (delete_all_messages, s.talks["5678"]),
    "she is described": lambda _: (on_user, "1234", update_user, UserChanges(metadata={"of-5678": 2, "hat": 7})),
    "the claimant is described": lambda _: (on_user, "5678", update_user, UserChanges(given_name="Eva")),
    "she is deleted": lambda _: (on_user, "1234", delete_user, BY),
    "the claimant is deleted": lambda _: (on_user, "5678", delete_user, BY),
    "she is erased": lambda _: (on_user, "1234", erase_personal_information, BY),
    "another operator moves": lambda s: same_case(s, "move"),
    "another operator merges": lambda s: same_case(s, "merge"),
    "another operator dismisses": lambda s: same_case(s, "dismiss"),
}


async def _says(tx: Transaction, user: Any, talk: str) -> Any:
    return await post_message(tx, talk, Draft(Author("user", user.id), HELLO))


async def _writes(tx: Transaction, external_id: str, talk: str) -> Any:
    return await post_message(tx, talk, Draft(Author("user"), HELLO, external_id=external_id))


async def other_of(scene: Scene, name: str) -> Call:
    made = OTHERS[name](scene)
    return made if isinstance(made, tuple) else await made


def seen(snapshot: Snapshot) -> dict[str, Any]:
    """What anybody can tell of an app, without ids and times: equal for worlds in which the same has happened."""
    users = {row["id"]: row for row in snapshot["users"]}
    talks = {row["id"]: row for row in snapshot["conversations"]}

    def of(user_id: str) -> list[Any]:
        def hers(table: str) -> list[Any]:
            return [row for row in snapshot[table] if survivor_of(users, row["user_id"]) == user_id]

        def talk(id: str) -> list[Any]:
            said = [row for row in snapshot["messages"] if survivor_of(talks, row["conversation_id"]) == id]
            seat = [row["unread_count"] for row in snapshot["participants"] if row["conversation_id"] == id]
            authors = sorted(survivor_of(users, row["author_id"]) == user_id for row in said if row["author_id"])
            return [talks[id]["message_count"], talks[id]["default_of"] is not None, len(said), seat, authors]

        mine = {row["conversation_id"] for row in hers("participants")}
        row = users[user_id]
        return [
            row["external_id"], row["given_name"], row["email"], msgspec.json.decode(row["metadata"]),
            row["authenticated"], row["absorbed"],
            sorted((one["type"], one["value"], one["verification"]) for one in hers("identities")),
            sorted((one["guid"], one["status"]) for one in hers("devices")),
            sorted(talk(id) for id in mine if talks[id]["merged_into"] is None),
            len(hers("sessions")),
        ]  # fmt: skip

    # What an erasure takes of others depends on the second in which it was said (erasures.CLOCKS_APART_MS).
    dated = {} if snapshot["erasures"] else {
        "cases": sorted((row["claimant"], row["state"], row["count"]) for row in snapshot["conflicts"]),
        "acts": sorted((row["action"], row["undone_at"] is not None) for row in snapshot["resolutions"]),
        "events": Counter(row["type"] for row in snapshot["events"]),
    }  # fmt: skip
    return dated | {
        "users": sorted((of(id) for id, row in users.items() if row["merged_into"] is None), key=repr),
        "merges": sorted((row["reason"], row["undone_at"] is not None) for row in snapshot["merges"]),
        "audit": sorted(row["action"] for row in snapshot["audit"]),
        "plans": len(snapshot["plans"]),
    }


async def ended(scene: Scene, mine: Any, others: Any) -> tuple[str, str, dict[str, Any]]:
    """What both were answered, and what the world is like then."""
    await check_what_always_holds(scene.app)
    answers = [type(answer).__name__.replace("PlanNotFound", "PlanStale") for answer in (mine, others)]
    return answers[0], answers[1], seen(await scene.app.snapshot())


class Interrupted:
    """Reads of a verb, between two of which something else happens whole (Reads)."""

    engine = "postgresql"

    def __init__(self, reads: Any, after: int, happens: Callable[[], Awaitable[None]]) -> None:
        self._reads = reads
        self._left = after
        self._happens = happens

    async def row(self, sql: str, *params: Any) -> Any:
        await self._count()
        return await self._reads.row(sql, *params)

    async def rows(self, sql: str, *params: Any) -> Any:
        await self._count()
        return await self._reads.rows(sql, *params)

    async def _count(self) -> None:
        if self._left == 0:
            await self._happens()
        self._left -= 1


async def race(scene: Scene, slow: Call, fast: Call, after: int | None) -> tuple[Any, Any] | None:
    """Have `fast` happen whole after so many reads of `slow`, or (None) before it writes; None where it has fewer."""
    between: list[Any] = []
    began = False

    async def happens() -> None:
        between.extend(await all_at_once(scene.app.do(*fast)))

    async def overtaken(tx: Any) -> Any:
        nonlocal began
        if began:
            return await slow[0](tx, *slow[1:])
        began = True
        if after is not None:
            tx.unit._engine = Interrupted(tx.unit._engine, after, happens)
        answer = await slow[0](tx, *slow[1:])
        if after is None:
            await happens()
        return answer

    [answer] = await all_at_once(scene.app.do(overtaken))
    return (answer, between[0]) if between else None


async def one_after_the_other(world: World, what: str, name: str) -> list[tuple[str, str, dict[str, Any]]]:
    """How it ends when the act comes first, and when it comes second."""
    ends = []
    for act_first in (True, False):
        scene = await set_up(world, what)
        other = await other_of(scene, name)
        calls = (scene.act, other) if act_first else (other, scene.act)
        answers = [(await all_at_once(scene.app.do(*call)))[0] for call in calls]
        ends.append(await ended(scene, *(answers if act_first else answers[::-1])))
    return ends


EXPLORE = os.environ.get("HYPOTHESIS_PROFILE") == "explore"
"""Race each act with each of the others, interrupted after each read: that takes many minutes."""

DELICATE = {
    "undo unite": ("a visitor turns out to be her", "the claimant is described", "the claimant is deleted"),
    "undo join": ("all is deleted", "the claimant asks again", "the claimant writes"),
    "join": ("the claimant asks again", "the claimant is deleted", "the claimant writes"),
    "move": ("the claimant asks again", "somebody else asks"),
    "reassign": ("the claimant asks again", "the claimant logs in"),
    "undo move": ("the claimant logs in",),
    "go on": ("the business writes to the claimant", "the claimant writes"),
    "undo go on": (
        "the business writes to the claimant",
        "the claimant writes",
        "she reads",
        "a message is deleted",
        "all is deleted",
    ),
}
"""What goes wrong if what was read first is believed of what was read last."""


@pytest.mark.parametrize("what", ACTS)
async def test_an_act_and_whatever_happens_meanwhile_are_one_after_the_other(
    world_on_postgres: World, what: str
) -> None:
    """Only there do units overlap: whichever one comes between the other's reads and writes."""
    world = world_on_postgres
    for number, name in enumerate(OTHERS):
        delicate = name in DELICATE.get(what, ())
        if not (EXPLORE or delicate or (number + ACTS.index(what)) % 3 == 0):
            continue
        serial = await one_after_the_other(world, what, name)
        for act_is_slow in (True, False):
            for after in itertools.chain([None], itertools.count(1) if EXPLORE or delicate else ()):
                scene = await set_up(world, what)
                other = await other_of(scene, name)
                calls = (scene.act, other) if act_is_slow else (other, scene.act)
                answers = await race(scene, *calls, after)
                if answers is None and after is not None:
                    break
                if answers is None:
                    continue
                end = await ended(scene, *(answers if act_is_slow else answers[::-1]))
                which = f"{what}, {name}: {'the act' if act_is_slow else 'the other'} overtaken after read {after}"
                assert end in serial, which


# Many at once, on both engines.

REFUSED = {"PlanNotFound", "PlanStale"}


async def at_once(app: World, *plans: Any) -> list[Any]:
    """Each of these plans carried out by somebody, all at the same moment."""
    return await all_at_once(*(app.do(*of_plan(made)) for made in plans))


def one_did(results: list[Any]) -> Done:
    """What the only one who did it answered; the others were refused."""
    done = [result for result in results if isinstance(result, Done)]
    assert len(done) == 1, outcomes(results)
    assert set(outcomes(results)) <= {"Done"} | REFUSED, outcomes(results)
    return done[0]


async def test_of_twenty_operators_with_one_plan_exactly_one_carries_it_out(world_on_both: World) -> None:
    for what in ("unite", "undo join", "move", "undo move", "reassign", "add", "dismiss"):
        scene = await set_up(world_on_both, what)
        before = await scene.app.snapshot()
        done = one_did(await all_at_once(*(scene.app.do(*scene.act) for _ in range(20))))
        after = await scene.app.snapshot()
        assert len(after["audit"]) == len(before["audit"]) + 1 == done.audit_number
        for acts in ("resolutions", "merges"):
            stood = [sum(row["undone_at"] is None for row in snapshot[acts]) for snapshot in (before, after)]
            assert abs(stood[1] - stood[0]) <= 1, what
        assert after["plans"] == []
        await check_what_always_holds(scene.app)


@pytest.mark.parametrize("actions", [("move", "merge"), ("merge", "dismiss"), ("move", "move")])
async def test_of_two_plans_for_one_case_one_wins(world_on_both: World, actions: tuple[str, str]) -> None:
    for _ in range(3):
        scene = await set_up(world_on_both, "dismiss")
        app = scene.app
        plans = [await plan(app, kind="resolve", case_id=scene.case_id, action=action) for action in actions * 5]
        results = await at_once(app, *plans)
        assert outcomes(results) == {"Done": 1, "PlanStale": 9}
        done = one_did(results)
        assert done.resolution is not None
        [row] = (await app.snapshot())["resolutions"]
        assert (row["id"], row["action"]) == (done.resolution.id, done.resolution.action)
        owner = await app.owner("email", EMAIL)
        assert owner == (await app.get("5678" if row["action"] == "move" else "1234")).id
        await check_what_always_holds(app)


@pytest.mark.parametrize("what", ["unite", "join", "move", "reassign"])
async def test_an_act_is_undone_once_however_many_plans_there_are(world_on_both: World, what: str) -> None:
    scene = await set_up(world_on_both, f"undo {what}")
    app = scene.app
    snapshot = await app.snapshot()
    [act_id] = {row["id"] for row in snapshot["resolutions"] or snapshot["merges"]}
    plans = [await plan(app, kind="undo", act_id=act_id) for _ in range(5)]
    one_did(await at_once(app, *plans))
    await check_what_always_holds(app)


async def test_logins_while_two_become_one_and_part_again_end_with_who_they_name(world_on_both: World) -> None:
    """Each is answered as before or as after; whoever it is, both external ids find her again and again."""
    scene = await set_up(world_on_both, "dismiss")
    app = scene.app
    ada, eve = [(await app.get(who)).id for who in ("1234", "5678")]
    for _ in range(2):
        merge = await plan(app, kind="merge", surviving="1234", discarded="5678")
        for made in (merge, None):
            if made is None:
                [merged] = [row["id"] for row in (await app.snapshot())["merges"] if row["undone_at"] is None]
                made = await plan(app, kind="undo", act_id=merged)
            who = ["1234", "5678"] * 8
            results: list[Any] = await all_at_once(
                *(app.log_in(claims(one), device(f"phone-{one}")) for one in who[:8]),
                app.do(*of_plan(made)),
                *(app.log_in(claims(one), device(f"tablet-{one}")) for one in who[8:]),
            )
            acted = results.pop(8)
            assert type(acted).__name__ in ("Done", "PlanStale"), acted
            assert outcomes(results) == {"Access": 16}, outcomes(results)
            for one, access in zip(who, results, strict=True):
                assert access.user.id in ({ada} if one == "1234" else {ada, eve})
            if not isinstance(acted, Done):  # a new device was hers in between
                await act(app, **msgspec.structs.asdict(made.request))
            await check_what_always_holds(app)
            assert (await app.get("5678")).id == (ada if made is merge else eve)
    devices = {one["guid"] for one in (await app.snapshot())["devices"]}
    assert devices >= {f"{kind}-{who}" for kind in ("phone", "tablet") for who in ("1234", "5678")}


async def test_no_message_is_lost_or_doubled_while_two_become_one_and_part_again(world_on_both: World) -> None:
    scene = await set_up(world_on_both, "dismiss")
    app = scene.app
    ids = {who: (await app.get(who)).id for who in ("1234", "5678")}
    before = {row["id"] for row in (await app.snapshot())["messages"]}
    posted: list[str] = []
    merged: str | None = None
    for round_ in range(4):
        request = {"kind": "undo", "act_id": merged} if merged else {
            "kind": "merge", "surviving": "1234", "discarded": "5678",
        }  # fmt: skip
        made = await plan(app, **request)
        writing = [
            app.do(post_message, scene.talks[who], Draft(author, HELLO), f"{round_}-{who}-{number}")
            for number in range(4)
            for who in ("1234", "5678")
            for author in (Author("business"), Author("user", ids[who]))
            if number % 2 == (author.type == "user")
        ]
        results: list[Any] = await all_at_once(*writing[:4], app.do(*of_plan(made)), *writing[4:])
        done = results.pop(4)
        assert isinstance(done, Done), "what she says spoils no plan about her"
        assert outcomes(results) == {"Posted": len(writing)}, outcomes(results)
        posted += [answer.message.id for answer in results]
        merged = None if merged else done.merge_id
        await check_what_always_holds(app)
    rows = (await app.snapshot())["messages"]
    assert Counter(row["id"] for row in rows if row["id"] not in before) == Counter(posted)
    talks = {row["id"]: row for row in (await app.snapshot())["conversations"]}
    for seat in (await app.snapshot())["participants"]:
        waiting = [
            row for row in rows if row["conversation_id"] == seat["conversation_id"] and row["author_id"] is None
        ]
        assert talks[seat["conversation_id"]]["merged_into"] is None
        assert seat["unread_count"] == len(waiting)


async def test_what_is_said_in_the_moment_of_a_merge_stays_with_whom_it_was_told_to(world_on_both: World) -> None:
    """Two servers: one merges, and on both the business goes on writing. No clock and no id says what came since."""
    app = world_on_both
    sides: Counter[bool] = Counter()
    async with beside(app) as other:
        for number in range(30):
            ada, bob = await app.user(f"ada{number}"), await app.user(f"bob{number}")
            talk = await personal(app, bob)
            made = await plan(app, kind="merge", surviving=ada.id, discarded=bob.id)

            async def goes_on(server: World, talk: str = talk.id) -> list[str]:
                """What it says, and reads in between, so that the merge has its turn."""
                said = []
                for _ in range(6):
                    said.append((await server.do(post_message, talk, Draft(Author("business"), HELLO))).message.id)
                    for _ in range(6):
                        await server.ask(list_messages, talk)
                return said

            done, *said = await asyncio.gather(app.do(*of_plan(made)), goes_on(app), goes_on(other))
            await act(app, kind="undo", act_id=done.merge_id)
            told = {
                event["message"]["id"]: user.id
                for user in (ada, bob)
                for event in await app.events(user.id)
                if event["event"] == "message.posted"
            }
            rows = await app.snapshot()
            owners = {seat["conversation_id"]: seat["user_id"] for seat in rows["participants"]}
            stays = {row["id"]: owners[row["conversation_id"]] for row in rows["messages"]}
            posted = [id for some in said for id in some]
            assert {id: stays[id] for id in posted} == {id: told[id] for id in posted}
            sides.update(told[id] == ada.id for id in posted)
    await check_what_always_holds(app)
    assert all(sides[side] for side in (True, False)), f"no race was run: {sides}"


async def test_two_first_writes_after_a_merge_do_not_wait_for_each_other(world_on_both: World) -> None:
    """Each would make the place where what is written since is kept; PostgreSQL looks for a deadlock after a second."""
    app = world_on_both
    took = []
    async with beside(app) as other:
        for number in range(25):
            ada, bob = await app.user(f"ada{number}"), await app.user(f"bob{number}")
            talk = await personal(app, bob)
            await act(app, kind="merge", surviving=ada.id, discarded=bob.id)
            began = perf_counter()
            results = await all_at_once(
                app.do(post_message, talk.id, Draft(Author("business"), HELLO)),
                other.do(post_message, talk.id, Draft(Author("user", ada.id), HELLO)),
                other.do(post_activity, talk.id, "conversation:read", Reference(ada.id)),
            )
            took.append(perf_counter() - began)
            assert outcomes(results) == {"Posted": 2, "NoneType": 1}, results
    assert max(took) < 0.9, sorted(took)[-3:]
    await check_what_always_holds(app)


async def test_what_is_taken_back_while_the_first_is_said_since_waits_for_nobody(world_on_postgres: World) -> None:
    """Everything is read for the first message since a merge, nothing is written, and another server deletes one."""
    app = world_on_postgres
    ada, bob = await app.user("ada"), await app.user("bob")
    talk = await personal(app, bob)
    said = [(await app.do(post_message, talk.id, Draft(Author("business"), HELLO))).message.id for _ in range(2)]
    await act(app, kind="merge", surviving=ada.id, discarded=bob.id)
    async with beside(app) as other:
        left = [said[0]]

        async def first_since(tx: Transaction) -> None:
            await post_message(tx, talk.id, Draft(Author("business"), HELLO))
            while left:
                await other.do(delete_message, talk.id, left.pop())

        await app.do(first_since)
    [seat] = await seats(app, talk)
    assert seat.unread_count == 2


async def test_a_visitor_who_signs_in_while_an_operator_merges_her_becomes_one_user(world_on_both: World) -> None:
    """Her history is with whoever she became first; the other finds her gone, and nobody has half of it."""
    for round_ in range(6):
        scene = await set_up(world_on_both, "dismiss")
        app = scene.app
        visitor = scene.visitor
        made = await plan(app, kind="merge", surviving="1234", discarded=visitor.user.id)
        racing = [
            app.do(*of_plan(made)),
            app.log_in(claims("new"), device("kiosk"), visitor),
            app.log_in(claims("new"), device("kiosk"), visitor),
        ]
        if round_ % 2:
            racing.append(racing.pop(0))
        results = await all_at_once(*racing)
        [acted] = [one for one in results if not hasattr(one, "devices")]
        assert isinstance(acted, Done) or type(acted).__name__ == "PlanStale", acted
        assert outcomes(results)["Access"] == 2
        found = await app.get(visitor.user.id)
        assert found.external_id == ("1234" if isinstance(acted, Done) else "new")
        assert found.metadata["cart"] == 1
        assert ((await app.get("new")).id == visitor.user.id) == (not isinstance(acted, Done))
        assert (await app.snapshot())["sessions"] == []
        await check_what_always_holds(app)


async def test_twenty_acts_on_different_cases_at_once_are_all_done_in_one_chain(world_on_both: World) -> None:
    world = world_on_both
    plans = []
    for number in range(20):
        case = await collide(world, f"new-{number}", f"old-{number}", f"ada{number}@example.com")
        action = ("move", "reassign", "merge", "dismiss")[number % 4]
        plans.append(await plan(world, kind="resolve", case_id=case.id, action=action))
    results = await at_once(world, *plans)
    assert outcomes(results) == {"Done": 20}, outcomes(results)
    assert sorted(done.audit_number for done in results) == list(range(1, 21))
    assert await world.open_cases() == []
    await check_what_always_holds(world)


async def test_logins_under_two_policies_at_once_follow_one_of_them_each(world_on_both: World) -> None:
    """A node that has not heard of the change yet decides as before; whoever owns the e-mail then is one user."""
    world = world_on_both
    await world.log_in(claims("1234", EMAIL), device())
    changed = await world.another_app()
    changed.app = world.app
    by_policy = []
    for policy in ("transfer", "quarantine", "reject"):
        there = await world.do(set_policy, PolicyChanges(conflict_policy=policy), BY)
        world.app, changed.app = changed.app, there
        logins = [one.log_in(claims(f"{policy}-{n}", EMAIL), device()) for n in range(6) for one in (world, changed)]
        results = await all_at_once(*logins)
        by_policy.append(outcomes(results))
        assert set(outcomes(results)) <= {"Access", "EmailContested"}, outcomes(results)
        owner = await world.owner("email", EMAIL)
        owners = [row["user_id"] for row in (await world.snapshot())["identities"] if row["type"] == "email"]
        assert owners == [owner]
        await check_what_always_holds(world)
    assert by_policy[1]["Access"] == 12, "both let them in"
    snapshot = await world.snapshot()
    cases = {row["claimant"]: row for row in snapshot["conflicts"]}
    assert len(cases) == len(snapshot["conflicts"])


async def test_ten_thousand_claims_are_one_case_with_thirty_attempts(world_on_both: World) -> None:
    """Many of them at once: each is counted, and each slot of the evidence is one row."""
    world = world_on_both
    case = await collide(world)

    async def nearly(tx: Transaction) -> None:
        [found] = await tx.conflicts.open()
        tx.conflicts.change(found, count=9_900)

    await world.do(nearly)
    results = await all_at_once(*(world.log_in(claims("5678", EMAIL), device("tablet")) for _ in range(100)))
    assert outcomes(results) == {"EmailContested": 100}
    snapshot = await world.snapshot()
    [row] = snapshot["conflicts"]
    assert (row["id"], row["count"], row["state"]) == (case.id, 10_000, "open")
    slots = [one["slot"] for one in snapshot["conflict_evidence"]]
    assert len(slots) == len(set(slots)) <= 30
    await check_what_always_holds(world)
