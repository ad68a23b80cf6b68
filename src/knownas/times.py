"""How a time is spelled wherever people or programs of others read it."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=1024)
def iso(milliseconds: int) -> str:
    """A time as `2020-05-21T15:53:30.197Z`."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_to_the_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=1024)
def _to_the_second(seconds: int) -> str:
    """Years before 1000 get their four digits too, and nothing is lost to rounding."""
    return (EPOCH + timedelta(seconds=seconds)).isoformat(timespec="seconds")[:19]
