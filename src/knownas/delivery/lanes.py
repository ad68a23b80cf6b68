"""What waits for each webhook, and whose turn it is: pure bookkeeping, so that no endpoint delays another."""

from collections import deque
from typing import Final

from knownas.deliveries import Delivery
from knownas.webhooks import Webhook

AT_ONCE: Final = 50
"""The most that are under way to one webhook at the same time."""
AT_FIRST: Final = 4
HELD_AT_MOST: Final = 1000
IN_ALL: Final = 1000
FOR_TROUBLED: Final = 500
"""How much of IN_ALL may be under way to webhooks that failed last: the rest is always there for those that work."""


class Lane:
    """One webhook's deliveries that are in memory. How many go at once grows with success and shrinks with failure.

    `held` are the ids of all that was loaded and is not written back yet; `due` says that the database has more. What
    is done is written back before more is loaded than can be sent, so memory is bounded however much waits.
    """

    __slots__ = (
        "allowed", "app_id", "due", "failing_since", "held", "in_flight", "loading", "meanwhile", "offered", "ready",
        "streams", "troubled", "unsaved", "webhook", "webhook_id",
    )  # fmt: skip

    def __init__(self, app_id: str, webhook_id: str) -> None:
        self.app_id = app_id
        self.webhook_id = webhook_id
        self.webhook: Webhook | None = None
        self.ready: deque[Delivery] = deque()
        self.held: set[str] = set()
        self.streams: set[str] = set()
        self.in_flight = 0
        self.allowed = AT_FIRST
        self.troubled = False
        self.due = False
        self.loading = False
        self.meanwhile: set[str] = set()
        self.offered = False
        self.failing_since: int | None = None
        self.unsaved = False

    @property
    def wants_more(self) -> bool:
        """Whether more could be sent soon. Not while much waits to be written back: then the database is in trouble."""
        return not self.loading and len(self.ready) < self.allowed and len(self.held) < HELD_AT_MOST

    @property
    def idle(self) -> bool:
        """Whether there is nothing to remember of it."""
        return not (self.held or self.loading or self.due or self.troubled or self.unsaved)

    def load(self, found: list[Delivery]) -> None:
        """Take what is new of `found`; what was done with while it was being read is not."""
        known = self.held | self.meanwhile
        fresh = [delivery for delivery in found if delivery.event_id not in known]
        self.held.update(delivery.event_id for delivery in fresh)
        self.ready.extend(fresh)

    def done(self, event_id: str) -> None:
        """What came of it is written down. Somebody who is reading at this moment may still read it as due."""
        self.held.discard(event_id)
        if self.loading:
            self.meanwhile.add(event_id)

    def take(self) -> Delivery | None:
        """The next that may be sent now. Of one stream only one is under way at a time."""
        if self.in_flight >= self.allowed:
            return None
        for at, delivery in enumerate(self.ready):
            if not delivery.ordered or delivery.stream not in self.streams:
                del self.ready[at]
                self.in_flight += 1
                if delivery.ordered:
                    self.streams.add(delivery.stream)
                return delivery
        return None

    def back(self, delivery: Delivery) -> None:
        """It is not under way any more."""
        self.in_flight -= 1
        self.streams.discard(delivery.stream)

    def went_well(self) -> None:
        """A success: a little more may go at once."""
        self.troubled = False
        self.allowed = min(AT_ONCE, self.allowed + 1)
        if self.failing_since is not None:
            self.failing_since, self.unsaved = None, True

    def went_wrong(self, now: int, *, overloaded: bool) -> None:
        """A failure; where it looks as if the receiver cannot cope (`overloaded`), half as much may go at once."""
        if overloaded:
            self.troubled = True
            self.allowed = max(1, self.allowed // 2)
        if self.failing_since is None:
            self.failing_since, self.unsaved = now, True

    def forget(self) -> None:
        """Drop what was loaded and is not under way: somebody else will send it."""
        self.held.difference_update(delivery.event_id for delivery in self.ready)
        self.ready.clear()
        self.due = False


class Turns:
    """Gives each lane its turn, one delivery at a time, within what may be under way in all."""

    def __init__(self, in_all: int = IN_ALL, for_troubled: int = FOR_TROUBLED) -> None:
        self._in_all = in_all
        self._for_troubled = for_troubled
        self._waiting: deque[Lane] = deque()
        self._parked: deque[Lane] = deque()
        self.in_flight = 0
        self._troubled: set[tuple[str, str]] = set()

    def offer(self, lane: Lane) -> None:
        """The lane may have something to send."""
        if not lane.offered and lane.ready:
            lane.offered = True
            self._waiting.append(lane)

    def next(self) -> tuple[Lane, Delivery] | None:
        """What to send now; None when there is nothing, or no room."""
        while self._waiting and self.in_flight < self._in_all:
            lane = self._waiting.popleft()
            if lane.troubled and len(self._troubled) >= self._for_troubled:
                self._parked.append(lane)
                continue
            delivery = lane.take()
            if delivery is None:
                lane.offered = False
                continue
            self._waiting.append(lane)
            self.in_flight += 1
            if lane.troubled:
                self._troubled.add((delivery.webhook_id, delivery.event_id))
            return lane, delivery
        return None

    def back(self, lane: Lane, delivery: Delivery) -> None:
        """It is not under way any more: others, and the rest of the lane, may go."""
        self.in_flight -= 1
        lane.back(delivery)
        key = (delivery.webhook_id, delivery.event_id)
        if key in self._troubled:
            self._troubled.remove(key)
            self._waiting.extend(self._parked)
            self._parked.clear()
        self.offer(lane)
