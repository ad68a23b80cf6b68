"""R9: a merge and its undoing take the time of pointers, however much was said, and readers do not wait for them."""

import asyncio
from statistics import median
from time import perf_counter

from knownas.conversations import MESSAGES_AT_MOST, ConversationChanges
from knownas.conversations.create import create_personal
from knownas.messages import Author
from knownas.messages.delete import delete_message
from knownas.messages.draft import Draft
from knownas.messages.post import post_message
from knownas.messages.read import list_messages
from knownas.plans import PlanRequest
from knownas.plans.carry_out import carry_out
from knownas.plans.make import make_plan
from knownas.resolutions import By
from knownas.transaction import Transaction
from knownas.users import User
from tests.given import World, claims

OPERATOR = By("key:operator", "one person")
FEW, MANY, NEARLY_FULL = 10, 100_000, MESSAGES_AT_MOST - 10
FILL = """
    INSERT INTO messages (app_id, conversation_id, id, received, body)
    WITH RECURSIVE n(i) AS (SELECT CAST($3 AS BIGINT) UNION ALL SELECT i - 1 FROM n WHERE i > 1)
    SELECT $1, CAST($2 AS TEXT), '000000000000' || CAST(100000000000 + i AS TEXT), i,
        '{"content":{"type":"text","text":"x"},"source":{"type":"api:conversations"}}'
    FROM n"""
COUNT = """
    UPDATE conversations SET message_count = message_count + CAST($3 AS BIGINT), last_message_at = 1
    WHERE app_id = $1 AND id IN (
        SELECT CAST($2 AS TEXT) UNION SELECT c.merged_into FROM conversations c WHERE c.app_id = $1 AND c.id = $2)"""
BRANCH = "SELECT id FROM conversations WHERE app_id = $1 AND merged_into = $2"


async def test_two_times_a_hundred_thousand_messages_merge_as_fast_as_ten(world_on_both: World) -> None:
    world = world_on_both
    few, many = [await _pair(world, f"few-{n}", FEW) for n in range(9)], [await _pair(world, "many", MANY)]
    slow = [await _merge_and_undo(world, *many[0]) for _ in range(9)]
    quick = [await _merge_and_undo(world, *pair) for pair in few]
    # Both are some milliseconds, most of it the commit: a copy of 100,000 rows would take seconds.
    for step in (0, 1):
        fast, with_many = median(one[step] for one in quick), median(one[step] for one in slow)
        assert with_many < 3 * fast + 0.02, f"{with_many * 1000:.1f} ms against {fast * 1000:.1f} ms"


async def test_two_are_parted_as_fast_however_much_was_said_before_the_merge_and_since(world_on_both: World) -> None:
    """Where only the discarded user had a conversation, the survivor went on in it, and something of it was deleted."""
    world = world_on_both
    took: dict[int, list[float]] = {FEW: [], NEARLY_FULL // 2: []}
    for number in range(5):
        for messages, times in took.items():
            surviving, discarded = f"{messages}-{number}-a", f"{messages}-{number}-b"
            await world.log_in(claims(surviving))
            await _talking(world, discarded, messages)
            _, merge_id = await _timed(world, PlanRequest("merge", surviving=surviving, discarded=discarded))
            conversation = await world.ask_of(surviving, _default_of)
            said = Draft(Author("user"), {"type": "text", "text": "since"}, external_id=surviving)
            await world.do(post_message, conversation, said)
            [[branch]] = await world.database.rows(BRANCH, world.app.id, conversation)
            await world.do(_fill, branch, messages - 1)
            [oldest, *_] = (await world.ask(list_messages, conversation, after="0" * 24)).rows
            await world.do(delete_message, conversation, oldest.id)
            seconds, _ = await _timed(world, PlanRequest("undo", act_id=merge_id))
            assert await world.ask_of(surviving, _default_of) == branch
            times.append(seconds)
    # What only reads 15,000 rows shows already: it takes 10 ms more.
    few, many = (min(times) for times in took.values())
    assert many < 2 * few + 0.003, took


async def test_readers_of_both_users_see_no_delay(world_on_both: World) -> None:
    world = world_on_both
    surviving, discarded = await _pair(world, "busy", MANY)
    conversation = await world.ask_of(discarded, _default_of)
    alone = await _reading(world, conversation, 60)
    reading = asyncio.create_task(_reading(world, conversation, 60))
    while not reading.done():
        await _merge_and_undo(world, surviving, discarded)
    assert median(reading.result()) < 3 * median(alone) + 0.01


async def _pair(world: World, name: str, messages: int) -> tuple[str, str]:
    """Two identified users with so many messages each in their default conversations."""
    names = (f"{name}-a", f"{name}-b")
    for one in names:
        await _talking(world, one, messages)
    return names


async def _talking(world: World, external_id: str, messages: int) -> None:
    """An identified user with so many messages in her default conversation."""
    await world.log_in(claims(external_id))
    await world.do_to(external_id, create_personal, ConversationChanges())
    await world.do(_fill, await world.ask_of(external_id, _default_of), messages)


async def _merge_and_undo(world: World, surviving: str, discarded: str) -> tuple[float, float]:
    """How long each takes, in seconds, the plan left out."""
    request = PlanRequest(kind="merge", surviving=surviving, discarded=discarded)
    merged = await _timed(world, request)
    undone = await _timed(world, PlanRequest(kind="undo", act_id=merged[1]))
    return merged[0], undone[0]


async def _timed(world: World, request: PlanRequest) -> tuple[float, str | None]:
    plan = await world.do(make_plan, request, OPERATOR.actor)
    began = perf_counter()
    done = await world.do(carry_out, plan.id, OPERATOR)
    return perf_counter() - began, done.merge_id


async def _reading(world: World, conversation_id: str, times: int) -> list[float]:
    """How long each read of a page takes, one after the other."""
    took = []
    for _ in range(times):
        began = perf_counter()
        await world.ask(list_messages, conversation_id)
        took.append(perf_counter() - began)
        await asyncio.sleep(0)
    return took


async def _default_of(tx: Transaction, user: User) -> str:
    found = await tx.conversations.default_of(await tx.users.members(user))
    assert found is not None
    return found.id


async def _fill(tx: Transaction, conversation_id: str, messages: int) -> None:
    """Messages as rows: a hundred thousand over HTTP would take minutes and prove nothing more."""
    tx.unit.hold(FILL, conversation_id, messages)  # type: ignore[attr-defined]
    tx.unit.hold(COUNT, conversation_id, messages, ordered=True)  # type: ignore[attr-defined]
