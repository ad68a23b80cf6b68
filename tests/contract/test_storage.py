"""What both engines promise alike: the core stories, races, migrations, and failures that blame nobody."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any, TypeVar

import asyncpg
import pytest

from knownas.apps.create import open_account
from knownas.apps.update import get_app, update_app
from knownas.conflicts import EmailContested
from knownas.devices.clients import list_devices
from knownas.errors import DomainError, LostRace, Unavailable
from knownas.integrations.create import create_integration
from knownas.keys import MAX_KEYS, TooManyKeys
from knownas.keys.create import create_key
from knownas.keys.delete import delete_key
from knownas.sessions import Access, InvalidSession
from knownas.sessions.log_in import log_in
from knownas.sessions.log_out import log_out
from knownas.sessions.reach import reach
from knownas.sessions.start import start_anonymous
from knownas.storage.connections import WAIT_S, Connections
from knownas.storage.migrate import SchemaTooNew, migrations
from knownas.storage.postgres import LOOK_AFTER_WRITES
from knownas.storage.transaction import RACES
from knownas.storage.vault import WrongMasterKey
from knownas.transaction import Transaction
from knownas.users import User, UserChanges, UserExists, UserNotFound
from knownas.users.create import create_user
from knownas.users.delete import delete_user, erase_personal_information
from knownas.users.find import get_user, list_by_email
from knownas.users.update import update_user
from tests.delivering import until_found
from tests.given import (
    BY,
    KEY_ID,
    NOTHING_TYPED,
    World,
    beside,
    claims,
    database_of,
    device,
    numbered_without_gaps,
    proof,
    retold,
    stored,
)  # fmt: skip

T = TypeVar("T")


async def all_at_once(*awaitables: Awaitable[T]) -> list[T | BaseException]:
    return await asyncio.gather(*awaitables, return_exceptions=True)


def outcomes(results: list[Any]) -> Counter[str]:
    return Counter(type(result).__name__ for result in results)


async def check_what_always_holds(world: World) -> None:
    """One owner per identity is the index's; this is what spans tables."""
    snapshot = await world.snapshot()
    assert numbered_without_gaps(snapshot)
    users = {row["id"]: row for row in snapshot["users"]}
    for row in snapshot["identities"] + snapshot["devices"] + snapshot["sessions"]:
        assert row["user_id"] in users, f"an orphan: {row}"
    for row in users.values():
        assert row["merged_into"] is None or row["merged_into"] in users, "a pointer to nowhere"
    assert all(users[row["user_id"]]["external_id"] is None for row in snapshot["sessions"]), "R4"
    assert all(users[row["user_id"]]["merged_into"] is None for row in snapshot["sessions"]), "R4"
    named = {(r["user_id"], r["value"]) for r in snapshot["identities"] if r["type"] == "external_id"}
    assert named == {(row["id"], row["external_id"]) for row in users.values() if row["external_id"]}
    if not any(event["type"] == "user.erased" for event in snapshot["events"]):
        assert retold(snapshot) == stored(snapshot)


# The core stories.


async def test_from_visitor_to_user_and_back(world_on_both: World) -> None:
    world = world_on_both
    visitor = await world.visitor(phone := device(info={"os": "1"}), metadata={"cart": 1}, given_name="A.")
    ada = await world.log_in(claims("1234", "ada@example.com", name="Ada Lovelace"), phone, visitor)
    assert ada.user.id == visitor.user.id
    before = await world.snapshot()
    await world.log_in(claims("1234", "ada@example.com", name="Ada Lovelace"), phone, visitor)
    after = await world.snapshot()
    for snapshot in (before, after):
        for row in snapshot["devices"]:
            row.pop("last_seen")
    assert after == before, "the same login twice has the effect of one"

    second = await world.visitor(tablet := device(), metadata={"cart": 2, "late": True})
    merged = await world.log_in(claims("1234"), tablet, second)
    assert merged.user.metadata == {"cart": 1, "late": True}
    assert (await world.get(second.user.id)).id == ada.user.id
    assert [i.value for i in (await world.get("1234")).identities] == ["ada@example.com"]
    with pytest.raises(InvalidSession):
        await world.ask(reach, proof(second), second.user.id)
    await world.do(log_out, claims("1234"), second.user.id, tablet.guid)
    by_guid = {d.guid: d.status for d in await world.ask_of("1234", list_devices)}
    assert by_guid == {phone.guid: "active", tablet.guid: "inactive"}
    await check_what_always_holds(world)


async def test_a_contested_email_leaves_one_case_and_nothing_else(world_on_both: World) -> None:
    world = world_on_both
    ada = await world.log_in(claims("1234", "ada@example.com"))
    visitor = await world.visitor(phone := device())
    before = await world.snapshot()
    for _ in range(2):
        with pytest.raises(EmailContested):
            await world.log_in(claims("5678", "ADA@example.com"), phone, visitor)
    after = await world.snapshot()
    [case] = after.pop("conflicts")
    assert before.pop("conflicts") == before.pop("conflict_evidence") == []
    assert (case["owner_id"], case["claimant"], case["count"], case["state"]) == (ada.user.id, "5678", 2, "open")
    assert [row["number"] for row in after.pop("conflict_evidence")] == [1, 2]
    after["events"] = [row for row in after["events"] if row["stream"] != case["id"]]
    assert after == before
    assert [(c.claimant, c.count) for c in await world.open_cases()] == [("5678", 2)]


async def test_contested_logins_at_once_are_each_counted_and_each_leave_evidence(world_on_both: World) -> None:
    world = world_on_both
    await world.log_in(claims("1234", "ada@example.com"))
    with pytest.raises(EmailContested):
        await world.log_in(claims("5678", "ada@example.com"))
    logins = (world.log_in(claims("5678", "ada@example.com"), device(f"phone-{number}")) for number in range(8))
    outcomes = await asyncio.gather(*logins, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [EmailContested] * 8
    found = await world.snapshot()
    assert [case["count"] for case in found["conflicts"]] == [9]
    assert sorted(row["number"] for row in found["conflict_evidence"]) == list(range(1, 10))
    assert {row["device_guid"] for row in found["conflict_evidence"]} == {None, *(f"phone-{n}" for n in range(8))}


async def test_a_claim_yields_and_merged_users_emails_count_as_the_survivors(world_on_both: World) -> None:
    world = world_on_both
    claimant = await world.user("c")
    await world.has_identity(claimant, "email", "ada@example.com", owned=False)
    ada = await world.log_in(claims("1234", "ada@example.com"))
    assert await world.owner("email", "ada@example.com") == ada.user.id
    visitor = await world.visitor(phone := device())
    await world.has_identity(visitor.user, "email", "other@example.com", owned=True)
    await world.log_in(claims("1234", "other@example.com"), phone, visitor)
    assert sorted(i.value for i in (await world.get("1234")).identities) == ["ada@example.com", "other@example.com"]
    [found] = await world.ask(list_by_email, "other@example.com")
    assert found.id == ada.user.id
    await check_what_always_holds(world)


async def test_users_are_created_changed_erased_and_deleted(world_on_both: World) -> None:
    world = world_on_both
    user = await world.user("1234", given_name="Secret", metadata={"a": "Secret"}, to_be_retained=True, signed_up_at=5)
    assert (await world.get("1234")).to_be_retained is True
    with pytest.raises(UserExists):
        await world.user("1234")
    await world.do_to(user, update_user, UserChanges(surname="Secret", to_be_retained=False, metadata={"b": 1.5}))
    found = await world.get("1234")
    assert (found.surname, found.to_be_retained, found.metadata) == ("Secret", False, {"a": "Secret", "b": 1.5})
    visitor = await world.visitor(phone := device(info={"a": "Secret"}, push_token="Secret"), metadata={"v": "Secret"})
    await world.log_in(claims("1234", "Secret@example.com"), phone, visitor)
    await world.do_to(user, erase_personal_information, BY)
    assert await world.traces_of("Secret", "secret@") == []
    assert await world.told(user.id) == ["user.erased"]
    await check_what_always_holds(world)
    await world.do_to(visitor.user.id, delete_user, BY)
    assert await world.traces_of("1234", visitor.user.id) == []
    with pytest.raises(UserNotFound):
        await world.get(user.id)
    assert (await world.log_in(claims("1234"))).created
    await check_what_always_holds(world)


async def test_apps_keys_and_integrations_are_made_changed_and_deleted(world_on_both: World) -> None:
    world = world_on_both
    await world.do(update_app, "New", {"multiConvoEnabled": True}, {"a": "ß"})
    app = await world.ask(get_app)
    assert (app.display_name, app.settings.multi_convo_enabled, app.metadata) == ("New", True, {"a": "ß"})
    assert await world.database.directory.app(app.id) == app
    integration = await world.do(create_integration, "ios")
    assert await world.database.directory.integration(integration.id) == integration
    keys = [await world.do(create_key, app.account_id, "k") for _ in range(MAX_KEYS)]
    with pytest.raises(TooManyKeys):
        await world.do(create_key, app.account_id, "k")
    found = await world.database.directory.key(keys[0].id)
    assert found is not None
    assert found.key == keys[0]
    await world.do(delete_key, keys[0].id)
    assert await world.database.directory.key(keys[0].id) is None
    assert numbered_without_gaps(await world.snapshot())


@pytest.mark.parametrize("text", ["Å\u0301\U0001f600", "'; DROP TABLE users; --", "$1 ?1"])
async def test_any_name_that_a_token_may_carry_is_kept_or_refused_alike(world_on_both: World, text: str) -> None:
    """A name and an unverified e-mail are labels: whatever text a token may hold comes back the same."""
    access = await world_on_both.log_in(claims("1234", text, verified=False, name=text))
    assert access.user.email in (text, None)


async def test_long_texts_are_kept_whole(world_on_both: World) -> None:
    world = world_on_both
    external_id, email = "ß" * 1024, "ada@" + "x" * 60 + "." + "y" * 50 + ".com"
    access = await world.log_in(claims(external_id, email), device("g" * 1000))
    found = await world.get(external_id)
    assert (found.id, found.external_id, found.identities[0].value) == (access.user.id, external_id, email)


# Races.


async def test_two_hundred_logins_of_one_newcomer_make_one_user(world_on_both: World) -> None:
    world = world_on_both
    results = await all_at_once(*(world.log_in(claims("1234", "ada@example.com"), device()) for _ in range(200)))
    assert outcomes(results) == {"Access": 200}, outcomes(results)
    assert len({access.user.id for access in results if isinstance(access, Access)}) == 1
    assert sum(access.created for access in results if isinstance(access, Access)) == 1
    snapshot = await world.snapshot()
    assert len(snapshot["users"]) == 1
    assert len(snapshot["devices"]) == 200
    assert Counter(row["type"] for row in snapshot["events"])["identity.attached"] == 1
    await check_what_always_holds(world)


async def test_two_hundred_newcomers_with_one_email_have_one_owner(world_on_both: World) -> None:
    world = world_on_both
    results = await all_at_once(*(world.log_in(claims(f"u{n}", "ada@example.com"), device()) for n in range(200)))
    assert outcomes(results) == {"Access": 1, "EmailContested": 199}, outcomes(results)
    [winner] = [access for access in results if isinstance(access, Access)]
    snapshot = await world.snapshot()
    assert [row["id"] for row in snapshot["users"]] == [winner.user.id], "nothing of the refused logins happened"
    assert len(snapshot["devices"]) == 1
    assert len(snapshot["conflicts"]) == 199
    assert {(row["owner_id"], row["count"]) for row in snapshot["conflicts"]} == {(winner.user.id, 1)}
    await check_what_always_holds(world)


async def test_a_refused_claim_that_is_repeated_at_once_is_counted_each_time(world_on_both: World) -> None:
    world = world_on_both
    await world.log_in(claims("1234", "ada@example.com"))
    results = await all_at_once(*(world.log_in(claims("5678", "ada@example.com")) for _ in range(50)))
    assert outcomes(results) == {"EmailContested": 50}
    [case] = await world.open_cases()
    assert case.count == 50


async def test_fifty_changes_of_different_properties_are_all_kept(world_on_both: World) -> None:
    world = world_on_both
    user = await world.user("1234")
    results = await all_at_once(
        *(world.do_to(user, update_user, UserChanges(metadata={f"key{n}": n})) for n in range(50))
    )
    assert outcomes(results) == {"User": 50}, outcomes(results)
    assert (await world.get("1234")).metadata == {f"key{n}": n for n in range(50)}
    await check_what_always_holds(world)


@pytest.mark.parametrize("external_ids", [("1234", "1234"), ("1234", "5678")])
async def test_one_visitor_is_promoted_once(world_on_both: World, external_ids: tuple[str, str]) -> None:
    world = world_on_both
    for _ in range(10):
        app = await world.another_app()
        visitor = await app.visitor(phone := device())
        results = await all_at_once(*(app.log_in(claims(who), phone, visitor) for who in external_ids))
        assert outcomes(results) == {"Access": 2}
        assert len((await app.snapshot())["users"]) == len(set(external_ids))
        assert (await app.get(visitor.user.id)).external_id in external_ids
        await check_what_always_holds(app)


async def test_one_visitor_is_merged_once(world_on_both: World) -> None:
    world = world_on_both
    for _ in range(10):
        app = await world.another_app()
        await app.log_in(claims("1234"))
        await app.log_in(claims("5678"))
        visitor = await app.visitor(phone := device())
        results = await all_at_once(*(app.log_in(claims(w), phone, visitor) for w in ("1234", "5678", "1234")))
        assert outcomes(results) == {"Access": 3}
        assert len((await app.snapshot())["merges"]) == 1
        await check_what_always_holds(app)


async def test_deleting_races_with_logging_in(world_on_both: World) -> None:
    """Whoever is first: nothing is left of the deleted user, and her identities are free or the new user's."""
    world = world_on_both
    for round_ in range(15):
        app = await world.another_app()
        user = await app.user("1234")
        results = await all_at_once(
            app.log_in(claims("1234", "ada@example.com"), device()),
            app.do_to(user, delete_user, BY),
            app.log_in(claims("1234", "ada@example.com"), device(), await app.visitor()),
        )
        assert outcomes(results) == Counter(Access=2, Receipt=1), (round_, results)
        await check_what_always_holds(app)
        access = await app.log_in(claims("1234", "ada@example.com"), device())
        assert await app.owner("email", "ada@example.com") == access.user.id != user.id


async def test_ten_keys_are_the_limit_also_when_asked_for_at_once(world_on_both: World) -> None:
    world = world_on_both
    results = await all_at_once(*(world.do(create_key, world.app.account_id, f"{n}") for n in range(30)))
    assert outcomes(results) == {"Key": MAX_KEYS, "TooManyKeys": 20}, outcomes(results)


async def test_mixed_load_keeps_what_always_holds(world_on_both: World) -> None:
    world = world_on_both
    emails = [None, "ada@example.com", "bob@example.com"]

    async def life(n: int) -> None:
        phone = device(f"shared-{n % 4}")
        visitor = await world.visitor(phone, metadata={f"v{n}": n})
        with suppress(EmailContested):
            await world.log_in(claims(f"u{n % 5}", emails[n % 3]), phone, visitor)
        with suppress(UserNotFound):
            if n % 10 == 9:
                await world.do_to(f"u{n % 5}", delete_user, BY)
            else:
                await world.do(log_out, claims(f"u{n % 5}"), f"u{n % 5}", phone.guid)

    results = await all_at_once(*(life(n) for n in range(60)))
    assert outcomes(results) == Counter(NoneType=60), [r for r in results if r]
    await check_what_always_holds(world)


async def test_two_programs_share_one_database(world_on_both: World) -> None:
    """The CLI beside the server: each sees what the other committed, and their races are decided, too."""
    world = world_on_both
    async with beside(world) as other:
        each = [w.log_in(claims(f"u{n % 20}", "ada@example.com" if n % 20 == 0 else None)) for n in range(40)
                for w in (world, other)]  # fmt: skip
        results = await all_at_once(*each)
        assert outcomes(results) == {"Access": 80}, outcomes(results)
        assert len((await world.snapshot())["users"]) == 20
        assert await world.snapshot() == await other.snapshot()
        await check_what_always_holds(world)


async def test_a_verb_that_always_loses_its_race_ends_as_unavailable(world_on_both: World) -> None:
    tries = 0

    async def loses(tx: Transaction) -> None:
        nonlocal tries
        tries += 1
        raise LostRace

    with pytest.raises(Unavailable, match="try again") as refused:
        await world_on_both.do(loses)
    assert tries == RACES
    assert refused.value.retry_after_s >= 1


async def test_a_verb_that_lost_its_race_sees_the_winner_when_it_runs_again(world_on_both: World) -> None:
    world = world_on_both
    user = await world.user("1234")
    seen: list[str | None] = []

    async def stale_once(tx: Transaction) -> None:
        current = await get_user(tx, "1234")
        seen.append(current.given_name)
        tx.users.change(user if len(seen) == 1 else current, surname="Lovelace")

    await world.do_to(user, update_user, UserChanges(given_name="Ada"))
    await world.do(stale_once)
    assert seen == ["Ada", "Ada"]
    assert (await world.get("1234")).surname == "Lovelace"


# PostgreSQL alone lets units of work overlap: between what a verb reads and what it writes, another may happen whole.


async def overtaken(
    world: World, verb: Callable[..., Awaitable[T]], *args: Any, by: Callable[[], Awaitable[Any]]
) -> T | BaseException:
    """Run the verb; between its reads and its writes, once, `by` happens and is committed."""
    pending = [by]

    async def slow(tx: Transaction) -> T:
        answer = await verb(tx, *args)
        if pending:
            await pending.pop()()
        return answer

    return (await all_at_once(world.do(slow)))[0]


async def on_user(tx: Transaction, reference: str, verb: Callable[..., Awaitable[T]], *args: Any) -> T:
    return await verb(tx, await get_user(tx, reference), *args)


async def test_a_device_that_changes_hands_twice_at_once_signs_everybody_else_out(world_on_postgres: World) -> None:
    """R6.6: both logins find it with the same former user; the later one takes it from the earlier."""
    world = world_on_postgres
    phone = device()
    await world.log_in(claims("first"), phone)
    await overtaken(world, log_in, claims("late"), phone, None, None, by=lambda: world.log_in(claims("between"), phone))
    await check_what_always_holds(world)


async def test_a_login_finds_room_for_her_device_on_its_own_page(world_on_postgres: World) -> None:
    """Else each login of a known user would also write both indexes of her device."""
    world = world_on_postgres
    people = [(claims(f"u{number}"), device(f"{number:032x}")) for number in range(100)]
    for claimed, info in people:
        await world.log_in(claimed, info)
    where = "SELECT guid, split_part(CAST(ctid AS TEXT), ',', 1) FROM devices"
    before = dict(map(tuple, await world.database.rows(where)))
    for claimed, info in people:
        await world.log_in(claimed, info)
    assert len(set(before.values())) > 1
    assert dict(map(tuple, await world.database.rows(where))) == before


async def test_a_session_begun_meanwhile_on_the_device_ends_when_somebody_takes_it(world_on_postgres: World) -> None:
    """R6.6"""
    world = world_on_postgres
    phone = device()
    await world.visitor(phone)
    await overtaken(world, log_in, claims("late"), phone, None, None, by=lambda: world.visitor(phone))
    snapshot = await world.snapshot()
    assert snapshot["sessions"] == [], "the device is the late user's now"


async def test_a_log_out_does_not_take_the_device_from_whoever_has_it_meanwhile(world_on_postgres: World) -> None:
    world = world_on_postgres
    phone = device()
    await world.log_in(claims("first"), phone)
    await overtaken(
        world, log_out, claims("first"), "first", phone.guid, by=lambda: world.log_in(claims("between"), phone)
    )
    found = await world.device(phone.guid)
    assert found is not None
    assert (found.user_id, found.status) == ((await world.get("between")).id, "active")
    await check_what_always_holds(world)


async def test_what_is_erased_meanwhile_is_not_written_back(world_on_postgres: World) -> None:
    """R10: a log-out that read the device before the erasure must not restore its details."""
    world = world_on_postgres
    phone = device(info={"a": "Secret"}, app_version="Secret")
    await world.log_in(claims("1234"), phone)
    await overtaken(
        world, log_out, claims("1234"), "1234", phone.guid,
        by=lambda: world.do_to("1234", erase_personal_information, BY),
    )  # fmt: skip
    assert await world.traces_of("Secret") == []


async def test_a_visitors_change_made_meanwhile_is_merged_too(world_on_postgres: World) -> None:
    """R9: merges lose nothing."""
    world = world_on_postgres
    await world.log_in(claims("1234"))
    visitor = await world.visitor(phone := device())
    await overtaken(
        world, log_in, claims("1234"), phone, proof(visitor), None,
        by=lambda: world.do_to(visitor.user, update_user, UserChanges(metadata={"cart": 1})),
    )  # fmt: skip
    assert (await world.get("1234")).metadata == {"cart": 1}


async def test_a_visitor_merged_meanwhile_is_deleted_with_the_survivor(world_on_postgres: World) -> None:
    """R10: nobody may be left who points to a user that is gone."""
    world = world_on_postgres
    await world.log_in(claims("1234"))
    visitor = await world.visitor(phone := device(), given_name="Secret")
    await overtaken(world, on_user, "1234", delete_user, BY, by=lambda: world.log_in(claims("1234"), phone, visitor))
    await check_what_always_holds(world)
    assert await world.traces_of("Secret") == []


async def test_a_visitor_merged_meanwhile_is_erased_with_the_survivor(world_on_postgres: World) -> None:
    """R10"""
    world = world_on_postgres
    await world.log_in(claims("1234"))
    visitor = await world.visitor(phone := device(), given_name="Secret")
    await overtaken(
        world, on_user, "1234", erase_personal_information, BY, by=lambda: world.log_in(claims("1234"), phone, visitor)
    )
    assert await world.traces_of("Secret") == []


async def test_two_changes_of_an_apps_properties_at_once_are_both_kept(world_on_postgres: World) -> None:
    world = world_on_postgres
    await overtaken(world, update_app, None, {}, {"a": 1}, by=lambda: world.do(update_app, None, {}, {"b": 2}))
    assert (await world.ask(get_app)).metadata == {"a": 1, "b": 2}


async def test_two_first_starts_at_once_make_one_account(database_url: str) -> None:
    database = database_of(database_url)
    await database.start()
    try:
        bindings = [database.new_app() for _ in range(20)]
        accounts = await all_at_once(*(database.write(app, open_account, "Acme") for app in bindings))
        assert len({account.id for account in accounts if not isinstance(account, BaseException)}) == 1
        assert len(await database.rows("SELECT id FROM accounts")) == 1
    finally:
        await database.close()


@pytest.mark.parametrize("verb", [delete_user, erase_personal_information])
async def test_a_deletion_that_waits_for_a_login_takes_what_the_login_wrote(
    world_on_postgres: World, verb: Callable[..., Awaitable[Any]]
) -> None:
    """R10: the deletion's one statement sees the database as it was when it began to wait, unless that is prevented.

    An identity that it misses would be owned for ever by a user who is not there, and nobody could log in with it.
    """
    world = world_on_postgres
    user = await world.user("1234")
    holder: Any = await asyncpg.connect(world.url)
    try:
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute("SELECT 1 FROM users WHERE id = $1 FOR UPDATE", user.id)
        login = asyncio.create_task(world.log_in(claims("1234", "Secret@example.com"), device(push_token="Secret")))
        await waiting_for_locks(holder, 1)
        ending = asyncio.create_task(world.do_to(user, verb, BY))
        await waiting_for_locks(holder, 2)
        await transaction.commit()
        await asyncio.gather(login, ending)
    finally:
        await holder.close()
    if verb is delete_user:
        await check_what_always_holds(world)
        access = await world.log_in(claims("1234", "Secret@example.com"))
        assert await world.owner("email", "Secret@example.com") == access.user.id
    else:
        assert await world.traces_of("Secret", "secret@") == [], "she logged in first, and then all was erased"


async def waiting_for_locks(connection: Any, count: int) -> None:
    """Wait until so many backends wait for a lock."""
    async with asyncio.timeout(20):
        while await connection.fetchval("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted") < count:  # noqa: ASYNC110  the server tells nobody
            await asyncio.sleep(0.005)


# Decide first, write last.


async def test_a_verb_that_reads_after_it_wrote_is_refused(world_on_both: World) -> None:
    world = world_on_both

    async def confused(tx: Transaction) -> User:
        made = await create_user(tx, "1234", NOTHING_TYPED, KEY_ID)
        return await get_user(tx, made.id)

    before = await world.snapshot()
    with pytest.raises(RuntimeError, match="reads first and writes last"):
        await world.do(confused)
    assert await world.snapshot() == before


async def test_a_verb_that_writes_cannot_be_run_as_one_that_reads(world_on_both: World) -> None:
    world = world_on_both
    before = await world.snapshot()
    with pytest.raises(RuntimeError, match=r"run with read\(\)"):
        await world.ask(start_anonymous, NOTHING_TYPED, device())
    assert await world.snapshot() == before


async def test_a_refusal_or_a_bug_keeps_nothing(world_on_both: World) -> None:
    world = world_on_both

    async def breaks(tx: Transaction, error: Exception) -> None:
        await create_user(tx, "1234", NOTHING_TYPED, KEY_ID)
        raise error

    before = await world.snapshot()
    for error in (UserNotFound(), ValueError("a bug")):
        with pytest.raises(type(error)):
            await world.do(breaks, error)
    assert await world.snapshot() == before
    await world.user("1234")


# Migrations and master key.


async def test_migrations_run_once_however_often_and_by_however_many(database_url: str) -> None:
    """Two programs start on an empty database at once, each with a loop of its own; then one more."""
    failures: list[BaseException] = []
    together = threading.Barrier(3)

    def start_and_close() -> None:
        async def run() -> None:
            database = database_of(database_url)
            together.wait(10)
            await database.start()
            await database.close()

        try:
            asyncio.run(run())
        except BaseException as failure:  # noqa: BLE001  shown below
            failures.append(failure)

    threads = [threading.Thread(target=start_and_close) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert failures == []
    database = database_of(database_url)
    await database.start()
    try:
        history = await database.rows("SELECT version, name FROM schema_history ORDER BY version")
        assert [tuple(row) for row in history] == [(step.version, step.name) for step in migrations()]
        await database.ping()
    finally:
        await database.close()


async def test_a_schema_newer_than_the_program_is_refused_in_words(database_url: str) -> None:
    database = database_of(database_url)
    await database.start()

    async def from_the_future(tx: Any) -> None:
        tx.unit.hold_directory("INSERT INTO schema_history (version, name, applied_at) VALUES (9999, 'future', 0)")

    await database.write(database.new_app(), from_the_future)
    await database.close()
    async with AsyncExitStack() as stack:
        again = database_of(database_url)
        stack.push_async_callback(again.close)
        newest = migrations()[-1].version
        with pytest.raises(
            SchemaTooNew, match=rf"version 9999, and this Knownas knows versions up to {newest}\. A newer"
        ):
            await again.start()


async def test_a_wrong_master_key_is_said_in_words_at_the_start(world_on_both: World) -> None:
    await world_on_both.do(create_key, world_on_both.app.account_id, "main")
    async with AsyncExitStack() as stack:
        other = database_of(world_on_both.url, b"x" * 32)
        stack.push_async_callback(other.close)
        with pytest.raises(WrongMasterKey, match="cannot be opened with this master key"):
            await other.start()


# PostgreSQL that goes away.


async def test_a_lost_connection_is_unavailable_and_then_all_is_well(world_on_postgres: World) -> None:
    """Backends are ended under load: each caller succeeds or is told to try again, and nothing is half done."""
    world = world_on_postgres
    stop = asyncio.Event()
    results: list[type[DomainError] | None] = []

    async def load(n: int) -> None:
        for turn in range(1_000_000):
            if stop.is_set():
                return
            phone = device()
            try:
                visitor = await world.visitor(phone)
                await world.log_in(claims(f"u{n}-{turn % 3}"), phone, visitor)
                await world.get(f"u{n}-{turn % 3}")
                if turn % 3 == 2:
                    await world.do_to(f"u{n}-2", delete_user, BY)
                results.append(None)
            except (Unavailable, UserNotFound) as refusal:
                results.append(type(refusal))

    tasks = [asyncio.create_task(load(n)) for n in range(8)]
    admin: Any = await asyncpg.connect(world.url)
    try:
        for _ in range(15):
            served = len(results)
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            async with asyncio.timeout(20):
                while len(results) < served + 20 and not any(task.done() for task in tasks):  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
    finally:
        stop.set()
        ended = await all_at_once(*tasks)
        await admin.close()
    assert ended == [None] * 8
    assert results.count(Unavailable) > 0
    assert results.count(None) > 100
    await world.database.ping()
    await world.log_in(claims("after"))
    await check_what_always_holds(world)


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    database = database_of("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable):
        await database.start()
    await database.close()


async def test_a_caller_who_gives_up_leaves_the_connection_clean(world_on_both: World) -> None:
    """Cancelled anywhere: what was begun is whole or not there, and the next caller is served."""
    world = world_on_both
    for n in range(40):
        task = asyncio.create_task(world.log_in(claims(f"u{n}", f"u{n}@example.com"), device()))
        for _ in range(n % 8):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await world.log_in(claims("after"))
    await check_what_always_holds(world)


async def test_a_table_that_grew_is_looked_at_before_its_plans_are_bad(world_on_postgres: World) -> None:
    """A plan made for an empty table takes the app id alone for a good index, and is kept."""
    world = world_on_postgres
    for number in range(2 * LOOK_AFTER_WRITES[0]):
        await world.user(f"user-{number}")

    async def analyzed() -> int:
        await world.user()
        rows = await world.database.rows("SELECT count(*) FROM pg_stat_user_tables WHERE last_analyze IS NOT NULL")
        return int(rows[0][0])

    await until_found(analyzed, "tables that grew are analyzed")


async def test_room_for_a_connection_goes_to_the_next_who_waits_when_the_first_gives_up(postgres_url: str) -> None:
    """The only connection breaks, the caller whose turn it is goes away, and the one behind is served at once."""
    connections = Connections(postgres_url, 1)
    only = await connections.take()
    first, second = asyncio.create_task(connections.take()), asyncio.create_task(connections.take())
    while connections.waiting < 2:  # noqa: ASYNC110
        await asyncio.sleep(0)
    only.terminate()
    connections.give_back(only)
    first.cancel()
    try:
        async with asyncio.timeout(WAIT_S / 2):
            connections.give_back(await second)
    finally:
        await connections.close()
