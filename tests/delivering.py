"""Delivery beside a test's world: the real parts, with a renderer and a network of the test's own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from knownas.deliveries import Attempt
from knownas.delivery import dispatcher as dispatching
from knownas.delivery.dispatcher import Dispatcher
from knownas.delivery.request import Answer, Renderer, Timeouts
from knownas.delivery.sender import Sender
from knownas.transaction import Transaction
from knownas.webhooks import Told, Webhook
from tests.given import World
from tests.servers import eventually

TRIGGER = "user:update"


class Happened(msgspec.Struct):
    """Whatever it was."""

    event: str


def told(event: dict[str, Any], webhook: Webhook) -> Told | None:
    """Everybody who listens to TRIGGER is told of new users, and of nothing else."""
    if event.get("event") != "user.created" or not webhook.wants(TRIGGER):
        return None
    return Told(TRIGGER, {"externalId": event["external_id"]})


RENDERER = Renderer(lambda _, body: msgspec.json.decode(body), told)


@dataclass
class Posts:
    """A network: it remembers calls, and answers as it is told to by target; an exception of a bug is not answered."""

    calls: list[tuple[str, str, bytes]] = field(default_factory=list)
    statuses: dict[str, int | None] = field(default_factory=dict)
    holding: dict[str, asyncio.Event] = field(default_factory=dict)
    retry_after: str | None = None

    async def post(self, target: str, body: bytes, headers: dict[str, str], timeouts: Timeouts | None = None) -> Answer:
        """Remember the call; wait where the target holds its callers; answer."""
        self.calls.append((target, headers["webhook-id"], body))
        if target in self.holding:
            await self.holding[target].wait()
        status = self.statuses.get(target, 200)
        return Answer(status, "no answer" if status is None else None, 1, self.retry_after)

    def to(self, target: str) -> list[str]:
        """The external ids that the target was told of, in order."""
        return [
            msgspec.json.decode(body)["events"][0]["payload"]["externalId"]
            for called, _, body in self.calls
            if called == target
        ]


@asynccontextmanager
async def delivering(
    world: World, posts: Posts, clock: Callable[[], int], *, kept_days: int = 30
) -> AsyncIterator[Dispatcher]:
    """Deliver what happens in the world while the block runs."""
    sender = Sender(world.database, posts, RENDERER, clock, lambda: 0.0)
    dispatcher = Dispatcher(world.database, sender, RENDERER, clock, kept_days=kept_days)
    world.database.on_events(dispatcher.wake)
    reading = asyncio.create_task(dispatcher.run())
    writing = asyncio.create_task(sender.ledger.run())
    try:
        yield dispatcher
    finally:
        dispatcher.stop()
        for held in posts.holding.values():
            held.set()
        await asyncio.wait_for(reading, 10)
        await sender.finish(1)
        sender.ledger.close()
        await asyncio.wait_for(writing, 10)
        await dispatcher.release()


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked after every second or minute is looked after all the time, since the test's clock jumps."""
    for name in ("QUEUES_EVERY_S", "HOUSEKEEPING_EVERY_S", "STANDBY_S", "SAVED_EVERY_S"):
        monkeypatch.setattr(dispatching, name, 0.01)


async def add_webhook(world: World, target: str = "https://example.org/", **changes: Any) -> Webhook:
    """A webhook of the world's app."""

    async def add(tx: Transaction) -> Webhook:
        webhook = Webhook(tx.new_id(), tx.app_id, "i" * 24, target, (TRIGGER,), False, False, "secret", tx.now)
        webhook = msgspec.structs.replace(webhook, **changes)
        tx.webhooks.add(webhook)
        return webhook

    return await world.do(add)


async def webhook_now(world: World, webhook: Webhook) -> Webhook:
    """The webhook as it is stored now."""

    async def by_id(tx: Transaction) -> Webhook | None:
        return await tx.webhooks.by_id(webhook.id)

    found = await world.ask(by_id)
    assert found is not None
    return found


async def attempts(world: World, webhook: Webhook) -> list[Attempt]:
    """The log, oldest first."""

    async def listed(tx: Transaction) -> list[Attempt]:
        return await tx.deliveries.attempts(webhook.id, 1000)

    return (await world.ask(listed))[::-1]


async def rows_of(world: World, table: str) -> list[dict[str, Any]]:
    """All rows of a table that are the app's."""
    return (await world.snapshot())[table]


async def until(condition: Callable[[], bool], what: str) -> None:
    await eventually(condition, what=what, timeout_s=20)


async def until_found(look: Callable[[], Awaitable[object]], what: str) -> None:
    """Look into the database again and again, until what is looked for is there."""
    for _ in range(2000):
        if await look():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"never: {what}")


async def until_delivered(world: World) -> None:
    """Wait until nothing waits to be delivered any more, sooner or later."""

    async def nothing_waits() -> bool:
        return not [row for row in await rows_of(world, "deliveries") if row["due_at"] is not None]

    await until_found(nothing_waits, "everything is delivered")
