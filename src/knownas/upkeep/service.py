"""Upkeep as the server runs it: started with it, and stopped with it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from knownas.apps.delete import removed_apps, sweep_app
from knownas.attachments import Files
from knownas.attachments.sweep import next_app
from knownas.conversations.retain import retain
from knownas.database import Database
from knownas.errors import DomainError
from knownas.leases.take import take_lease
from knownas.upkeep import attachments

LEASE: Final = "upkeep"
EVERY_S: Final = 30.0
FILES_EVERY_S: Final = 2.0
"""How soon the file of a removed attachment is removed (R10). Looking costs one step along an index."""
LEASE_MS: Final = 90_000
RETAIN_EVERY_MS: Final = 600_000
_log = logging.getLogger(__name__)


class Upkeep:
    """All the work, in one process of those that serve: the one that has the lease."""

    def __init__(self, database: Database, files: Files, clock: Callable[[], int]) -> None:
        self._database = database
        self._files = files
        self._clock = clock
        self._above = database.new_app()
        self._name = self._above.id  # as good a name for this process as any
        self._position = attachments.Position()
        self._retained_at = 0
        self._ours_until = 0

    async def run(self) -> None:
        """Work until cancelled. No failure ends it."""
        while True:
            try:
                await self.run_once()
            except DomainError as failure:
                _log.warning("upkeep waits: %s", failure)
            except Exception:  # noqa: BLE001  the next time may be better
                _log.exception("a bug in upkeep")
            await self._between()

    async def run_once(self) -> None:
        """One round, when it is this process's to do. Raises Unavailable."""
        self._ours_until = 0
        until = self._clock() + LEASE_MS
        if not await self._database.write(self._above, take_lease, LEASE, self._name, until):
            return
        for app_id in await self._database.read(self._above, removed_apps):
            await self._database.write(self._above, sweep_app, app_id)
        if self._clock() - self._retained_at >= RETAIN_EVERY_MS:
            self._retained_at = self._clock()
            await self._retain()
        # Last: it also asks a store of files, which may be away.
        await attachments.run_once(self._database, self._files, self._position, self._clock())
        self._ours_until = until

    async def _between(self) -> None:
        """Wait for the next round. What somebody removes meanwhile loses its file soon, if the last round went well."""
        until = self._clock() + int(EVERY_S * 1000)
        while self._clock() < until:
            await asyncio.sleep(FILES_EVERY_S)
            if self._clock() < self._ours_until:
                try:
                    await attachments.remove_files(self._database, self._files)
                except Exception as failure:  # noqa: BLE001  the next round says more of it
                    _log.warning("removing files waits: %s", type(failure).__name__)
                    self._ours_until = 0

    async def _retain(self) -> None:
        """Let go of what apps do not want to keep, in bites."""
        app_id = await self._database.read(self._above, next_app, "")
        while app_id is not None:
            app = await self._database.directory.app(app_id)
            if app is not None and app.settings.conversation_retention_seconds:
                after: str | None = ""
                while after is not None:
                    after = await self._database.write(app, retain, after)
            app_id = await self._database.read(self._above, next_app, app_id)


@asynccontextmanager
async def keeping_up(database: Database, files: Files, clock: Callable[[], int]) -> AsyncIterator[None]:
    """Do the work while the block runs. `clock` is in milliseconds."""
    task = asyncio.create_task(Upkeep(database, files, clock).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
