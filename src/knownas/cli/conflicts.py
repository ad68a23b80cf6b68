"""`knownas conflicts`, `merge`, `undo` and `erase`: what operators do about who is who."""

from typing import Annotated, Literal

import typer
from msgspec import UNSET

from knownas import documents
from knownas.apps import App, ConflictPolicy
from knownas.cli.acting import DryRunOption, ReasonOption, YesOption, act, actor
from knownas.cli.database import app_at, with_database
from knownas.cli.terminal import (
    AppOption,
    DatabaseOption,
    JsonOption,
    Refused,
    go_on,
    say,
    show_fields,
    show_json,
    show_table,
)
from knownas.conflicts import LISTED_AT_MOST, Case, CaseState, Evidence, ShadowCount
from knownas.conflicts.find import get_case, list_cases
from knownas.conflicts.set_policy import UNDO_DAYS_AT_MOST, PolicyChanges, set_policy
from knownas.database import Database
from knownas.ids import is_id
from knownas.plans import PlanRequest
from knownas.plans.party import named
from knownas.resolutions import By, Resolution
from knownas.times import iso
from knownas.transaction import Transaction
from knownas.users import User

commands = typer.Typer(help="Conflicts: two people claim one identity.", no_args_is_help=True)
Action = Literal["reassign", "move", "merge", "dismiss"]


@commands.command("list")
def list_some(
    app: AppOption,
    state: Annotated[CaseState | None, typer.Option("--state", help="Of this state only.")] = "open",
    everything: Annotated[bool, typer.Option("--all", help="Settled ones too.")] = False,
    after: Annotated[str | None, typer.Option("--after", help="Go on behind this conflict.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=LISTED_AT_MOST)] = 25,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """List conflicts, oldest first: the open ones, unless told otherwise."""
    if after is not None and not is_id(after):
        raise Refused("bad_request", "--after is the id of a conflict, 24 hexadecimal digits")
    wanted = None if everything else state
    found = with_database(database, lambda opened: _page(opened, app, wanted, after, limit + 1))
    page = documents.page("conflicts", [documents.case(one) for one in found], limit, after)
    if as_json:
        show_json(page)
        return
    if not found:
        say("No conflicts." if wanted is None else f"No {wanted} conflicts.")
        return
    show_table(
        ("conflict", "identity", "claimed by", "times", "last seen", "state"),
        [
            (one.id, f"{one.type} {one.value}", one.claimant, one.count, iso(one.last_seen), one.state)
            for one in found[:limit]
        ],
    )
    go_on(page)


@commands.command("show")
def show(
    conflict: Annotated[str, typer.Argument(help="The conflict's id.")],
    app: AppOption,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one conflict: both sides, every attempt that is kept, and what was done about it."""
    case, owner, attempts, done = with_database(database, lambda opened: _whole(opened, app, conflict))
    if as_json:
        show_json(documents.whole_case(case, attempts, done))
        return
    show_fields(
        [
            ("conflict", f"{case.id} ({case.state})"),
            ("identity", f"{case.type} {case.value}"),
            ("owner", named(owner) if owner else f"user {case.owner_id}, who is gone"),
            ("claimed by external id", case.claimant),
            ("the claimant's user", case.claimant_id or "none yet"),
            ("times", f"{case.count}, first {iso(case.first_seen)}, last {iso(case.last_seen)}"),
        ]
    )
    say("")
    show_table(
        ("attempt", "when", "key", "address", "device", "came to"),
        [
            (one.number, iso(one.seen_at), one.asserted_by, one.info.address, one.device_guid, one.outcome)
            for one in attempts
        ],
    )
    if done:
        say("")
        show_table(
            ("act", "what", "by", "reason", "when", "undone"),
            [(one.id, one.action, one.actor, one.note, iso(one.created_at), one.undone_by) for one in done],
        )


@commands.command("resolve")
def resolve(
    conflict: Annotated[str, typer.Argument(help="The conflict's id.")],
    app: AppOption,
    action: Annotated[Action, typer.Option("--action", help="What to do.")],
    reason: ReasonOption = "",
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Settle a conflict: shows what it will do, asks, does exactly that. The refused login then succeeds."""
    request = PlanRequest("resolve", case_id=conflict, action=action)
    act(app, request, reason, database=database, as_json=as_json, yes=yes, dry_run=dry_run)


@commands.command("policy")
def policy(
    app: AppOption,
    chosen: Annotated[ConflictPolicy | None, typer.Option("--policy", help="What a contested login does.")] = None,
    shadow: Annotated[
        str | None, typer.Option("--shadow", help="A policy that is only asked what it would have done, or none.")
    ] = None,
    undo_days: Annotated[
        int | None, typer.Option("--undo-days", min=1, max=UNDO_DAYS_AT_MOST, help="How long acts can be undone.")
    ] = None,
    reason: ReasonOption = "",
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the app's policy for contested identities, or change it."""
    if shadow not in (None, "none", "reject", "quarantine", "transfer"):
        raise Refused("bad_request", "--shadow is reject, quarantine, transfer or none")
    changes = PolicyChanges(
        UNSET if chosen is None else chosen,
        UNSET if shadow is None else None if shadow == "none" else shadow,  # type: ignore[arg-type]
        UNSET if undo_days is None else undo_days,
    )
    bound, counts = with_database(database, lambda opened: _policy(opened, app, changes, reason))
    if as_json:
        show_json({"policy": documents.policy(bound), "counts": [documents.shadow(one) for one in counts]})
        return
    settings = bound.settings
    show_fields(
        [
            ("policy", settings.conflict_policy),
            ("shadow", settings.shadow_policy),
            ("undo", f"{settings.undo_days} days"),
        ]
    )
    if counts:
        say("")
        show_table(
            ("came to", "would have come to", "conflicts", "attempts", "such as"),
            [(one.outcome, one.shadow_outcome, one.cases, one.attempts, one.examples[0]) for one in counts],
        )


def merge(
    surviving: Annotated[str, typer.Argument(help="Who stays: an id or an external id.")],
    discarded: Annotated[str, typer.Argument(help="Who becomes one with her.")],
    app: AppOption,
    reason: ReasonOption = "",
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make two users one; nothing is lost, every former id finds her, and it can be undone."""
    request = PlanRequest("merge", surviving=surviving, discarded=discarded)
    act(app, request, reason, database=database, as_json=as_json, yes=yes, dry_run=dry_run)


def undo(
    act_id: Annotated[str, typer.Argument(metavar="ACT", help="A merge or a resolution.")],
    app: AppOption,
    reason: ReasonOption = "",
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a merge or a resolution back."""
    request = PlanRequest("undo", act_id=act_id)
    act(app, request, reason, database=database, as_json=as_json, yes=yes, dry_run=dry_run)


def erase(
    user: Annotated[str, typer.Argument(help="An id or an external id.")],
    app: AppOption,
    delete: Annotated[bool, typer.Option("--delete", help="The user and the history too.")] = False,
    reason: ReasonOption = "",
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase what is personal about a user, everywhere, and print the receipt. This cannot be undone."""
    request = PlanRequest("delete" if delete else "erase", user=user)
    act(app, request, reason, database=database, as_json=as_json, yes=yes, dry_run=dry_run)


async def _page(database: Database, app_id: str, state: CaseState | None, after: str | None, limit: int) -> list[Case]:
    return await database.read(await app_at(database, app_id), list_cases, state, after, limit)


Whole = tuple[Case, User | None, list[Evidence], list[Resolution]]


async def _whole(database: Database, app_id: str, case_id: str) -> Whole:
    async def whole(tx: Transaction) -> Whole:
        case, evidence, resolutions = await get_case(tx, case_id)
        return case, await tx.users.by_id(case.owner_id), evidence, resolutions

    return await database.read(await app_at(database, app_id), whole)


async def _policy(
    database: Database, app_id: str, changes: PolicyChanges, reason: str
) -> tuple[App, list[ShadowCount]]:
    app = await app_at(database, app_id)
    if any(value is not UNSET for value in (changes.conflict_policy, changes.shadow_policy, changes.undo_days)):
        app = await database.write(app, set_policy, changes, By(actor(), reason))
    shadow = app.settings.shadow_policy

    async def counts(tx: Transaction) -> list[ShadowCount]:
        return await tx.conflicts.shadow(shadow) if shadow else []

    return app, await database.read(app, counts)
