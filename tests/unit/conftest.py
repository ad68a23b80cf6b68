"""What unit tests may ask for: a world on SQLite, with a clock of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from knownas.storage import sqlite
from tests.given import Clock, World, world_at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of the world's transactions."""
    clock = Clock()
    monkeypatch.setattr(sqlite, "now_ms", clock)
    return clock


@pytest_asyncio.fixture
async def world(tmp_path: Path, clock: Clock) -> AsyncIterator[World]:
    """One app in an empty SQLite database."""
    async with world_at(f"sqlite:///{tmp_path / 'knownas.db'}") as world:
        yield world
