"""`knownas events`: what happened in an app, in the order in which it was committed."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import typer

from knownas.cli.database import app_at, with_database
from knownas.cli.terminal import DatabaseOption, JsonOption, Refused, say, show_json, show_table
from knownas.cli.times import time_of
from knownas.database import Database
from knownas.deliveries import BEGINNING, LISTED_AT_MOST, Cursor, Recorded, cursor_of
from knownas.deliveries.redeliver import list_events, start_at
from knownas.http.wire import iso
from knownas.storage.chance import now_ms

AppOption = Annotated[str, typer.Option("--app", help="The app.")]
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
    if after is not None and since is not None:
        raise Refused("bad_request", "Begin in one way: --after or --since")
    start = cursor_of(after) if after is not None else BEGINNING
    from_time = time_of(since, "--since", now_ms()) if since is not None else None
    found = with_database(database, lambda opened: _list(opened, app, start, from_time, limit))
    cursor = str(found[-1].cursor if found else start)
    if as_json:
        show_json({"events": [_shown(event) for event in found], "cursor": cursor})
        return
    rows = [(iso(event.created_at), event.id, event.type, event.stream, event.seq) for event in found]
    show_table(("time", "event", "type", "stream", "seq"), rows)
    say(f"\nGo on with: --after {cursor}")


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
    if after is not None and since is not None:
        raise Refused("bad_request", "Begin in one way: --after or --since")
    start = cursor_of(after) if after is not None else BEGINNING
    from_time = time_of(since, "--since", now_ms()) if since is not None else None
    kept: list[dict[str, Any]] = []
    tell = kept.append if as_json else _say_line
    cursor = with_database(database, lambda opened: _replay(opened, app, start, from_time, tell))
    if as_json:
        show_json({"events": kept, "cursor": str(cursor)})


def _say_line(event: dict[str, Any]) -> None:
    say(msgspec.json.encode(event).decode())


async def _replay(
    database: Database, app_id: str, cursor: Cursor, since: int | None, tell: Callable[[dict[str, Any]], None]
) -> Cursor:
    app = await app_at(database, app_id)
    if since is not None:
        cursor = await database.read(app, start_at, since)
    until = now_ms()  # what comes while this runs is for the next time, or a busy app would have no end
    while found := await database.read(app, list_events, cursor, LISTED_AT_MOST):
        for event in found:
            tell(_shown(event))
        cursor = found[-1].cursor
        if found[-1].created_at > until:
            break
    return cursor


async def _list(database: Database, app_id: str, start: Cursor, since: int | None, limit: int) -> list[Recorded]:
    app = await app_at(database, app_id)
    if since is not None:
        start = await database.read(app, start_at, since)
    return await database.read(app, list_events, start, limit)


def _shown(event: Recorded) -> dict[str, Any]:
    return {
        "id": event.id,
        "type": event.type,
        "createdAt": iso(event.created_at),
        "stream": event.stream,
        "seq": event.seq,
        "cursor": str(event.cursor),
        "body": msgspec.json.decode(event.body),
    }
