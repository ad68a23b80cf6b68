"""The audit log is checked in stretches, and these hide nothing: what was changed, on whichever, is noticed."""

import pytest
import pytest_asyncio

from knownas.audit import ORIGIN, Entry, Head, InvalidHead, commitment_of, hash_of, head_of
from knownas.audit.append import append
from knownas.audit.verify import Verified, verify_audit
from knownas.transaction import Transaction
from tests.given import World

ENTRIES, STRETCH = 10, 4
EDGES = (1, 4, 5, 7, 10)  # the first and the last of stretches, and one within


@pytest_asyncio.fixture
async def log(world: World) -> World:
    """A world whose log takes three stretches."""
    await world.do(_write, ENTRIES)
    return world


async def walk(world: World, expected: Head | None = None, after: Head = ORIGIN) -> list[Verified]:
    """Every stretch, as whoever pages through the log sees them."""
    walked: list[Verified] = []
    while not walked or (walked[-1].more and walked[-1].broken is None):
        head = walked[-1].head if walked else after
        walked.append(await world.ask(verify_audit, expected, after=head, limit=STRETCH))
    return walked


async def test_stretches_come_to_the_same_as_the_whole(log: World) -> None:
    whole = await log.ask(verify_audit)
    walked = await walk(log)
    assert [some.entries for some in walked] == [4, 4, 2]
    assert [some.more for some in walked] == [True, True, False]
    assert {some.broken for some in walked} == {None}
    assert walked[-1].head == whole.head
    assert whole.entries == ENTRIES
    assert not whole.more


async def test_an_end_that_fills_its_stretch_is_the_end(world: World) -> None:
    assert await world.ask(verify_audit) == Verified(0, 0, ORIGIN)
    await world.do(_write, STRETCH)
    [only] = await walk(world)
    assert (only.entries, only.more) == (STRETCH, False)


@pytest.mark.parametrize("number", EDGES)
@pytest.mark.parametrize(
    "forged",
    [
        "UPDATE audit SET actor = 'x' WHERE app_id = $1 AND number = {n}",
        "UPDATE audit SET subjects = 'no list' WHERE app_id = $1 AND number = {n}",
        "UPDATE audit_details SET body = '{{}}' WHERE app_id = $1 AND number = {n}",
        "UPDATE audit_details SET body = 'no object' WHERE app_id = $1 AND number = {n}",
        "UPDATE audit SET hash = previous WHERE app_id = $1 AND number = {n}",
    ],
)
async def test_a_changed_entry_is_noticed_on_whichever_stretch(log: World, forged: str, number: int) -> None:
    await log.do(_forge, forged.format(n=number))
    walked = await walk(log)
    assert walked[-1].broken is not None
    assert walked[-1].broken.startswith(f"entry {number}: ")
    assert sum(some.entries for some in walked) == number - 1
    assert walked[-1].head.number == number - 1


@pytest.mark.parametrize("number", EDGES[:-1])
async def test_a_missing_entry_is_noticed_on_whichever_stretch(log: World, number: int) -> None:
    await log.do(_forge, f"DELETE FROM audit WHERE app_id = $1 AND number = {number}")
    broken = (await walk(log))[-1].broken
    assert broken is not None
    assert "some are missing" in broken


async def test_a_chain_that_is_forged_anew_between_two_stretches_does_not_fit_the_head_at_hand(log: World) -> None:
    first = await log.ask(verify_audit, limit=STRETCH)
    await log.do(_write_anew, 2)
    assert (await log.ask(verify_audit)).broken is None, "as a whole it is a chain like any other"
    rest = await log.ask(verify_audit, after=first.head, limit=STRETCH)
    assert rest.broken == "entry 4: it is not the one that was noted down"


@pytest.mark.parametrize("number", EDGES)
async def test_a_head_that_was_noted_down_is_found_again_on_whichever_stretch(log: World, number: int) -> None:
    noted = (await log.ask(verify_audit, limit=number)).head
    assert (await walk(log, noted))[-1].broken is None
    assert (await walk(log, Head(number, "f" * 64)))[-1].broken == (
        f"entry {number}: it is not the one that was noted down"
    )
    assert [some.broken for some in await walk(log, after=noted)][-1] is None


async def test_a_log_whose_end_was_cut_off_is_noticed_by_who_noted_its_head_down(log: World) -> None:
    noted = (await log.ask(verify_audit)).head
    await log.do(_forge, "DELETE FROM audit WHERE app_id = $1 AND number = 10")
    assert (await walk(log))[-1].broken is None, "what is left is a chain"
    assert (await walk(log, noted))[-1].broken == "entry 10: it was noted down, and the log ends at entry 9"
    assert (await walk(log, after=noted))[-1].broken == "entry 10: it was noted down, and is not there"
    await log.do(_forge, "DELETE FROM audit WHERE app_id = $1")
    assert (await walk(log, noted))[-1].broken is not None


async def test_going_on_looks_at_the_entry_that_it_goes_on_from(log: World) -> None:
    noted = (await log.ask(verify_audit, limit=STRETCH)).head
    other = await log.ask(verify_audit, Head(noted.number, "f" * 64), after=noted)
    assert other.broken == "entry 4: it is not the one that was noted down"
    await log.do(_forge, "UPDATE audit SET actor = 'x' WHERE app_id = $1 AND number = 4")
    assert (await log.ask(verify_audit, after=noted)).broken == "entry 4: its content is not what was written"


@pytest.mark.parametrize(
    "text", ["", "1", "1-", f"01-{'a' * 64}", f"1-{'A' * 64}", f"1-{'a' * 63}", f"0-{'a' * 64}", f"-1-{'a' * 64}",
             f"{10**15}-{'a' * 64}", f"1-{'a' * 64}\n", f"١-{'a' * 64}"],
)  # fmt: skip
def test_what_was_never_given_as_a_head_is_none(text: str) -> None:
    with pytest.raises(InvalidHead):
        head_of(text)


def test_a_head_is_read_as_it_is_printed() -> None:
    for head in (ORIGIN, Head(1, "a" * 64), Head(10**15 - 1, "0" * 64)):
        assert head_of(str(head)) == head


async def _write(tx: Transaction, count: int) -> None:
    last: Entry | None = await tx.audit.last()
    for number in range(count):
        last = append(tx, last, "cli:operator", "merge", (tx.new_id(),), {"note": f"ticket {number}"})


async def _write_anew(tx: Transaction, number: int) -> None:
    """Rewrite history from this entry on, hashes and all, as somebody can who can write the database."""
    entries = await tx.audit.page(after=0, limit=100)
    previous = entries[number - 2].hash
    for entry in entries[number - 1 :]:
        assert entry.salt is not None
        details = {"note": "nothing happened"}
        fields = (entry.app_id, entry.number, entry.id, entry.at, "cli:mallory", entry.action, entry.subjects)
        forged = Entry(*fields, commitment_of(entry.salt, details), previous, "")
        previous = hash_of(forged)
        tx.unit.hold(  # type: ignore[attr-defined]
            "UPDATE audit SET actor = 'cli:mallory', commitment = $3, previous = $4, hash = $5"
            " WHERE app_id = $1 AND number = $2",
            entry.number, forged.commitment, forged.previous, previous,
        )  # fmt: skip
        tx.unit.hold(  # type: ignore[attr-defined]
            "UPDATE audit_details SET body = $3 WHERE app_id = $1 AND number = $2", entry.number,
            '{"note":"nothing happened"}',
        )  # fmt: skip


async def _forge(tx: Transaction, sql: str) -> None:
    tx.unit.hold(sql)  # type: ignore[attr-defined]
