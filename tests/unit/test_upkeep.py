"""Work that nobody asks for."""

from pathlib import Path

from knownas.apps.delete import delete_app
from knownas.leases.take import take_lease
from knownas.storage.files import LocalFiles
from knownas.upkeep.service import Upkeep
from tests.given import Clock, World, claims


async def test_one_holder_has_a_lease_until_its_time_is_over(world: World, clock: Clock) -> None:
    start = clock()
    assert await world.do(take_lease, "work", "a", start + 1000)
    assert not await world.do(take_lease, "work", "b", start + 9000)
    assert await world.do(take_lease, "work", "a", start + 2000), "the holder renews it"
    clock.skip(2000)
    assert await world.do(take_lease, "work", "b", start + 9000)
    assert not await world.do(take_lease, "work", "a", start + 9000)


async def test_what_was_written_into_an_app_after_its_removal_goes_too(
    world: World, clock: Clock, tmp_path: Path
) -> None:
    """A login that had looked the app up just before."""
    await world.do(delete_app)
    await world.log_in(claims("1234", "ada@example.com"))
    upkeep = Upkeep(world.database, LocalFiles(tmp_path), clock)
    await upkeep.run_once()
    assert (await world.snapshot())["users"], "it may still be under way"
    clock.skip(200_000)
    await upkeep.run_once()
    left = await world.snapshot()
    assert not any(rows for table, rows in left.items() if table in ("users", "identities", "devices", "events"))
    assert not left["removed_apps"]
