"""`knownas audit`: who did what, and whether the log is whole; `knownas users why`: why somebody has what she has."""

from typing import Annotated

import typer

from knownas.audit import Entry
from knownas.audit.verify import Verified, verify_audit
from knownas.cli.acting import AppOption
from knownas.cli.database import app_at, with_database
from knownas.cli.terminal import DatabaseOption, JsonOption, printable, say, show_fields, show_json, show_table
from knownas.database import Database
from knownas.http.admin import wire
from knownas.identities.provenance import Provenance, explain_identities
from knownas.times import iso
from knownas.transaction import Transaction
from knownas.users.find import get_user

commands = typer.Typer(help="The audit log: who did what, and whether nobody changed it.", no_args_is_help=True)


@commands.command("list")
def list_some(
    app: AppOption,
    after: Annotated[int, typer.Option("--after", min=0, help="Go on behind this entry.")] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000)] = 100,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what was done, in order."""
    found = with_database(database, lambda opened: _entries(opened, app, after, limit))
    if as_json:
        show_json({"entries": [wire.entry(one) for one in found]})
        return
    show_table(
        ("entry", "when", "who", "what", "about", "reason"),
        [
            (one.number, iso(one.at), one.actor, one.action, ", ".join(one.subjects),
             "(erased)" if one.details is None else one.details.get("note", ""))
            for one in found
        ],
    )  # fmt: skip


@commands.command("verify")
def verify(
    app: AppOption,
    expected: Annotated[
        str | None, typer.Option("--expected", help="A head that was noted down earlier: it must still be in the log.")
    ] = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the chain. Ends with status 1 where an entry was changed, put in or taken out."""
    verified = with_database(database, lambda opened: _verify(opened, app, expected))
    if as_json:
        show_json(
            {
                "entries": verified.entries,
                "erasedDetails": verified.erased_details,
                "head": verified.head,
                "broken": verified.broken,
            }
        )
    elif verified.broken is None:
        show_fields(
            [
                ("entries", verified.entries),
                ("details erased", verified.erased_details),
                ("head", verified.head),
                ("chain", "whole"),
            ]
        )
    else:
        say(f"The log was changed. {verified.broken}")
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
        show_json({"identities": [wire.provenance(one) for one in found]})
        return
    for one in found:
        say(printable(f"{one.type} {one.value}"))
        show_table(("when", "what", "by"), [(iso(step.at), step.text, step.by) for step in one.steps])
        say("")


async def _entries(database: Database, app_id: str, after: int, limit: int) -> list[Entry]:
    async def page(tx: Transaction) -> list[Entry]:
        return await tx.audit.page(after=after, limit=limit)

    return await database.read(await app_at(database, app_id), page)


async def _verify(database: Database, app_id: str, expected: str | None) -> Verified:
    return await database.read(await app_at(database, app_id), verify_audit, expected)


async def _why(database: Database, app_id: str, reference: str) -> list[Provenance]:
    async def explain(tx: Transaction) -> list[Provenance]:
        return await explain_identities(tx, await get_user(tx, reference))

    return await database.read(await app_at(database, app_id), explain)
