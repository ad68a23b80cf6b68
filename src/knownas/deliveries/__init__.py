"""A delivery: one event of the outbox that one webhook is to be told of, tried until it was told or is given up."""

from typing import Final, Protocol

from msgspec import Struct

from knownas.errors import DomainError
from knownas.webhooks import Webhook

READER: Final = "webhooks"
"""The reader of the outbox that makes deliveries out of events."""
LISTED_AT_MOST: Final = 1000


class Cursor(Struct, frozen=True, order=True):
    """A place in the outbox: behind an event, in the order of commit. `written_in` is 0 on SQLite."""

    written_in: int
    position: int

    def __str__(self) -> str:
        return f"{self.written_in}-{self.position}"


BEGINNING: Final = Cursor(0, 0)
_DIGITS: Final = 19


def cursor_of(text: str) -> Cursor:
    """The cursor that prints as `text`. Raises InvalidCursor."""
    parts = text.split("-")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) <= _DIGITS for part in parts):
        raise InvalidCursor
    written_in, position = (min(int(part), 2**63 - 1) for part in parts)
    return Cursor(written_in, position)


class Recorded(Struct, frozen=True):
    """One event as the outbox holds it. `body` is JSON, fixed at commit; `created_at` is in milliseconds."""

    cursor: Cursor
    app_id: str
    stream: str
    seq: int
    id: str
    type: str
    body: str
    created_at: int


class Reader(Struct, frozen=True):
    """How far somebody has read the outbox, and who may go on until `held_until` (milliseconds)."""

    holder: str
    held_until: int
    cursor: Cursor


class Wanted(Struct, frozen=True):
    """An event that a webhook wants, before there is a delivery of it."""

    webhook: Webhook
    event: Recorded


class Delivery(Struct, frozen=True):
    """One event on its way to one webhook, after `attempts` attempts. Times are in milliseconds.

    It carries no content. `event` is there when it was loaded to be sent, and None where the event was erased since.
    """

    app_id: str
    webhook_id: str
    event_id: str
    stream: str
    seq: int
    include_full_user: bool
    include_full_source: bool
    attempts: int
    due_at: int
    event: Recorded | None = None

    @property
    def ordered(self) -> bool:
        """Whether it waits for the one before in its stream. What belongs to the app as a whole does not."""
        return self.stream != self.app_id


class Queue(Struct, frozen=True):
    """What waits for one webhook: `due_at` is when the first of it is due."""

    app_id: str
    webhook_id: str
    due_at: int


class Attempt(Struct, frozen=True):
    """One attempt to deliver, as the log has it: a status, or the error that kept it from having one."""

    app_id: str
    webhook_id: str
    event_id: str
    number: int
    status: int | None
    error: str | None
    took_ms: int
    created_at: int


class Settled(Struct, frozen=True):
    """What is to be written down of an attempt. `due_at` is None unless it is tried again.

    `attempt` is None where there was nothing to try any more: the event was erased.
    """

    delivery: Delivery
    attempt: Attempt | None
    told: bool
    due_at: int | None


class Health(Struct, frozen=True):
    """Since when a webhook has done nothing but fail, or that it has not."""

    app_id: str
    webhook_id: str
    failing_since: int | None


class LostLease(DomainError):
    """Somebody else reads the outbox now."""

    kind = "conflict"
    code = "lost_lease"


class InvalidCursor(DomainError):
    """Not a cursor that we have ever given."""

    kind = "invalid"
    code = "bad_request"

    def __init__(self) -> None:
        super().__init__("A cursor looks like 0-1234; take it from an earlier answer")


class EventNotFound(DomainError):
    """The outbox does not hold the event, or not any more."""

    kind = "not_found"
    code = "not_found"

    def __init__(self) -> None:
        super().__init__("Event not found: it does not exist in this app, was erased, or is older than events are kept")


class Outbox(Protocol):
    """What verbs ask of all apps' events, in the order of commit."""

    async def after(self, cursor: Cursor, limit: int, app_id: str | None = None) -> list[Recorded]:
        """At most `limit` committed events behind `cursor`, of one app or of all."""
        ...

    async def newest(self) -> Cursor:
        """Behind the newest event that `after` can give: nothing will be committed before it any more."""
        ...

    async def shortly_before(self, time: int) -> Cursor:
        """A place before all events that were made at `time` (milliseconds) or later."""
        ...

    async def reader(self, name: str) -> Reader:
        """How far this reader is."""
        ...

    async def restored(self, cursor: Cursor) -> bool:
        """Whether the places here are of another server's time, as after a restore; see `mend`."""
        ...

    async def mend(self, cursor: Cursor) -> Cursor | None:
        """Hold new places for some events, so that what is behind `cursor` is still to be read and nothing else is.

        None says that there is more to mend; else the answer is the cursor to go on from.
        """
        ...

    def move(self, name: str, former: Reader, to: Reader) -> None:
        """Hold the reader's new state; loses its race when it is not `former` any more."""
        ...

    async def forget_before(self, time: int, limit: int) -> int:
        """Hold the removal of some of the oldest events that everybody has read and that were made before `time`.

        Answers how many.
        """
        ...


class Deliveries(Protocol):
    """What verbs ask of all apps' deliveries."""

    async def live_webhooks(self, app_ids: list[str]) -> list[Webhook]:
        """The webhooks of these apps that are switched on."""
        ...

    async def any_live_webhook(self) -> bool:
        """Whether any app has a webhook that is switched on."""
        ...

    async def webhook(self, app_id: str, webhook_id: str) -> Webhook | None:
        """The webhook, switched on or off, or None."""
        ...

    async def queues(self) -> list[Queue]:
        """All webhooks for which something waits, due or not."""
        ...

    async def due(self, app_id: str, webhook_id: str, now: int, limit: int) -> list[Delivery]:
        """At most `limit` deliveries that are due, with their events, in the order in which they are to be sent."""
        ...

    def add(self, wanted: list[Wanted], due_at: int, *, again: bool = False) -> None:
        """Hold new deliveries; with `again`, also those that were given up or wait for later are due then."""
        ...

    def settle(self, settled: list[Settled], now: int) -> None:
        """Hold what came of attempts: who was told is done with, the log grows."""
        ...

    def set_health(self, health: list[Health]) -> None:
        """Hold since when these webhooks fail."""
        ...

    def give_up(self, app_id: str, webhook_id: str, limit: int) -> None:
        """Hold that some of what waits for a webhook is not tried any more."""
        ...

    def drop(self, app_id: str, webhook_id: str, limit: int) -> None:
        """Hold the removal of some of what waits for a webhook that is gone."""
        ...

    async def attempts(self, webhook_id: str, limit: int) -> list[Attempt]:
        """The app's newest attempts for the webhook, newest first."""
        ...

    async def logged(self) -> list[tuple[str, str]]:
        """(app, webhook) of everything that the log or the deliveries speak of, also where it is gone by now."""
        ...

    async def forget_before(self, app_id: str, webhook_id: str, time: int, limit: int) -> int:
        """Hold the removal of some of the oldest attempts, and deliveries, from before `time`; answers how many."""
        ...
