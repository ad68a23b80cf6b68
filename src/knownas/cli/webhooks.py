"""`knownas webhooks`: where an app is told of events, what was tried, and deliver it again."""

from typing import Annotated, Any

import typer

from knownas.cli.database import app_at, with_database
from knownas.cli.terminal import AppOption, DatabaseOption, JsonOption, Refused, progress, say, show_json, show_table
from knownas.cli.times import time_of
from knownas.database import Database
from knownas.deliveries import LISTED_AT_MOST, Attempt
from knownas.deliveries.redeliver import Wants, list_attempts, redeliver_event, redeliver_some, start_at
from knownas.storage.chance import now_ms
from knownas.times import iso
from knownas.transaction import Transaction
from knownas.webhooks import Webhook

WebhookArgument = Annotated[str, typer.Argument(metavar="WEBHOOK", help="The webhook's id.")]
commands = typer.Typer(help="Webhooks: where an app is told what happens.", no_args_is_help=True)


@commands.command("list")
def list_all(app: AppOption, database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """List an app's webhooks, without their secrets."""
    found = with_database(database, lambda opened: _webhooks(opened, app))
    if as_json:
        show_json({"webhooks": [_shown(webhook) for webhook in found]})
        return
    rows = [
        (one.id, one.format, one.integration_id or "-", one.target, ", ".join(one.triggers), _state(one))
        for one in found
    ]
    show_table(("webhook", "format", "integration", "target", "triggers", "state"), rows)


@commands.command("log")
def log(
    webhook: WebhookArgument,
    app: AppOption,
    limit: Annotated[int, typer.Option("--limit", min=1, max=LISTED_AT_MOST, help="How many at most.")] = 100,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the newest attempts to deliver to a webhook, newest first."""
    found = with_database(database, lambda opened: _attempts(opened, app, webhook, limit))
    if as_json:
        show_json({"attempts": [_shown_attempt(attempt) for attempt in found]})
        return
    rows = [
        (iso(one.created_at), one.event_id, one.number, one.status or one.error, f"{one.took_ms} ms") for one in found
    ]
    show_table(("time", "event", "attempt", "outcome", "took"), rows)


@commands.command("redeliver")
def redeliver(
    webhook: WebhookArgument,
    app: AppOption,
    event: Annotated[str | None, typer.Option("--event", help="One event, by its id.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="All events from a time on, or from 90m, 12h, 3d ago.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="With --since: and before this time.")] = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Deliver events again that the webhook's triggers are for, whether they were delivered before or not.

    Each keeps its id. The running server sends them, in their order.
    """
    if (event is None) == (since is None) or (until is not None and since is None):
        raise Refused("bad_request", "Say what to deliver: --event ID, or --since TIME with or without --until TIME")
    now = now_ms()
    from_time = time_of(since, "--since", now) if since is not None else 0
    to_time = time_of(until, "--until", now) if until is not None else now
    if from_time > to_time:
        raise Refused("bad_request", "--until lies before --since")
    if event is not None:
        with_database(database, lambda opened: _one(opened, app, webhook, event))
        count = 1
    else:
        count = with_database(database, lambda opened: _range(opened, app, webhook, from_time, to_time, quiet=as_json))
    if as_json:
        show_json({"deliveries": count})
    else:
        say(f"{count} to be delivered; see knownas webhooks log {webhook} --app {app}")


async def _one(database: Database, app_id: str, webhook_id: str, event_id: str) -> None:
    app = await app_at(database, app_id)
    await database.write(app, redeliver_event, webhook_id, _wants(), event_id)


async def _range(database: Database, app_id: str, webhook_id: str, since: int, until: int, *, quiet: bool) -> int:
    app = await app_at(database, app_id)
    wants, cursor, count = _wants(), await database.read(app, start_at, since), 0
    with progress("looking through the events", quiet=quiet) as how_far:
        while True:
            some = await database.write(app, redeliver_some, webhook_id, wants, cursor, since, until)
            count += some.count
            how_far(f"{count} to be delivered")
            if some.cursor is None:
                return count
            cursor = some.cursor


def _wants() -> Wants:
    """Which events a webhook is told of, whose formats are the facades'."""
    from knownas.main import RENDERER  # all of the server, which no other command needs

    return RENDERER.wants


async def _webhooks(database: Database, app_id: str) -> list[Webhook]:
    async def of_app(tx: Transaction) -> list[Webhook]:
        return [*await tx.webhooks.of_app(), *await tx.webhooks.event_webhooks()]

    return await database.read(await app_at(database, app_id), of_app)


async def _attempts(database: Database, app_id: str, webhook_id: str, limit: int) -> list[Attempt]:
    return await database.read(await app_at(database, app_id), list_attempts, webhook_id, limit)


def _state(webhook: Webhook) -> str:
    if webhook.disabled_at is not None:
        return f"switched off {iso(webhook.disabled_at)}"
    return f"failing since {iso(webhook.failing_since)}" if webhook.failing_since is not None else "on"


def _shown(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "format": webhook.format,
        "integrationId": webhook.integration_id or None,
        "target": webhook.target,
        "triggers": list(webhook.triggers),
        "includeFullUser": webhook.include_full_user,
        "includeFullSource": webhook.include_full_source,
        "createdAt": iso(webhook.created_at),
        "failingSince": None if webhook.failing_since is None else iso(webhook.failing_since),
        "switchedOffAt": None if webhook.disabled_at is None else iso(webhook.disabled_at),
    }


def _shown_attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "eventId": attempt.event_id,
        "number": attempt.number,
        "at": iso(attempt.created_at),
        "status": attempt.status,
        "error": attempt.error,
        "tookMs": attempt.took_ms,
    }
