"""`knownas events`: what happened in an app, in the order in which it was committed."""

import sys
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import typer

from knownas import documents
from knownas.apps import App
from knownas.cli.database import app_at, with_database
from knownas.cli.terminal import AppOption, DatabaseOption, JsonOption, Refused, progress, say, show_json, show_table
from knownas.cli.times import time_of
from knownas.database import Database
from knownas.deliveries import BEGINNING, LISTED_AT_MOST, Cursor, Recorded, cursor_of
from knownas.deliveries.redeliver import list_events, start_at
from knownas.storage.chance import now_ms
from knownas.times import iso

commands = typer.Typer(
    help="Events: what happened, in the order of commit, for as long as it is kept.", no_args_is_help=True
)


@commands.command("list")
def list_some(
    app: AppOption,
    after: Annotated[
        str | None, typer.Option("--after", metavar="CURSOR", help="Go on behind this cursor, from an earlier answer.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Begin shortly before a time, or 90m, 12h, 3d ago.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=LISTED_AT_MOST, help="How many at most.")] = 100,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """List an app's events, oldest first, with the cursor to go on from.

    An answer with no events means that there are none yet behind the cursor; the same cursor will find what comes.
    """
    begin = _begin(after, since)
    start, found = with_database(database, lambda opened: _list(opened, app, begin, limit + 1))
    page = documents.page("events", [_shown(event) for event in found], limit, str(start), place="cursor")
    if as_json:
        show_json(page)
        return
    rows = [(iso(event.created_at), event.id, event.type, event.stream, event.seq) for event in found[:limit]]
    show_table(("time", "event", "type", "stream", "seq"), rows)
    say(f"\n{'There is more' if page['hasMore'] else 'What comes later'}: --after {page['next']}")


@commands.command("replay")
def replay(
    app: AppOption,
    after: Annotated[str | None, typer.Option("--after", metavar="CURSOR", help="Begin behind this cursor.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Begin shortly before a time, or 90m, 12h, 3d ago.")
    ] = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print every event up to now, oldest first, one JSON object a line; with --json, one document."""
    begin = _begin(after, since)
    kept: list[dict[str, Any]] = []
    tell = kept.append if as_json else _say_line
    # On a terminal the lines themselves show that it goes on.
    quiet = as_json or sys.stdout.isatty()
    cursor = with_database(database, lambda opened: _replay(opened, app, begin, tell, quiet=quiet))
    if as_json:
        show_json({"events": kept, "hasMore": False, "next": str(cursor)})


def _begin(after: str | None, since: str | None) -> Cursor | int:
    """Where to begin: behind a cursor, or at a time in milliseconds."""
    if after is not None and since is not None:
        raise Refused("bad_request", "Begin in one way: --after or --since")
    if since is not None:
        return time_of(since, "--since", now_ms())
    return cursor_of(after) if after is not None else BEGINNING


def _say_line(event: dict[str, Any]) -> None:
    say(msgspec.json.encode(event).decode())


async def _replay(
    database: Database, app_id: str, begin: Cursor | int, tell: Callable[[dict[str, Any]], None], *, quiet: bool
) -> Cursor:
    app = await app_at(database, app_id)
    cursor, count = await _start(database, app, begin), 0
    until = now_ms()  # what comes while this runs is for the next time, or a busy app would have no end
    with progress("replaying", quiet=quiet) as how_far:
        while found := await database.read(app, list_events, cursor, LISTED_AT_MOST):
            for event in found:
                tell(_shown(event))
            cursor, count = found[-1].cursor, count + len(found)
            how_far(f"{count} events")
            if found[-1].created_at > until:
                break
    return cursor


async def _list(database: Database, app_id: str, begin: Cursor | int, limit: int) -> tuple[Cursor, list[Recorded]]:
    app = await app_at(database, app_id)
    start = await _start(database, app, begin)
    return start, await database.read(app, list_events, start, limit)


async def _start(database: Database, app: App, begin: Cursor | int) -> Cursor:
    return begin if isinstance(begin, Cursor) else await database.read(app, start_at, begin)


def _shown(event: Recorded) -> dict[str, Any]:
    return documents.event(event) | {"body": msgspec.json.decode(event.body)}
