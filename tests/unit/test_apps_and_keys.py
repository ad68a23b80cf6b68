"""Apps, their keys and their integrations."""

import pytest
from msgspec import structs

from knownas.apps import App, AppNotFound, AppSettings, InvalidApp
from knownas.apps.create import create_app, open_account
from knownas.apps.delete import delete_app
from knownas.apps.update import get_app, update_app
from knownas.integrations import Integration
from knownas.integrations.create import create_integration
from knownas.keys import MAX_KEYS, Key, KeyNotFound, TooManyKeys, WeakKey
from knownas.keys.create import create_key
from knownas.keys.delete import delete_key, get_key
from knownas.transaction import Transaction
from knownas.users.metadata import InvalidMetadata
from tests.given import World, claims, device, numbered_without_gaps


async def all_keys(tx: Transaction, integration_id: str | None = None) -> list[Key]:
    return await tx.keys.all(integration_id)


async def integration(tx: Transaction, integration_id: str) -> Integration | None:
    return await tx.integrations.by_id(integration_id)


async def test_an_installation_has_one_account(world: World) -> None:
    accounts = [await world.do(open_account, name) for name in ("Acme", "Other")]
    assert [account.id for account in accounts] == [world.app.account_id] * 2
    assert accounts[1].display_name == "Acme"


async def test_an_app_is_made_as_it_was_asked_for(world: World) -> None:
    binding = world.database.new_app()
    settings = AppSettings(multi_convo_enabled=True, end_session_enabled=True)
    made = await world.database.write(binding, create_app, world.app.account_id, "B", settings, {"a": 1})
    found = await world.database.directory.app(binding.id)
    assert found is not None
    assert found == structs.replace(made, revision=found.revision)
    assert (found.display_name, found.settings, found.metadata) == ("B", settings, {"a": 1})


async def test_an_update_of_an_app_changes_what_is_given_and_the_same_twice_changes_once(world: World) -> None:
    await world.do(update_app, "Shop 2", {"multiConvoEnabled": True}, {"a": 1, "b": 2})
    before = await world.snapshot()
    await world.do(update_app, "Shop 2", {"multiConvoEnabled": True}, {"a": 1})
    assert await world.snapshot() == before
    await world.do(update_app, None, {}, {"a": None})
    app = await world.ask(get_app)
    assert (app.display_name, app.settings.multi_convo_enabled, app.metadata) == ("Shop 2", True, {"b": 2})
    assert await world.told(world.app.id) == ["app.created", "app.updated", "app.updated"]
    assert await world.database.directory.app(world.app.id) == app, "a change made here is seen at once"


@pytest.mark.parametrize("settings", [{"endSessionEnabled": True}, {"disableConversationReopen": True}])
async def test_settings_that_need_many_conversations_are_refused_without(world: World, settings: dict) -> None:
    before = await world.snapshot()
    with pytest.raises(InvalidApp, match="requires multiConvoEnabled"):
        await world.do(update_app, None, settings)
    assert await world.snapshot() == before
    await world.do(update_app, None, settings | {"multiConvoEnabled": True})
    with pytest.raises(InvalidApp, match="cannot be turned off"):
        await world.do(update_app, None, {"multiConvoEnabled": False})


async def test_an_apps_metadata_is_limited_like_a_users(world: World) -> None:
    with pytest.raises(InvalidMetadata, match="App metadata is limited"):
        await world.do(update_app, None, {}, {"a": "x" * 5000})


async def test_a_key_is_found_with_its_secret_which_stands_nowhere_in_the_clear(world: World) -> None:
    key = await world.do(create_key, world.app.account_id, "main")
    assert key.secret is not None
    assert len(key.secret) == 43
    assert await world.ask(get_key, key.id) == key
    assert await world.traces_of(key.secret) == []
    prepared = await world.database.directory.key(key.id)
    assert prepared is not None
    assert prepared.key == key


async def test_an_app_and_each_integration_have_at_most_ten_keys(world: World) -> None:
    web = await world.do(create_integration, "web")
    for scope, integration_id in (("app", None), ("integration", web.id)):
        keys = [
            await world.do(create_key, world.app.account_id, f"key {n}", scope, integration_id) for n in range(MAX_KEYS)
        ]
        before = await world.snapshot()
        with pytest.raises(TooManyKeys):
            await world.do(create_key, world.app.account_id, "one more", scope, integration_id)
        assert await world.snapshot() == before
        assert await world.ask(all_keys, integration_id) == keys, "oldest first"
        await world.do(delete_key, keys[3].id, integration_id)
        await world.do(create_key, world.app.account_id, "again", scope, integration_id)


async def test_a_weak_public_key_makes_no_key(world: World) -> None:
    before = await world.snapshot()
    with pytest.raises(WeakKey):
        await world.do(create_key, world.app.account_id, "weak", public_key="-----BEGIN PUBLIC KEY-----\nx")
    assert await world.snapshot() == before


async def test_a_deleted_key_is_gone_at_once(world: World) -> None:
    """R5: here at once, elsewhere within a second."""
    key = await world.do(create_key, world.app.account_id, "main")
    assert await world.database.directory.key(key.id)
    await world.do(delete_key, key.id)
    assert await world.database.directory.key(key.id) is None
    with pytest.raises(KeyNotFound):
        await world.do(delete_key, key.id)
    assert await world.told(world.app.id) == ["app.created", "key.created", "key.deleted"]


async def test_a_key_is_reached_only_from_where_it_belongs(world: World) -> None:
    """R13: another app's key, an account's key, and an integration's key asked for as the app's, do not exist."""
    other = await world.another_app()
    web = await world.do(create_integration, "web")
    theirs = await other.do(create_key, other.app.account_id, "theirs")
    account = await world.do(create_key, world.app.account_id, "account", "account")
    of_integration = await world.do(create_key, world.app.account_id, "web", "integration", web.id)
    mine = await world.do(create_key, world.app.account_id, "mine")
    assert account.app_id is None
    for key_id, integration_id in (
        (theirs.id, None), (account.id, None), (of_integration.id, None), (mine.id, web.id), ("app_x", None),
    ):  # fmt: skip
        before = await world.snapshot()
        with pytest.raises(KeyNotFound):
            await world.do(delete_key, key_id, integration_id)
        assert await world.snapshot() == before
    for key in (theirs, account, of_integration, mine):
        assert await world.database.directory.key(key.id) is not None


async def test_a_deleted_app_takes_everything_with_it_and_no_other_app(world: World) -> None:
    other = await world.another_app()
    for each in (world, other):
        await each.log_in(claims("1234", "ada@example.com"), device("phone"), await each.visitor(device("phone")))
        await each.do(create_key, each.app.account_id, "key")
        await each.do(create_integration, "web")
        await each.visitor()
    others, key = await other.snapshot(), (await world.ask(all_keys))[0]
    await world.do(delete_app)
    left = await world.snapshot()
    assert len(left.pop("accounts")) == 1
    assert left.pop("removed_apps"), "what is under way is swept later (tests/unit/test_upkeep.py)"
    left.pop("outbox_readers")
    assert all(rows == [] for rows in left.values()), left
    assert await other.snapshot() | {"removed_apps": []} == others
    assert await world.database.directory.app(world.app.id) is None
    assert await world.database.directory.key(key.id) is None
    with pytest.raises(AppNotFound):
        await world.do(delete_app)


async def test_an_integration_is_known_by_its_id_and_only_in_its_app(world: World) -> None:
    other = await world.another_app()
    made = await world.do(create_integration, "android", "Play", {"a": 1})
    assert await world.ask(integration, made.id) == made
    assert await other.ask(integration, made.id) is None
    assert await world.database.directory.integration(made.id) == made
    assert numbered_without_gaps(await world.snapshot())


async def test_apps_are_paged_in_creation_order_in_both_directions(world: World) -> None:
    apps = [world.app, *[(await world.another_app()).app for _ in range(4)]]
    ids = [app.id for app in sorted(apps, key=lambda app: app.id)]

    async def apps_of(tx: Transaction, after: str | None, before: str | None) -> list[App]:
        return await tx.apps.page(world.app.account_id, after=after, before=before, limit=2)

    async def page(after: str | None = None, before: str | None = None) -> list[str]:
        return [app.id for app in await world.ask(apps_of, after, before)]

    assert await page() == ids[:2]
    assert await page(after=ids[1]) == ids[2:4]
    assert await page(after=ids[4]) == []
    assert await page(before=ids[4]) == ids[2:4]
    assert await page(before=ids[0]) == []
