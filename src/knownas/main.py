"""Put the parts together: the only place where storage, facades and settings meet."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from knownas.database import Database
from knownas.http import pages, sdk, sunshine_v2
from knownas.http.edge import Edge
from knownas.http.metrics import Metrics
from knownas.http.services import Services
from knownas.keys.verified import VerifiedTokens
from knownas.settings import Settings, load_settings
from knownas.storage.open import database_at, sqlite_path
from knownas.storage.vault import Vault, load_master_key


def open_database(settings: Settings) -> Database:
    """The database that the settings name, with the master key that opens its secrets; not started yet.

    Raises UnknownDatabase and InvalidMasterKey.
    """
    key_file = settings.key_file(sqlite_path(settings.database))
    return database_at(settings.database, Vault(load_master_key(key_file, settings.master_key)))


def create_app(settings: Settings | None = None) -> Edge:
    """The ASGI application; it opens and closes its database with its lifespan."""
    settings = settings or load_settings()
    database = open_database(settings)
    services = Services(
        database=database,
        tokens=VerifiedTokens(),
        metrics=Metrics(),
        clock=time.time,
        public_url=settings.public_url.rstrip("/") or None,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        await database.start()
        try:
            yield {}
        finally:
            await database.close()

    site = Starlette(
        routes=[Route(path, pages.served_with(services, page)) for path, page in pages.PAGES.items()], lifespan=lifespan
    )
    return Edge(services, [sunshine_v2.FACADE, sdk.FACADE], site)
