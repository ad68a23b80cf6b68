"""What is left for the garbage collector, which stops everything while it runs."""

import gc
from collections.abc import Awaitable, Callable


async def left_behind(doing: Callable[[int], Awaitable[object]], times: int) -> int:
    """How many objects wait for the collector after `doing` was done so often, once before to warm up.

    asyncpg leaves a few that even the collector cannot free where a connection breaks in the middle of `fetchmany`;
    what is found twice in a row was there before.
    """
    await doing(0)
    gc.collect()
    for_ever = gc.collect()
    gc.disable()
    try:
        for number in range(1, times + 1):
            await doing(number)
        return gc.collect() - for_ever
    finally:
        gc.enable()
