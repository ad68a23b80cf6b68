"""Write down what came of deliveries, many in one transaction: a thousand a second cost a few dozen commits."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from knownas.database import Binding, Database
from knownas.deliveries import Health, Settled
from knownas.deliveries.settle import settle
from knownas.delivery.lanes import Lane
from knownas.errors import DomainError

GATHERED_S: Final = 0.005
AT_ONCE: Final = 500
PATIENCE_S: Final = 1.0
_log = logging.getLogger(__name__)
Written = Callable[[Lane, Settled], None]


class Ledger:
    """What is entered is written soon, in order; until then its lane holds it, so that it is not sent again."""

    def __init__(self, database: Database, written: Written) -> None:
        self._database = database
        self._above: Binding = database.new_app()
        self._written = written
        self._entries: list[tuple[Lane, Settled]] = []
        self._entered = asyncio.Event()
        self._closing = False

    def enter(self, lane: Lane, settled: Settled) -> None:
        """To be written down."""
        self._entries.append((lane, settled))
        self._entered.set()

    def close(self) -> None:
        """Nothing will be entered any more: `run` ends when all is written."""
        self._closing = True
        self._entered.set()

    async def run(self) -> None:
        """Write until the ledger is closed."""
        while self._entries or not self._closing:
            if not self._entries:
                await self._entered.wait()
                await asyncio.sleep(GATHERED_S)
            try:
                await self._flush()
            except DomainError as failure:
                # They stay in memory, held by their lanes, which load nothing more once there are many.
                _log.warning("what came of deliveries could not be written down yet: %s", failure)
                await asyncio.sleep(PATIENCE_S)
            except Exception:  # noqa: BLE001  a ledger that has stopped would stop all delivery
                _log.exception("a bug in delivery")
                await asyncio.sleep(PATIENCE_S)

    async def _flush(self) -> None:
        self._entered.clear()
        while self._entries:
            batch = self._entries[:AT_ONCE]
            changed = [lane for lane in dict.fromkeys(lane for lane, _ in batch) if lane.unsaved]
            health = [Health(lane.app_id, lane.webhook_id, lane.failing_since) for lane in changed]
            await self._database.write(self._above, settle, [settled for _, settled in batch], health)
            del self._entries[: len(batch)]
            for lane, written in zip(changed, health, strict=True):
                lane.unsaved = lane.failing_since != written.failing_since
            for lane, settled in batch:
                self._written(lane, settled)
