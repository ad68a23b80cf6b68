"""Sending, retrying, giving up and switching off, with a clock that the test sets."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from knownas.deliveries.redeliver import NothingSent, NotWanted, redeliver_event, redeliver_some, start_at
from knownas.deliveries.schedule import DAY, DELAYS, HOUR, MINUTE, SECOND
from knownas.transaction import Transaction
from knownas.users.delete import delete_user, erase_personal_information
from knownas.webhooks import Webhook, WebhookNotFound
from tests.delivering import (
    RENDERER,
    Posts,
    add_webhook,
    attempts,
    delivering,
    hurry,
    rows_of,
    until,
    until_delivered,
    until_found,
    webhook_now,
)  # fmt: skip
from tests.given import BY, Clock, World

__all__ = ["hurry"]
TARGET = "https://example.org/"
OTHER = "https://other.example.org/"


@pytest.fixture(autouse=True)
def _in_a_hurry(hurry: None) -> None:
    """All of these tests set the clock."""


async def until_attempts(world: World, webhook: Webhook, count: int) -> None:
    async def enough() -> bool:
        return len(await attempts(world, webhook)) >= count

    await until_found(enough, f"{count} attempts")


async def until_webhook(world: World, webhook: Webhook, condition: Callable[[Webhook], bool]) -> None:
    async def holds() -> bool:
        return condition(await webhook_now(world, webhook))

    await until_found(holds, "the webhook has changed")


async def test_each_event_is_sent_once_to_each_webhook_that_wants_it(world: World, clock: Clock) -> None:
    posts = Posts()
    one, other = await add_webhook(world), await add_webhook(world, OTHER)
    await add_webhook(world, "https://deaf.example.org/", triggers=("client:add",))
    async with delivering(world, posts, clock):
        for number in range(50):
            await world.user(f"user-{number}")
        await until(lambda: len(posts.calls) >= 100, "all calls")
        await until_delivered(world)
    expected = [f"user-{number}" for number in range(50)]
    assert sorted(posts.to(TARGET)) == sorted(posts.to(OTHER)) == sorted(expected)
    assert posts.to("https://deaf.example.org/") == []
    assert await rows_of(world, "deliveries") == []
    for webhook in (one, other):
        assert [(a.status, a.number) for a in await attempts(world, webhook)] == [(200, 1)] * 50


async def test_what_happens_before_there_is_a_webhook_is_not_sent(world: World, clock: Clock) -> None:
    posts = Posts()
    async with delivering(world, posts, clock) as dispatcher:
        await world.user("before")
        newest = (await world.database.rows("SELECT max(position) FROM events"))[0][0]
        await until(lambda: dispatcher._read_to.position >= newest, "it is read")
        await add_webhook(world)
        await world.user("after")
        await until(lambda: bool(posts.calls), "a call")
    assert posts.to(TARGET) == ["after"]


async def test_a_failing_call_is_made_again_on_schedule_and_then_given_up(world: World, clock: Clock) -> None:
    posts = Posts(statuses={TARGET: 500})
    webhook = await add_webhook(world)
    async with delivering(world, posts, clock):
        await world.user("ada")
        for number, delay in enumerate(DELAYS, 1):
            await until(lambda number=number: len(posts.calls) == number, f"attempt {number}")  # type: ignore[misc]
            await until_attempts(world, webhook, number)
            [row] = await rows_of(world, "deliveries")
            made_at = (await attempts(world, webhook))[-1].created_at
            assert delay <= row["due_at"] - made_at < delay + SECOND
            clock.skip(delay - SECOND)
            await asyncio.sleep(0.05)
            assert len(posts.calls) == number, "too early"
            clock.skip(2 * SECOND)
        await until_delivered(world)
        clock.skip(30 * HOUR)
    assert len(posts.calls) == len(DELAYS) + 1
    assert len({(event_id, body) for _, event_id, body in posts.calls}) == 1, "the same bytes under the same id"
    assert [a.number for a in await attempts(world, webhook)] == list(range(1, len(DELAYS) + 2))
    [given_up] = await rows_of(world, "deliveries")
    assert given_up["due_at"] is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 406])
async def test_a_non_recoverable_answer_ends_it_and_is_in_the_log(world: World, clock: Clock, status: int) -> None:
    posts = Posts(statuses={TARGET: status})
    webhook = await add_webhook(world)
    async with delivering(world, posts, clock):
        await world.user("ada")
        await until(lambda: bool(posts.calls), "a call")
        await until_delivered(world)
        clock.skip(2 * DAY)
    assert len(posts.calls) == 1
    assert [(a.status, a.error) for a in await attempts(world, webhook)] == [(status, None)]
    assert (await webhook_now(world, webhook)).failing_since is not None, "it is a failure all the same"


async def test_a_receiver_may_ask_for_more_time(world: World, clock: Clock) -> None:
    posts = Posts(statuses={TARGET: 429}, retry_after="3600")
    webhook = await add_webhook(world)
    async with delivering(world, posts, clock):
        await world.user("ada")
        await until_attempts(world, webhook, 1)
        [row] = await rows_of(world, "deliveries")
        assert HOUR <= row["due_at"] - (await attempts(world, webhook))[0].created_at < HOUR + SECOND


async def test_only_what_was_written_down_survives_and_the_rest_is_sent_again(world: World, clock: Clock) -> None:
    """The call is under way when the process ends: the next one makes it again, under the same id."""
    posts = Posts(holding={TARGET: asyncio.Event()})
    await add_webhook(world)
    async with delivering(world, posts, clock):
        await world.user("ada")
        await until(lambda: len(posts.calls) == 1, "a call")
        posts.holding.clear()  # nobody answers it
    assert len(await rows_of(world, "deliveries")) == 1
    async with delivering(world, posts, clock):
        await until(lambda: len(posts.calls) == 2, "the call is made again")
        await until_delivered(world)
    assert posts.calls[0] == posts.calls[1]


async def test_five_days_of_failures_switch_a_webhook_off_and_a_success_in_between_does_not(
    world: World, clock: Clock
) -> None:
    posts = Posts(statuses={TARGET: 500, OTHER: 500})
    failing, recovering = await add_webhook(world), await add_webhook(world, OTHER)
    async with delivering(world, posts, clock):
        await world.user("first")
        await until(lambda: len(posts.calls) == 2, "both fail")
        await until_webhook(world, recovering, lambda now: now.failing_since is not None)
        posts.statuses[OTHER] = 200
        clock.skip(3 * DAY)
        await world.user("second")
        await until(lambda: "second" in posts.to(OTHER), "one recovers")
        await until_webhook(world, recovering, lambda now: now.failing_since is None)
        posts.statuses[OTHER] = 500
        clock.skip(2 * DAY + HOUR)
        await world.user("third")
        await until_webhook(world, failing, lambda now: now.disabled_at is not None)
        await until(lambda: "third" in posts.to(OTHER), "the other is still told")
        assert (await webhook_now(world, recovering)).disabled_at is None

        async def its_queue_is_given_up() -> bool:
            rows = await rows_of(world, "deliveries")
            return not [row for row in rows if row["webhook_id"] == failing.id and row["due_at"] is not None]

        await until_found(its_queue_is_given_up, "its queue is given up")
        before = len(posts.to(TARGET))
        await world.user("fourth")
        await until(lambda: "fourth" in posts.to(OTHER), "the other is told")
        assert len(posts.to(TARGET)) == before
    told = await world.events(world.app.id)
    [switched_off] = [event for event in told if event["event"] == "webhook.switched_off"]
    assert switched_off["webhook_id"] == failing.id
    with pytest.raises(NothingSent):
        await world.do(redeliver_some, failing.id, RENDERER.wants, await world.ask(start_at, 0), 0, clock())


async def test_what_waits_for_a_webhook_that_is_removed_goes_with_it(world: World, clock: Clock) -> None:
    posts = Posts(statuses={TARGET: 500})
    webhook = await add_webhook(world)
    async with delivering(world, posts, clock):
        await world.user("ada")
        await until(lambda: bool(posts.calls), "a call")

        async def remove(tx: Transaction) -> None:
            found = await tx.webhooks.by_id(webhook.id)
            assert found is not None
            tx.webhooks.remove(found)

        await world.do(remove)
        clock.skip(MINUTE)

        async def nothing_is_left() -> bool:
            return not await rows_of(world, "deliveries")

        await until_found(nothing_is_left, "nothing is left")
    assert len(posts.calls) == 1


@pytest.mark.parametrize("verb", [delete_user, erase_personal_information])
async def test_what_was_erased_is_not_sent_any_more_and_leaves_no_trace(world: World, clock: Clock, verb) -> None:
    posts = Posts(statuses={TARGET: 503})
    await add_webhook(world)
    async with delivering(world, posts, clock):
        ada = await world.user("ada-1234", given_name="Ada Lovelace")
        await until(lambda: bool(posts.calls), "a call that fails")
        await world.do_to(ada, verb, BY)
        posts.statuses[TARGET] = 200
        clock.skip(MINUTE)
        await until_delivered(world)
        assert len(posts.calls) == 1
        assert await world.traces_of("Ada Lovelace") == []
        tables = {trace.split(".")[0] for trace in await world.traces_of("ada-1234")}
        assert not tables & {"events", "deliveries", "attempts", "outbox_readers"}


async def test_one_event_can_be_delivered_again_and_so_can_a_range(world: World, clock: Clock) -> None:
    posts = Posts()
    webhook = await add_webhook(world)
    async with delivering(world, posts, clock):
        for number in range(3):
            await world.user(f"user-{number}")
        await until(lambda: len(posts.calls) == 3, "three calls")
        await until_delivered(world)
        event_id = posts.calls[1][1]
        await world.do(redeliver_event, webhook.id, RENDERER.wants, event_id)
        await until(lambda: len(posts.calls) == 4, "one again")
        await until_delivered(world)
        assert posts.calls[3] == posts.calls[1]

        events = [row for row in await rows_of(world, "events") if row["type"] == "user.created"]
        times = sorted(row["created_at"] for row in events)
        start = await world.ask(start_at, times[1])
        some = await world.do(redeliver_some, webhook.id, RENDERER.wants, start, times[1], times[2])
        assert (some.count, some.cursor) == (1, None)
        await until(lambda: len(posts.calls) == 5, "the one in the range again")
        assert posts.calls[4] == posts.calls[1]
        await until_delivered(world)
        app_created = next(row["id"] for row in await rows_of(world, "events") if row["type"] == "app.created")
        with pytest.raises(NotWanted):
            await world.do(redeliver_event, webhook.id, RENDERER.wants, app_created)
        with pytest.raises(WebhookNotFound):
            await (await world.another_app()).do(redeliver_event, webhook.id, RENDERER.wants, event_id)


async def test_what_waits_for_later_is_brought_forward_by_delivering_it_again(world: World, clock: Clock) -> None:
    posts = Posts(statuses={TARGET: 500})
    webhook = await add_webhook(world)
    async with delivering(world, posts, clock):
        await world.user("ada")
        await until_attempts(world, webhook, 1)
        posts.statuses[TARGET] = 200
        await world.do(redeliver_event, webhook.id, RENDERER.wants, posts.calls[0][1])
        await until(lambda: len(posts.calls) == 2, "at once, not after the pause")
        await until_delivered(world)


async def test_what_waits_for_later_is_not_sent_along_with_what_is_due(world: World, clock: Clock) -> None:
    posts = Posts(statuses={TARGET: 500})
    webhook = await add_webhook(world)
    async with delivering(world, posts, clock):
        await world.user("ada")
        await until_attempts(world, webhook, 1)
        posts.statuses[TARGET] = 200
        for number in range(5):
            await world.user(f"user-{number}")
            await until_attempts(world, webhook, 2 + number)
        assert posts.to(TARGET) == ["ada", *(f"user-{number}" for number in range(5))]


async def test_old_events_and_their_log_are_removed_and_young_ones_stay(world: World, clock: Clock) -> None:
    posts = Posts(statuses={TARGET: 404})
    webhook = await add_webhook(world)
    async with delivering(world, posts, clock, kept_days=30):
        await world.user("old")
        await until(lambda: bool(posts.calls), "a call")
        await until_delivered(world)
        clock.skip(31 * DAY)
        await world.user("young")

        async def the_old_is_gone() -> bool:
            return "old" not in str(await rows_of(world, "events")) and len(await attempts(world, webhook)) <= 1

        await until_found(the_old_is_gone, "the old event and its attempt are gone")
        await until(lambda: len(posts.calls) == 2, "the young one is sent")
        await until_delivered(world)
    assert "young" in str(await rows_of(world, "events"))
    assert len(await rows_of(world, "deliveries")) == 1, "the young one, given up; the old one is gone"


async def test_a_webhook_that_hangs_holds_up_neither_the_others_nor_the_memory(world: World, clock: Clock) -> None:
    posts = Posts(holding={TARGET: asyncio.Event()})
    await add_webhook(world)
    await add_webhook(world, OTHER)
    async with delivering(world, posts, clock) as dispatcher:
        for number in range(150):
            await world.user(f"user-{number}")
        await until(lambda: len(posts.to(OTHER)) == 150, "all calls to the one that answers")
        assert 1 <= len(posts.to(TARGET)) <= 4
        [hanging] = [lane for lane in dispatcher._sender._lanes.values() if lane.in_flight]
        assert len(hanging.held) <= 20, "only as much is loaded as can be sent"


async def test_an_event_that_cannot_be_rendered_holds_up_nobody(world: World, clock: Clock) -> None:
    posts = Posts()
    await add_webhook(world)

    async def break_one(tx: Transaction) -> None:
        tx.emit(Broken())

    async with delivering(world, posts, clock):
        await world.do(break_one)
        await world.user("ada")
        await until(lambda: posts.to(TARGET) == ["ada"], "the next one is sent")


class Broken(msgspec.Struct, frozen=True, tag_field="event", tag="user.created"):
    """An event without the external id that it should have."""


async def test_two_processes_never_make_a_delivery_twice(world: World, clock: Clock) -> None:
    posts = Posts()
    await add_webhook(world)
    async with delivering(world, posts, clock), delivering(world, posts, clock):
        for number in range(60):
            await world.user(f"user-{number}")
        await until(lambda: len(set(posts.to(TARGET))) == 60, "all are sent")
    assert len(posts.calls) == 60


def test_a_webhooks_address_and_secret_are_not_in_its_text() -> None:
    webhook = Webhook("w", "a", "i", "https://user:password@example.org/", (), False, False, "secret", 1)
    assert "password" not in repr(webhook)
    assert "secret" not in repr(webhook)
