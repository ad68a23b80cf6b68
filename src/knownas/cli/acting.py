"""What the commands share that act on users: show a plan, ask, carry it out with a reason."""

import getpass
import sys
from typing import Annotated, Any

import typer

from knownas import documents
from knownas.audit import Head
from knownas.cli.database import app_at, with_database
from knownas.cli.terminal import (
    AppOption,
    DatabaseOption,
    JsonOption,
    Refused,
    printable,
    say,
    show_fields,
    show_json,
    show_table,
)
from knownas.database import Database
from knownas.plans import Done, Party, Plan, PlanRequest, ReasonMissing, check_reason
from knownas.plans.carry_out import carry_out
from knownas.plans.make import make_plan
from knownas.resolutions import By
from knownas.times import iso

ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it goes into the audit log.", show_default=False)]
YesOption = Annotated[
    bool, typer.Option("--yes", help="Do not ask. With --json, or where there is no terminal, nothing is done without.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only show the plan; knownas carry-out does exactly that within the hour.")
]
_HOW = "say --yes; or look with --dry-run, and have knownas carry-out do exactly what that showed"


def actor() -> str:
    """Who is at the terminal, for the audit log."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user may have no name
        return "cli"


def act(
    app_id: str, request: PlanRequest, reason: str, *, database: str | None, as_json: bool, yes: bool, dry_run: bool
) -> None:
    """Make a plan, show it, ask unless told not to, and carry out exactly that plan.

    --json never asks, not even on a terminal: what reads it is a program. Whatever is missing is said before a plan is
    made, so that a refusal leaves nothing behind.
    """
    if not dry_run:
        _check_reason(reason)
        if not yes and (as_json or not sys.stdin.isatty()):
            why = "--json never asks" if as_json else "There is no terminal to ask at"
            raise Refused("not_confirmed", f"{why}, so nothing was done: {_HOW}")
    plan = with_database(database, lambda opened: _plan(opened, app_id, request))
    if not as_json:
        _show(plan)
    if dry_run:
        if as_json:
            show_json({"plan": documents.plan(plan)})
        else:
            how = f'knownas carry-out {plan.id} --app {app_id} --reason "..."'
            say(f"\nNothing was done. Do exactly this with: {how}")
        return
    if not yes and not typer.confirm("\nDo this?", err=True):
        raise Refused("declined", "Nothing was done")
    done = with_database(database, lambda opened: _carry_out(opened, app_id, plan.id, reason))
    _show_done(done, app_id, {"plan": documents.plan(plan)}, as_json=as_json)


def _check_reason(reason: str) -> None:
    """Say how a reason is given here, where the core would only say that there is none."""
    try:
        check_reason(reason)
    except ReasonMissing as missing:
        raise Refused(missing.code, f'{missing}. Say it with --reason "..."') from missing


def carry_out_plan(
    plan_id: Annotated[str, typer.Argument(metavar="PLAN", help="The id that a preview named.")],
    app: AppOption,
    reason: ReasonOption = "",
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do exactly what a preview showed, within the hour, unless what it is about has changed since."""
    _check_reason(reason)
    done = with_database(database, lambda opened: _carry_out(opened, app, plan_id, reason))
    _show_done(done, app, {}, as_json=as_json)


def _show_done(done: Done, app_id: str, shown: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json({**shown, "done": documents.done(done)})
        return
    fields: list[tuple[str, Any]] = [("user", done.user_id)]
    if done.receipt:
        fields.append(("receipt", done.receipt.id))
    fields += [("goes on in", new) for new in done.continued.values()]
    say("\nDone." if shown else "Done.")
    show_fields([*fields, ("audit entry", str(Head(done.audit_number, done.audit_hash)))])
    act_id = done.resolution.id if done.resolution else done.merge_id
    if act_id and done.kind != "undo":  # a line of its own, which no table breaks in two
        say(f'Undo it with: knownas undo {act_id} --app {app_id} --reason "..."')


def _show(plan: Plan) -> None:
    preview = plan.preview
    say(f"Plan {plan.id}, until {iso(plan.expires_at)}")
    for sentence in preview.does:
        say(f"- {printable(sentence)}")
    for warning in preview.warnings:
        say(f"! {printable(warning)}")
    for one in preview.parties:
        say("")
        show_fields(
            [
                (one.role, " ".join(filter(None, (one.user_id or "no user yet", one.display_name)))),
                ("external id", one.external_id),
                ("identities", ", ".join(f"{type} {value}" for type, value in one.identities) or None),
                ("has", _has(one)),
            ]
        )
    if preview.removes:
        say("")
        show_table(("removes", "rows"), sorted(preview.removes.items()))
    if preview.discarded_metadata:
        names = ", ".join(printable(name) for name in sorted(preview.discarded_metadata))
        say(f"\nMetadata that does not fit: {names}")


def _has(party: Party) -> str:
    counted = (
        (party.conversations, "conversation"),
        (party.messages, "message"),
        (party.devices, "device"),
        (party.clients, "other client"),
    )
    has = [f"{number} {what}{'' if number == 1 else 's'}" for number, what in counted if number]
    return ", ".join(has) or "nothing yet"


async def _plan(database: Database, app_id: str, request: PlanRequest) -> Plan:
    return await database.write(await app_at(database, app_id), make_plan, request, actor())


async def _carry_out(database: Database, app_id: str, plan_id: str, reason: str) -> Done:
    return await database.write(await app_at(database, app_id), carry_out, plan_id, By(actor(), reason))
