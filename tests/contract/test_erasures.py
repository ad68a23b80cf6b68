"""R10 where units of work overlap, and the audit log that all erasures of an app append to."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from knownas.audit.verify import verify_audit
from knownas.conflicts import EmailContested
from knownas.sessions import Access
from knownas.sessions.log_in import log_in
from knownas.transaction import Transaction
from knownas.users.delete import delete_user, erase_personal_information
from knownas.users.find import get_user
from tests.contract.test_storage import all_at_once, outcomes, waiting_for_locks
from tests.given import BY, World, claims

BOTH = pytest.mark.parametrize("verb", [delete_user, erase_personal_information])
Erasure = Callable[..., Awaitable[Any]]


@BOTH
async def test_a_contest_that_an_erasure_overtakes_tells_nothing_of_her(
    world_on_postgres: World, verb: Erasure
) -> None:
    """The case's event holds its owner as a whole, as she was read before."""
    world = world_on_postgres
    await world.log_in(claims("1234", "ada@example.com", name="Secret"))
    tries = 0

    async def slow(tx: Transaction) -> Access:
        nonlocal tries
        tries += 1
        try:
            return await log_in(tx, claims("5678", "ada@example.com"), None, None)
        except EmailContested:
            await world.do_to("1234", verb, BY)
            raise

    await world.do(slow)
    assert tries == 2, "it lost its race, and the e-mail was free"
    assert "events.body" not in await world.traces_of("Secret")
    assert await world.open_cases() == []


@BOTH
async def test_an_erasure_that_a_contest_overtakes_finds_the_case(world_on_postgres: World, verb: Erasure) -> None:
    world = world_on_postgres
    await world.log_in(claims("1234", "ada@example.com", name="Secret"))

    async def slow(tx: Transaction) -> None:
        await verb(tx, await get_user(tx, "1234"), BY)
        with pytest.raises(EmailContested):
            await world.log_in(claims("5678", "ada@example.com"))
        assert await world.traces_of("Secret")

    await world.do(slow)
    assert await world.traces_of("Secret") == []
    assert await world.open_cases() == []


@BOTH
async def test_an_erasure_that_waits_for_a_contest_takes_what_it_wrote(world_on_postgres: World, verb: Erasure) -> None:
    """One statement would see the database as it was when it began to wait."""
    world = world_on_postgres
    access = await world.log_in(claims("1234", "ada@example.com", name="Secret"))
    holder: Any = await asyncpg.connect(world.url)
    try:
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute("SELECT 1 FROM users WHERE id = $1 FOR UPDATE", access.user.id)
        contest = asyncio.create_task(world.log_in(claims("5678", "ada@example.com")))
        await waiting_for_locks(holder, 1)
        ending = asyncio.create_task(world.do_to("1234", verb, BY))
        await waiting_for_locks(holder, 2)
        await transaction.commit()
        outcome, _ = await asyncio.gather(contest, ending, return_exceptions=True)
    finally:
        await holder.close()
    assert isinstance(outcome, EmailContested), "it was first"
    assert await world.traces_of("Secret", "ada@example.com") == []
    assert await world.open_cases() == []


async def test_fifty_deletions_at_once_all_succeed_and_make_one_chain(world_on_both: World) -> None:
    """Each appends to the app's one audit log, so each but one loses a race at first."""
    world = world_on_both
    users = [await world.user(f"u{number}") for number in range(50)]
    results = await all_at_once(*(world.do_to(user, delete_user, BY) for user in users))
    assert outcomes(results) == Counter(Receipt=50), results
    verified = await world.ask(verify_audit)
    assert (verified.entries, verified.broken) == (50, None)
