"""Open and close the database around a command: the only place where the command line does."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import apsw
import asyncpg

from knownas.apps import App, AppNotFound
from knownas.cli.terminal import Refused
from knownas.database import Database
from knownas.settings import Settings, load_settings
from knownas.storage.open import open_database, sqlite_path

T = TypeVar("T")


def with_database(database: str | None, work: Callable[[Database], Awaitable[T]], *, create: bool = False) -> T:
    """What `work` makes of the database at this address, or at the one that the settings name."""
    return with_settings(load_settings(database=database), work, create=create)


def with_settings(settings: Settings, work: Callable[[Database], Awaitable[T]], *, create: bool = False) -> T:
    """The same for settings at hand. A SQLite file is made only with `create`, so that a slip of the pen makes none."""
    path = sqlite_path(settings.database)
    if path is not None and not create and not path.exists():
        raise Refused("database_not_found", f"There is no database at {path}; knownas apps create makes one")
    opened = open_database(settings.database, settings.key_file(path), settings.master_key)

    async def run() -> T:
        await _start(opened)
        try:
            return await work(opened)
        finally:
            await opened.close()

    return asyncio.run(run())


async def app_at(database: Database, app_id: str) -> App:
    """The app with this id. Raises AppNotFound."""
    app = await database.directory.app(app_id)
    if app is None:
        raise AppNotFound
    return app


def masked(url: str) -> str:
    """The address as it may be shown: without password and options, whatever characters the password has."""
    if sqlite_path(url) is not None:
        return url
    scheme, _, rest = url.partition("://")
    user_info, at, place = rest.rpartition("@")
    user, colon, _ = user_info.partition(":")
    return f"{scheme}://{user}{':***' if colon else ''}{at}{place.partition('?')[0]}"


async def _start(database: Database) -> None:
    try:
        await database.start()
    except (apsw.Error, asyncpg.PostgresError) as failure:
        raise Refused("unavailable", f"The database cannot be opened: {failure}") from failure
    except ValueError as wrong:
        # Not the error's own text: what it could not read may be a part of the password.
        raise Refused(
            "unknown_database",
            "The database address cannot be read. In its password, / is written as %2F, @ as %40, # as %23",
        ) from wrong
