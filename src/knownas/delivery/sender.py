"""Send what is due, each webhook at its own pace, and hand what came of it to the ledger."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from knownas.database import Binding, Database
from knownas.deliveries import Attempt, Delivery, Queue, Settled
from knownas.deliveries.schedule import is_to_be_switched_off, is_told, next_attempt, retry_after_ms
from knownas.deliveries.settle import clear_queue, switch_off
from knownas.delivery.lanes import Lane, Turns
from knownas.delivery.ledger import Ledger
from knownas.delivery.request import Answer, Renderer, Timeouts, headers, timeouts_of
from knownas.errors import DomainError
from knownas.transaction import Transaction
from knownas.webhooks import Webhook

LOADS_AT_ONCE: Final = 4
CLEARED_AT_ONCE: Final = 500
CLEARED_EVERY_S: Final = 0.01
_log = logging.getLogger(__name__)


class Posts(Protocol):
    """What makes the calls (post.py)."""

    async def post(self, target: str, body: bytes, headers: dict[str, str], timeouts: Timeouts | None = None) -> Answer:
        """Call once. Never raises."""
        ...


class Sender:
    """Sends while it is on. For the loop's thread."""

    def __init__(
        self,
        database: Database,
        posts: Posts,
        renderer: Renderer,
        clock: Callable[[], int],
        jitter: Callable[[], float],
    ) -> None:
        self._database = database
        self._above: Binding = database.new_app()
        self._posts = posts
        self._renderer = renderer
        self._clock = clock
        self._jitter = jitter
        self._lanes: dict[str, Lane] = {}
        self._turns = Turns()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loads = asyncio.Semaphore(LOADS_AT_ONCE)
        self._on = False
        self.ledger = Ledger(database, self._written)

    def switch(self, *, on: bool) -> None:
        """Send from now on, or start nothing any more: what is under way ends by itself."""
        self._on = on
        if not on:
            for lane in self._lanes.values():
                lane.forget()

    def due(self, queues: list[Queue]) -> None:
        """Something waits for these webhooks. Called again and again, also for what waits for later."""
        now = self._clock()
        self._lanes = {webhook_id: lane for webhook_id, lane in self._lanes.items() if not lane.idle}
        for queue in queues:
            if queue.due_at > now:
                continue
            lane = self._lanes.setdefault(queue.webhook_id, Lane(queue.app_id, queue.webhook_id))
            lane.due = True
            self._consider(lane)

    async def finish(self, patience_s: float) -> None:
        """Wait for what is under way, but not for ever; what is abandoned is sent again under the same id."""
        self.switch(on=False)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience_s)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _consider(self, lane: Lane) -> None:
        """Load more for the lane, if there is more and it can be sent soon."""
        if self._on and lane.due and lane.wants_more:
            lane.due = False
            lane.loading = True
            self._start(self._load(lane))

    async def _load(self, lane: Lane) -> None:
        """Fill the lane. Where that fails, the next look at the queues tries again."""
        try:
            async with self._loads:
                limit = len(lane.held) + 2 * lane.allowed
                webhook, found = await self._database.read(
                    self._above, _next_of, lane.app_id, lane.webhook_id, self._clock(), limit
                )
            if webhook is None or webhook.disabled_at is not None:
                await self._clear(lane)
                return
            lane.webhook = webhook
            if not lane.unsaved:
                lane.failing_since = webhook.failing_since
            if self._on:
                lane.load(found)
            if len(found) == limit:
                lane.due = True
        except DomainError as failure:
            _log.warning("deliveries could not be loaded or cleared: %s", failure)
        finally:
            lane.loading = False
            lane.meanwhile.clear()
        self._pump(lane)

    async def _clear(self, lane: Lane) -> None:
        """The webhook is gone or switched off: take its queue away, in bites."""
        lane.forget()
        left = True
        while left:
            left = await self._database.write(self._above, clear_queue, lane.app_id, lane.webhook_id, CLEARED_AT_ONCE)
            await asyncio.sleep(CLEARED_EVERY_S)

    def _pump(self, lane: Lane) -> None:
        """Start whatever may start now that something about this lane has changed."""
        self._turns.offer(lane)
        while self._on and (turn := self._turns.next()):
            self._start(self._send(*turn))
        self._consider(lane)

    async def _send(self, lane: Lane, delivery: Delivery) -> None:
        try:
            self.ledger.enter(lane, await self._attempt(lane, delivery))
        except BaseException:
            lane.held.discard(delivery.event_id)
            raise
        finally:
            self._turns.back(lane, delivery)
            self._pump(lane)

    async def _attempt(self, lane: Lane, delivery: Delivery) -> Settled:
        """Call once; what follows from the answer."""
        webhook = lane.webhook
        assert webhook is not None, "a lane is loaded with its webhook"  # noqa: S101
        started_at = self._clock()
        body = self._render(webhook, delivery)
        if body is None:
            return Settled(delivery, None, told=False, due_at=None)
        if isinstance(body, Answer):
            answer = body
        else:
            sent = headers(webhook, delivery.event_id, body, started_at)
            answer = await self._posts.post(webhook.target, body, sent, timeouts_of(webhook))
        number = delivery.attempts + 1
        attempt = Attempt(
            delivery.app_id, delivery.webhook_id, delivery.event_id, number, answer.status, answer.error,
            answer.took_ms, started_at,
        )  # fmt: skip
        if is_told(answer.status):
            lane.went_well()
            return Settled(delivery, attempt, told=True, due_at=None)
        now = self._clock()
        again = next_attempt(number, answer.status, now, self._jitter(), retry_after_ms(answer.retry_after, now))
        if answer is not body:
            lane.went_wrong(started_at, overloaded=again is not None)
        return Settled(delivery, attempt, told=False, due_at=again.at if again else None)

    def _render(self, webhook: Webhook, delivery: Delivery) -> bytes | Answer | None:
        """The body; None where the event was erased. A bug of ours is no fault of the webhook's, and is retried."""
        try:
            return self._renderer.body(delivery, webhook)
        except Exception:  # noqa: BLE001
            _log.exception("a bug: event %s cannot be rendered", delivery.event_id)
            return Answer(None, "the event could not be rendered: a bug of ours", 0)

    def _written(self, lane: Lane, settled: Settled) -> None:
        """What came of a delivery is in the database now."""
        lane.done(settled.delivery.event_id)
        if not settled.told and self._on and is_to_be_switched_off(lane.failing_since, self._clock()):
            self._start(self._switch_off(lane))

    async def _switch_off(self, lane: Lane) -> None:
        app = await self._database.directory.app(lane.app_id)
        if app is not None and await self._database.write(app, switch_off, lane.webhook_id):
            _log.warning("webhook %s was switched off: it did nothing but fail for days", lane.webhook_id)
            await self._clear(lane)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        failure = None if task.cancelled() else task.exception()
        if isinstance(failure, DomainError):
            _log.warning("put off: %s", failure)
        elif failure is not None:
            _log.error("a bug in delivery", exc_info=failure)


async def _next_of(
    tx: Transaction, app_id: str, webhook_id: str, now: int, limit: int
) -> tuple[Webhook | None, list[Delivery]]:
    """The webhook as it is now, and what is due for it."""
    return await tx.deliveries.webhook(app_id, webhook_id), await tx.deliveries.due(app_id, webhook_id, now, limit)
