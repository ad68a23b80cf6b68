"""What contract tests may ask for: a world on each engine."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.given import World, world_at
from tests.servers import fresh_database


@pytest_asyncio.fixture
async def world_on_both(database_url: str) -> AsyncIterator[World]:
    """One app in an empty database of each kind in turn."""
    async with world_at(database_url) as world:
        yield world


@pytest_asyncio.fixture
async def world_on_postgres(postgres_url: str) -> AsyncIterator[World]:
    """One app in an empty PostgreSQL database, for what can only happen where units of work overlap."""
    with fresh_database(postgres_url) as url:
        async with world_at(url) as world:
            yield world
