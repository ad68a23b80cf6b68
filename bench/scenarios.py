"""What is measured: one row each. A new concern adds a row, and its targets in targets.py."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.world import World


@dataclass(frozen=True)
class Scenario:
    """`requests` makes that many finished requests, different each time it is called; all must answer `expected`.

    `before`, if any, makes what must be sent ahead of so many requests, outside the windows; it must answer 200.
    """

    name: str
    does: str
    expected: int
    requests: Callable[[World, int], Sequence[bytes]]
    before: Callable[[World, int], Sequence[bytes]] | None = None
    in_conversations: bool = False
    """Whether it needs users who have conversations with messages."""


def _get_user(world: World, count: int) -> Sequence[bytes]:
    pool = [world.get_user(user_id) for user_id in world.user_ids]
    return (pool * (count // len(pool) + 1))[:count]


def _login_known(world: World, count: int) -> Sequence[bytes]:
    people = (world.known() for _ in range(count))
    return [world.login(person, person.device) for person in people]


def _login_new_device(world: World, count: int) -> Sequence[bytes]:
    return [world.login(world.known(), secrets.token_hex(16)) for _ in range(count)]


def _login_new_device_before(world: World, count: int) -> Sequence[bytes]:
    return [world.login(person, person.device) for person in world.joining(count)]


def _login_first(world: World, count: int) -> Sequence[bytes]:
    strangers = (world.stranger() for _ in range(count))
    return [world.login(stranger, stranger.device) for stranger in strangers]


def _login_refused(world: World, count: int) -> Sequence[bytes]:
    claimants = (world.stranger()._replace(email=world.known().email) for _ in range(count))
    return [world.login(claimant, claimant.device) for claimant in claimants]


def _message_post(world: World, count: int) -> Sequence[bytes]:
    """Every other message is a user's."""
    pairs = world.conversations
    chosen = (pairs[secrets.randbelow(len(pairs))] for _ in range(count))
    return [world.post_message(pair[0], pair[1] if turn % 2 else None) for turn, pair in enumerate(chosen)]


def _messages_last_100(world: World, count: int) -> Sequence[bytes]:
    pool = [world.list_messages(conversation_id) for conversation_id, _ in world.conversations]
    return (pool * (count // len(pool) + 1))[:count]


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("get_user", "a backend reads a user, app token repeated", 200, _get_user),
        Scenario("login_known", "a known user, fresh token, on her device: written each time", 200, _login_known),
        Scenario(
            "login_new_device",
            "a known user, fresh token, on a device new to her",
            200,
            _login_new_device,
            _login_new_device_before,
        ),
        Scenario("login_first", "a new external id with a verified email", 200, _login_first),
        Scenario("login_refused", "a new external id, email owned by another", 409, _login_refused),
        Scenario(
            "message_post",
            "a backend posts a text, its own and a user's in turn",
            201,
            _message_post,
            in_conversations=True,
        ),
        Scenario(
            "messages_last_100",
            "a backend reads the last page of a conversation",
            200,
            _messages_last_100,
            in_conversations=True,
        ),
    )
}
