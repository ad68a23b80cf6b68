"""Delivery as the server runs it: started with it, and stopped with it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from knownas.database import Database
from knownas.delivery.dispatcher import Dispatcher
from knownas.delivery.request import Renderer
from knownas.delivery.sender import Sender

PATIENCE_S: Final = 5.0
"""How long a stopping server waits for calls that are under way."""


@asynccontextmanager
async def delivering(
    database: Database,
    renderer: Renderer,
    clock: Callable[[], int],
    jitter: Callable[[], float],
    *,
    private_too: bool,
    kept_days: int,
) -> AsyncIterator[None]:
    """Deliver while the block runs. `clock` is in milliseconds, `jitter` a random number from 0 to 1.

    At its end, calls under way are waited for; what is abandoned is sent again by whoever delivers next.
    """
    from knownas.delivery.post import Poster  # a large library, for the server and not for each command

    async with Poster(private_too=private_too) as posts:
        sender = Sender(database, posts, renderer, clock, jitter)
        dispatcher = Dispatcher(database, sender, renderer, clock, kept_days=kept_days)
        database.on_events(dispatcher.wake)
        reading = asyncio.create_task(dispatcher.run())
        writing = asyncio.create_task(sender.ledger.run())
        try:
            yield
        finally:
            dispatcher.stop()
            await _end(reading)
            await sender.finish(PATIENCE_S)
            sender.ledger.close()
            await _end(writing)
            await dispatcher.release()


async def _end(task: asyncio.Task[None]) -> None:
    """Wait for it, but not for ever."""
    await asyncio.wait([task], timeout=PATIENCE_S)
    if task.cancel():
        await asyncio.wait([task])
