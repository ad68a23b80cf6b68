"""Read the outbox, and see to it that one process per database does: the lease, the fan-out, the housekeeping."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Final

from knownas.database import Binding, Database
from knownas.deliveries import BEGINNING, Cursor, LostLease, Queue, Reader, Recorded, Wanted
from knownas.deliveries.fan_out import fan_out, mend, release_lease, take_lease
from knownas.deliveries.forget import AT_ONCE, forget_attempts, forget_events
from knownas.deliveries.schedule import DAY
from knownas.delivery.request import Renderer
from knownas.delivery.sender import Sender
from knownas.errors import DomainError
from knownas.transaction import Transaction
from knownas.webhooks import Webhook

BITE: Final = 200
"""Events read at once."""
POLL_S: Final = 0.2
"""How long an event of another process waits at most until it is noticed."""
SOON_S: Final = 0.01
"""After activity: on PostgreSQL, what was just committed may have to wait for others that still run."""
UNHEARD_S: Final = 0.1
"""How long events may gather while no webhook waits for any: to look after each commit would cost a login a tenth."""
QUEUES_EVERY_S: Final = 1.0
LEASE_MS: Final = 10_000
STANDBY_S: Final = 2.0
SAVED_EVERY_S: Final = 1.0
HOUSEKEEPING_EVERY_S: Final = 60.0
_log = logging.getLogger(__name__)


class Dispatcher:
    """Delivers while it holds the lease, and waits for it otherwise."""

    def __init__(
        self, database: Database, sender: Sender, renderer: Renderer, clock: Callable[[], int], *, kept_days: int
    ) -> None:
        self._database = database
        self._above: Binding = database.new_app()
        self._name = self._above.id  # as good a name for this process as any: nobody else has it
        self._sender = sender
        self._renderer = renderer
        self._clock = clock
        self._kept_ms = kept_days * DAY
        self._held: Reader | None = None
        self._read_to = BEGINNING
        self._events = asyncio.Event()
        self._stopping = asyncio.Event()
        self._first = True
        self._unheard = False

    def wake(self) -> None:
        """There may be events."""
        self._events.set()

    def stop(self) -> None:
        """End `run` soon, between two transactions."""
        self._stopping.set()
        self._events.set()

    async def run(self) -> None:
        """Deliver until it is stopped. No failure ends it: whatever it is, it is tried again."""
        while not self._stopping.is_set():
            try:
                if await self._take_lease():
                    await self._deliver()
                else:
                    await self._rest(STANDBY_S)
            except LostLease:
                self._held = None
                _log.warning("another process delivers now")
            except DomainError as failure:
                _log.warning("delivery waits: %s", failure)
                await self._rest(STANDBY_S)
            except Exception:  # noqa: BLE001  nothing would be delivered any more
                _log.exception("a bug in delivery")
                await self._rest(STANDBY_S)
            finally:
                self._sender.switch(on=False)

    async def release(self) -> None:
        """Let another process go on at once."""
        if self._held is not None:
            try:
                await self._database.write(self._above, release_lease, self._held, self._read_to)
            except DomainError as failure:
                _log.warning("the lease runs out by itself: %s", failure)

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _take_lease(self) -> bool:
        """By force only at the start, and only where one process serves: then the one before has died."""
        by_force = self._first and not self._database.shared
        self._first = False
        until = self._clock() + LEASE_MS
        held = await self._database.write(self._above, take_lease, self._name, until, by_force=by_force)
        if held is None:
            return False
        mended = None
        while mended is None:
            mended = await self._database.write(self._above, mend, held)
        self._held, self._read_to = mended, mended.cursor
        return True

    async def _deliver(self) -> None:
        """The holder's work, until somebody else takes over (LostLease) or the database is gone."""
        self._sender.switch(on=True)
        pause = SOON_S
        next_queues = next_housekeeping = monotonic()
        while not self._stopping.is_set():
            self._events.clear()
            if await self._read_on():
                pause = SOON_S
                continue
            await self._renew()
            if monotonic() >= next_queues:
                self._sender.due(await self._database.read(self._above, _queues))
                next_queues = monotonic() + QUEUES_EVERY_S
            if monotonic() >= next_housekeeping:
                await self._forget()
                next_housekeeping = monotonic() + HOUSEKEEPING_EVERY_S
            if self._unheard:
                await self._rest(UNHEARD_S)
            try:
                await asyncio.wait_for(self._events.wait(), pause)
                pause = SOON_S
            except TimeoutError:
                pause = min(2 * pause, POLL_S)

    async def _read_on(self) -> bool:
        """Make deliveries of the next events; whether there were any."""
        newest, events = await self._database.read(self._above, _next_events, self._read_to)
        self._unheard = newest is not None
        if newest is not None:
            # Nobody is to be told of anything. Where we are need not be written down each time.
            self._read_to = max(self._read_to, newest)
            return False
        if not events:
            return False
        # After the events: a webhook that was there when they were committed is there now.
        webhooks = await self._database.read(self._above, _webhooks_of, events)
        wanted = [
            Wanted(webhook, event)
            for event in events
            for webhook in webhooks.get(event.app_id, ())
            if self._wants(webhook, event)
        ]
        self._read_to = events[-1].cursor
        if wanted:
            await self._move(wanted)
            now = self._clock()
            self._sender.due([Queue(one.webhook.app_id, one.webhook.id, now) for one in _one_each(wanted)])
        return True

    async def _move(self, wanted: list[Wanted]) -> None:
        assert self._held is not None  # noqa: S101
        until = self._clock() + LEASE_MS
        self._held = await self._database.write(self._above, fan_out, self._held, self._read_to, until, wanted)

    async def _renew(self) -> None:
        """Keep the lease where others want it, and write down now and then how far we are."""
        assert self._held is not None  # noqa: S101
        left = self._held.held_until - self._clock()
        moved = self._held.cursor != self._read_to and left < LEASE_MS - SAVED_EVERY_S * 1000
        if moved or (self._database.shared and left < LEASE_MS / 2):
            await self._move([])

    def _wants(self, webhook: Webhook, event: Recorded) -> bool:
        """One event that cannot be understood must not hold up all others; it can be delivered again for weeks."""
        try:
            return self._renderer.wants(webhook, event)
        except Exception:  # noqa: BLE001
            _log.exception("a bug: event %s of type %s was passed over", event.id, event.type)
            return False

    async def _forget(self) -> None:
        """Remove what is older than events are kept."""
        before = self._clock() - self._kept_ms
        await self._all_of(forget_events, before)
        for app_id, webhook_id in await self._database.read(self._above, _logged):
            await self._all_of(forget_attempts, app_id, webhook_id, before)

    async def _all_of(self, forget: Callable[..., Awaitable[int]], *args: Any) -> None:
        """In bites, and with time for everybody else between them."""
        while await self._database.write(self._above, forget, *args) >= AT_ONCE:
            await asyncio.sleep(SOON_S)
            await self._renew()


async def _next_events(tx: Transaction, cursor: Cursor) -> tuple[Cursor | None, list[Recorded]]:
    """The next events; or where the newest is, when no webhook anywhere waits for any."""
    if not await tx.deliveries.any_live_webhook():
        newest = await tx.outbox.newest()
        # Asked again: what was committed behind a webhook that was made just now must not be passed over.
        if not await tx.deliveries.any_live_webhook():
            return newest, []
    return None, await tx.outbox.after(cursor, BITE)


async def _webhooks_of(tx: Transaction, events: list[Recorded]) -> dict[str, list[Webhook]]:
    found: dict[str, list[Webhook]] = {}
    for webhook in await tx.deliveries.live_webhooks(sorted({event.app_id for event in events})):
        found.setdefault(webhook.app_id, []).append(webhook)
    return found


async def _queues(tx: Transaction) -> list[Queue]:
    return await tx.deliveries.queues()


async def _logged(tx: Transaction) -> list[tuple[str, str]]:
    return await tx.deliveries.logged()


def _one_each(wanted: list[Wanted]) -> list[Wanted]:
    return list({one.webhook.id: one for one in wanted}.values())
