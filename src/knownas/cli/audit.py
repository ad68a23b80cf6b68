"""`knownas audit`: who did what, and whether the log is whole; `knownas users why`: why somebody has what she has."""

from typing import Annotated

import typer
from msgspec import structs

from knownas import documents
from knownas.audit import NUMBER_AT_MOST, ORIGIN, Entry, Head, head_of
from knownas.audit.find import list_entries
from knownas.audit.verify import Verified, verify_audit
from knownas.cli.database import app_at, with_database
from knownas.cli.terminal import (
    AppOption,
    DatabaseOption,
    JsonOption,
    Refused,
    go_on,
    printable,
    progress,
    say,
    show_fields,
    show_json,
    show_table,
)
from knownas.database import Database
from knownas.identities.provenance import Provenance, explain_user
from knownas.times import iso

commands = typer.Typer(help="The audit log: who did what, and whether nobody changed it.", no_args_is_help=True)


@commands.command("list")
def list_some(
    app: AppOption,
    after: Annotated[int, typer.Option("--after", min=0, max=NUMBER_AT_MOST, help="Go on behind this entry.")] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many at most.")] = 100,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what was done, in order."""
    found = with_database(database, lambda opened: _entries(opened, app, after, limit + 1))
    page = documents.page("entries", [documents.entry(one) for one in found], limit, after, place="number")
    if as_json:
        show_json(page)
        return
    show_table(
        ("entry", "when", "who", "what", "about", "reason"),
        [
            (one.number, iso(one.at), one.actor, one.action, ", ".join(one.subjects),
             "(erased)" if one.details is None else one.details.get("note", ""))
            for one in found[:limit]
        ],
    )  # fmt: skip
    go_on(page)


@commands.command("verify")
def verify(
    app: AppOption,
    expected: Annotated[
        str | None,
        typer.Option("--expected", metavar="HEAD", help="A head noted down earlier: it must still be in the log."),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option("--after", metavar="HEAD", help="Check only what is behind this head, noted down earlier."),
    ] = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the chain. Ends with status 1 where an entry was changed, put in or taken out.

    Note the head down elsewhere: with --expected it shows later that the end of the log was not cut off.
    """
    start, noted = (head_of(after) if after else ORIGIN), (head_of(expected) if expected else None)
    if noted is not None and noted.number < start.number:
        raise Refused("bad_request", "--expected lies before --after, so it would not be looked at")
    verified = with_database(database, lambda opened: _verify(opened, app, noted, start, quiet=as_json))
    if as_json:
        shown = documents.verified(verified)
        show_json({name: shown[name] for name in ("entries", "erasedDetails", "head", "broken")})
    elif verified.broken is None:
        show_fields(
            [
                ("entries", verified.entries),
                ("details erased", verified.erased_details),
                ("head", verified.head),
                ("chain", "whole" if start == ORIGIN else f"whole behind entry {start.number}"),
            ]
        )
    else:
        say(f"The log was changed, at {verified.broken}.")
        say(f"It holds up to {verified.head}." if verified.head.number else "Nothing of it holds.")
    if verified.broken is not None:
        raise typer.Exit(1)


def why(
    user: Annotated[str, typer.Argument(help="An id or an external id.")],
    app: AppOption,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Why each identity of a user sits where it sits: who asserted it, and each act that moved it."""
    found = with_database(database, lambda opened: _why(opened, app, user))
    if as_json:
        show_json({"identities": [documents.provenance(one) for one in found]})
        return
    for one in found:
        say(printable(f"{one.type} {one.value}"))
        show_table(("when", "what", "by"), [(iso(step.at), step.text, step.by) for step in one.steps])
        say("")


async def _entries(database: Database, app_id: str, after: int, limit: int) -> list[Entry]:
    return await database.read(await app_at(database, app_id), list_entries, after, limit)


async def _verify(database: Database, app_id: str, expected: Head | None, head: Head, *, quiet: bool) -> Verified:
    """Stretch by stretch, so that a long log is neither read at once nor waited for in the dark."""
    app, entries, erased = await app_at(database, app_id), 0, 0
    with progress("checking the log", quiet=quiet) as how_far:
        while True:
            some = await database.read(app, verify_audit, expected, after=head)
            entries, erased, head = entries + some.entries, erased + some.erased_details, some.head
            if some.broken is not None or not some.more:
                return structs.replace(some, entries=entries, erased_details=erased)
            how_far(f"{entries} entries")


async def _why(database: Database, app_id: str, reference: str) -> list[Provenance]:
    _, found = await database.read(await app_at(database, app_id), explain_user, reference)
    return found
