"""Whose turn it is: no endpoint takes what others need, and one user's events go in order."""

from hypothesis import given as examples
from hypothesis import strategies as st

from knownas.deliveries import Delivery
from knownas.delivery.lanes import AT_FIRST, AT_ONCE, Lane, Turns


def lane_of(name: str, count: int, *, streams: int = 1000, allowed: int = AT_FIRST) -> Lane:
    """A lane with so much to send, of so many streams in turn."""
    lane = Lane("app", name)
    lane.allowed = allowed
    lane.load(
        [
            Delivery("app", name, f"{name}-{number}", f"stream-{number % streams}", number, False, False, 0, number)
            for number in range(count)
        ]
    )
    return lane


def started(turns: Turns) -> list[tuple[Lane, Delivery]]:
    """All that may start now."""
    found = []
    while turn := turns.next():
        found.append(turn)
    return found


def test_a_webhook_has_so_many_under_way_and_no_more() -> None:
    turns, lane = Turns(), lane_of("w", 100)
    turns.offer(lane)
    first = started(turns)
    assert len(first) == AT_FIRST
    turns.back(*first[0])
    assert len(started(turns)) == 1


def test_webhooks_take_turns_when_there_is_not_room_for_all() -> None:
    turns = Turns(in_all=6)
    lanes = [lane_of(name, 50, allowed=AT_ONCE) for name in "abc"]
    for lane in lanes:
        turns.offer(lane)
    assert [lane.webhook_id for lane, _ in started(turns)] == ["a", "b", "c"] * 2


def test_webhooks_in_trouble_leave_room_for_those_that_work() -> None:
    turns = Turns(in_all=10, for_troubled=4)
    bad = [lane_of(f"bad-{number}", 5) for number in range(8)]
    for lane in bad:
        lane.went_wrong(1, overloaded=True)
        turns.offer(lane)
    hanging = started(turns)
    assert len(hanging) == 4
    good = lane_of("good", 3)
    turns.offer(good)
    assert [lane.webhook_id for lane, _ in started(turns)] == ["good"] * 3
    turns.back(*hanging[0])
    assert len(started(turns)) == 1, "one of those in trouble takes the place that became free"


def test_of_one_stream_one_is_under_way_at_a_time() -> None:
    turns, lane = Turns(), lane_of("w", 6, streams=2, allowed=AT_ONCE)
    turns.offer(lane)
    first = started(turns)
    assert [delivery.seq for _, delivery in first] == [0, 1]
    turns.back(*first[1])
    assert [delivery.seq for _, delivery in started(turns)] == [3]


def test_what_belongs_to_the_whole_app_does_not_wait_for_each_other() -> None:
    turns, lane = Turns(), Lane("app", "w")
    lane.load([Delivery("app", "w", f"e{number}", "app", number, False, False, 0, 0) for number in range(4)])
    turns.offer(lane)
    assert len(started(turns)) == 4


def test_what_is_in_memory_is_not_taken_again() -> None:
    lane = lane_of("w", 3)
    before = list(lane.ready)
    lane.load(before)
    assert list(lane.ready) == before
    lane.loading = True
    lane.done("w-1")
    lane.ready.clear()
    lane.load(before)
    assert not lane.ready, "it was written down while it was being read"


def test_success_lets_more_go_at_once_and_failure_fewer() -> None:
    lane = lane_of("w", 0)
    for _ in range(200):
        lane.went_well()
    assert lane.allowed == AT_ONCE
    for _ in range(10):
        lane.went_wrong(5, overloaded=True)
    assert [lane.allowed, lane.troubled, lane.failing_since] == [1, True, 5]
    lane.went_wrong(9, overloaded=False)
    assert lane.failing_since == 5, "the first failure after the last success counts"
    lane.went_well()
    assert [lane.allowed, lane.troubled, lane.failing_since] == [2, False, None]


@examples(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 20)), max_size=60), st.integers(1, 5))
def test_everything_is_sent_once_and_nothing_is_left_behind(story: list[tuple[int, bool, int]], in_all: int) -> None:
    """Whatever is loaded, in whatever order it comes back, and however it went."""
    turns = Turns(in_all=in_all, for_troubled=max(1, in_all // 2))
    lanes = [Lane("app", f"w{number}") for number in range(4)]
    under_way: list[tuple[Lane, Delivery]] = []
    sent: list[str] = []
    made = 0

    def start() -> None:
        for lane, delivery in started(turns):
            assert delivery.stream not in {d.stream for other, d in under_way if other is lane}
            under_way.append((lane, delivery))
            sent.append(delivery.event_id)

    def come_back(at: int, well: bool) -> None:
        lane, delivery = under_way.pop(at)
        if well:
            lane.went_well()
        else:
            lane.went_wrong(1, overloaded=True)
        turns.back(lane, delivery)
        lane.done(delivery.event_id)

    for which, well, number in story:
        lane = lanes[which]
        stream = f"s{number % 3}"
        lane.load([Delivery("app", lane.webhook_id, f"e{made}", stream, made, False, False, 0, 0)])
        made += 1
        turns.offer(lane)
        start()
        assert turns.in_flight == len(under_way) <= in_all
        if under_way and number % 2:
            come_back(number % len(under_way), well)
            start()
    while under_way:
        come_back(0, True)
        start()
    assert sorted(sent) == sorted(f"e{number}" for number in range(made))
    assert not any(lane.ready or lane.held or lane.in_flight for lane in lanes)
