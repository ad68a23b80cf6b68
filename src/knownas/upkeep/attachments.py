"""Keep files and attachments in step: each without the other is removed."""

import logging
from typing import Final

from msgspec import Struct

from knownas.apps import App, AppSettings
from knownas.attachments import Files, Gone
from knownas.attachments.delete import forget_attachments
from knownas.attachments.sweep import SETTLED_MS, difference, files_to_remove, forget_lost, next_app
from knownas.database import Database

REMOVED_AT_ONCE: Final = 200
LOOKED_AT_ONCE: Final = 500
APPS_AT_ONCE: Final = 50
LOOK_EVERY_MS: Final = 600_000
"""A look lists files, which a bucket's owner pays for."""
TIDIED_AFTER_MS: Final = 24 * SETTLED_MS
_log = logging.getLogger(__name__)


class Position(Struct):
    """Where the next look goes on: in this app after this file, or with the app after it. `looked_at` is in ms."""

    app_id: str = ""
    after: str | None = None
    looked_at: int = 0


class Swept(Struct):
    """What one sweep removed."""

    removed: int = 0
    """Files of attachments that were removed by somebody."""
    unknown: int = 0
    """Files that no attachment names."""
    lost: int = 0
    """Attachments whose file is not there."""
    unfinished: int = 0
    """Files that began to arrive a day ago and never ended."""


class _Bound(Struct, frozen=True):
    """A Binding to an app that may be gone, or to none."""

    id: str = ""
    settings: AppSettings = AppSettings()


async def run_once(database: Database, files: Files, position: Position, now: int) -> Swept:
    """One bounded sweep; `now` is in milliseconds. Call it every half minute, in one process of those that serve.

    The files of what was removed go each time. Every ten minutes it also looks at some hundred files from `position`
    on, which is moved. Files of an app that this database does not know are left alone: they may be another
    installation's. Raises Unavailable.
    """
    swept = Swept(await remove_files(database, files))
    if now - position.looked_at >= LOOK_EVERY_MS:
        position.looked_at = now
        swept.unfinished = await files.tidy(now - TIDIED_AFTER_MS)
        await _look(database, files, position, swept)
    if swept != Swept():
        _log.info(
            "attachments swept: %d files of removed ones, %d files of none, %d ones without a file, %d unfinished",
            swept.removed, swept.unknown, swept.lost, swept.unfinished,
        )  # fmt: skip
    return swept


async def remove_files(database: Database, files: Files) -> int:
    """Remove the files of some of what was removed, and then its last trace; how many. Raises Unavailable."""
    by_app: dict[str, list[str]] = {}
    gone: list[Gone] = await database.read(_Bound(), files_to_remove, REMOVED_AT_ONCE)
    for one in gone:
        await files.remove(one.app_id, one.name)
        by_app.setdefault(one.app_id, []).append(one.name)
    for app_id, names in by_app.items():
        await database.write(_Bound(app_id), forget_attachments, names)
    return len(gone)


async def _look(database: Database, files: Files, position: Position, swept: Swept) -> None:
    """Go through apps, and in each through its files, until enough of either were looked at."""
    looked = apps = 0
    while looked < LOOKED_AT_ONCE and apps < APPS_AT_ONCE:
        if position.after is None:
            following = await database.read(_Bound(), next_app, position.app_id)
            position.app_id, position.after = following or "", None if following is None else ""
            if following is None:
                return
        apps += 1
        app = await database.directory.app(position.app_id)
        if app is None or position.after is None:
            position.after = None
            continue
        looked += await _compare(database, files, app, position, swept)


async def _compare(database: Database, files: Files, app: App, position: Position, swept: Swept) -> int:
    """Compare the app's next files and attachments and remove what has no counterpart; how many files there were."""
    after = position.after or ""
    page = await files.page(app.id, after, LOOKED_AT_ONCE)
    found = await database.read(app, difference, page, after, LOOKED_AT_ONCE)
    for name in found.unknown:
        await files.remove(app.id, name)
    swept.unknown += len(found.unknown)
    lost = [name for name in found.lost if not await files.exists(app.id, name)]
    if lost and not (page or await files.page(app.id, "", 1)):
        # Then it is the store that is the wrong one, or not there, as when a disk is not mounted.
        _log.error("app %s has attachments and no file: is the attachments' folder or bucket the right one?", app.id)
    elif lost:
        await database.write(app, forget_lost, lost)
        swept.lost += len(lost)
    position.after = found.following
    return len(page)
