"""Deliver again what a webhook missed, and look at what was tried."""

from collections.abc import Callable

from msgspec import Struct

from knownas.deliveries import Attempt, Cursor, EventNotFound, Recorded, Wanted
from knownas.errors import DomainError
from knownas.ids import is_id
from knownas.transaction import Transaction
from knownas.webhooks import NoSuchWebhook, Webhook

Wants = Callable[[Webhook, Recorded], bool]
"""Whether a webhook is told of an event; the edge says so, because it renders."""
AT_ONCE = 200
_SLACK_MS = 5 * 60_000  # an event's time is that of its transaction's start, its place that of the end


class NothingSent(DomainError):
    """The webhook is switched off, so nothing would be delivered."""

    kind = "invalid"
    code = "webhook_switched_off"

    def __init__(self) -> None:
        super().__init__("The webhook is switched off after days of failures: update it first, then deliver again")


class NotWanted(DomainError):
    """The webhook is not told of such events."""

    kind = "invalid"
    code = "not_wanted"

    def __init__(self) -> None:
        super().__init__("None of the webhook's triggers is for this event")


class Redelivered(Struct, frozen=True):
    """How many deliveries were made, and where to go on; None at the end."""

    count: int
    cursor: Cursor | None


async def redeliver_some(
    tx: Transaction, webhook_id: str, wants: Wants, cursor: Cursor, since: int, until: int
) -> Redelivered:
    """Make due again what the webhook wants of the next events behind `cursor`, made from `since` to before `until`.

    Times are in milliseconds. Call it again with the cursor it answers, until there is none.
    Raises NoSuchWebhook and NothingSent.
    """
    webhook = await _live_webhook(tx, webhook_id)
    events = await tx.outbox.after(cursor, AT_ONCE, tx.app_id)
    wanted = [Wanted(webhook, event) for event in events if since <= event.created_at < until and wants(webhook, event)]
    if wanted:
        tx.deliveries.add(wanted, tx.now, again=True)
    ended = len(events) < AT_ONCE or events[-1].created_at >= until + _SLACK_MS
    return Redelivered(len(wanted), None if ended else events[-1].cursor)


async def redeliver_event(tx: Transaction, webhook_id: str, wants: Wants, event_id: str) -> None:
    """Make one event due again for the webhook, whether it was told of it before or not.

    Raises NoSuchWebhook, NothingSent, EventNotFound, NotWanted.
    """
    webhook = await _live_webhook(tx, webhook_id)
    event = await find_event(tx, event_id)
    if not wants(webhook, event):
        raise NotWanted
    tx.deliveries.add([Wanted(webhook, event)], tx.now, again=True)


async def find_event(tx: Transaction, event_id: str) -> Recorded:
    """The app's event with this id. Raises EventNotFound."""
    if not is_id(event_id):
        raise EventNotFound
    made_at = int(event_id[:12], 16)
    cursor = await tx.outbox.shortly_before(made_at)
    while events := await tx.outbox.after(cursor, AT_ONCE, tx.app_id):
        for event in events:
            if event.id == event_id:
                return event
        if events[-1].created_at > made_at + _SLACK_MS:
            break
        cursor = events[-1].cursor
    raise EventNotFound


async def list_events(tx: Transaction, cursor: Cursor, limit: int) -> list[Recorded]:
    """The app's events behind `cursor`, oldest first."""
    return await tx.outbox.after(cursor, limit, tx.app_id)


async def list_attempts(tx: Transaction, webhook_id: str, limit: int) -> list[Attempt]:
    """The newest attempts for the webhook, newest first. Raises NoSuchWebhook."""
    if await tx.webhooks.by_id(webhook_id) is None:
        raise NoSuchWebhook
    return await tx.deliveries.attempts(webhook_id, limit)


async def start_at(tx: Transaction, since: int) -> Cursor:
    """A place in the outbox before everything made at `since` (milliseconds) or later."""
    return await tx.outbox.shortly_before(since)


async def _live_webhook(tx: Transaction, webhook_id: str) -> Webhook:
    webhook = await tx.webhooks.by_id(webhook_id)
    if webhook is None:
        raise NoSuchWebhook
    if webhook.disabled_at is not None:
        raise NothingSent
    return webhook
