"""Attachments and their files agree on both databases: they go together, and a sweep finds one without the other."""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from knownas.apps.delete import delete_app
from knownas.attachments import Attachment, AttachmentNotFound, Files
from knownas.attachments.create import create_attachment
from knownas.attachments.delete import delete_attachment, get_attachment
from knownas.conversations import Conversation, ConversationChanges, ConversationNotFound, Invitation, Reference
from knownas.conversations.create import create_conversation
from knownas.conversations.delete import delete_conversation
from knownas.messages import Author
from knownas.messages.delete import delete_all_messages, delete_message
from knownas.messages.draft import Draft
from knownas.messages.post import Posted, post_message
from knownas.storage.files import LocalFiles
from knownas.transaction import Transaction
from knownas.upkeep.attachments import LOOK_EVERY_MS, Position, Swept, run_once
from knownas.users import User
from knownas.users.delete import delete_user
from knownas.users.find import get_user
from tests.given import BY, World

OTHER_APP = "fedcba98765432100123abcd"
HOUR_MS = 3_600_000


async def keep(files: Files, app_id: str) -> str:
    """A file of five bytes in the store; its name."""
    incoming = await files.begin()
    await incoming.write(b"hello")
    name = await files.keep(app_id, incoming)
    await incoming.discard()
    return name


@pytest_asyncio.fixture
async def shop(world_on_both: World, tmp_path: Path) -> AsyncIterator["Shop"]:
    yield Shop(world_on_both, LocalFiles(tmp_path / "attachments"))


class Shop:
    """A world with files."""

    def __init__(self, world: World, files: LocalFiles) -> None:
        self.world = world
        self.files = files
        self.position = Position()
        self._later_ms = 0

    async def attach(self, *, for_message: bool = True, conversation: Conversation | None = None) -> Attachment:
        """An attachment with its file."""
        name = await keep(self.files, self.world.app.id)
        made = Attachment(
            name,
            "ada.png",
            "image/png",
            5,
            time.time_ns() // 1_000_000,
            for_message,
            conversation.id if conversation else None,
        )
        return await self.world.do(create_attachment, made)

    async def conversation(self, *users: User) -> Conversation:
        invitations = [Invitation(Reference(user_id=user.id), subscribe=False) for user in users]
        kind = "personal" if len(users) == 1 else "sdkGroup"
        return await self.world.do(create_conversation, kind, invitations, ConversationChanges())

    async def say(self, conversation: Conversation, *shown: Attachment, by: User | None = None) -> str:
        """A message that shows the attachments; its id."""
        urls = [{"mediaUrl": self.url(attachment), "title": "x", "actions": []} for attachment in shown]
        author = Author("user", user_id=by.id) if by else Author("business")
        content = {"type": "carousel", "items": urls}
        posted: Posted = await self.world.do(post_message, conversation.id, Draft(author, content))
        return posted.message.id

    def url(self, attachment: Attachment) -> str:
        return f"https://acme.example/attachments/{self.world.app.id}/{attachment.name}/ada.png"

    async def served(self, *attachments: Attachment) -> list[bool]:
        found = []
        for attachment in attachments:
            try:
                found.append(bool(await self.world.ask(get_attachment, attachment.name)))
            except AttachmentNotFound:
                found.append(False)
        return found

    async def there(self, *attachments: Attachment) -> list[bool]:
        """Which files are there."""
        return [await self.files.exists(self.world.app.id, attachment.name) for attachment in attachments]

    async def sweep(self) -> Swept:
        self._later_ms += LOOK_EVERY_MS
        now = time.time_ns() // 1_000_000 + self._later_ms
        return await run_once(self.world.database, self.files, self.position, now)

    async def rows(self) -> int:
        return len((await self.world.snapshot())["attachments"])

    async def assert_gone(self, *attachments: Attachment) -> None:
        """Not served from now on; once swept, neither file nor row is left. Nothing says what they were called."""
        assert await self.served(*attachments) == [False] * len(attachments)
        assert await self.world.traces_of("ada.png") == [] or await self.rows() > len(attachments)
        before = await self.rows()
        assert (await self.sweep()).removed == len(attachments)
        assert await self.there(*attachments) == [False] * len(attachments)
        assert await self.rows() == before - len(attachments)


async def test_a_deleted_attachment_is_gone_and_deleted_once(shop: Shop) -> None:
    one, other = await shop.attach(), await shop.attach()
    await shop.world.do(delete_attachment, one.name)
    with pytest.raises(AttachmentNotFound):
        await shop.world.do(delete_attachment, one.name)
    await shop.assert_gone(one)
    assert await shop.served(other) == await shop.there(other) == [True]


async def test_another_apps_attachment_is_not_found(shop: Shop) -> None:
    one = await shop.attach()
    stranger = Shop(await shop.world.another_app(), shop.files)
    assert await stranger.served(one) == [False]
    with pytest.raises(AttachmentNotFound):
        await stranger.world.do(delete_attachment, one.name)
    her = await stranger.world.user("1234")
    conversation = await stranger.conversation(her)
    await stranger.world.do(delete_message, conversation.id, await stranger.say(conversation, one))
    assert await shop.served(one) == [True]


async def test_an_attachment_goes_with_the_message_that_shows_it(shop: Shop) -> None:
    conversation = await shop.conversation(await shop.world.user("1234"))
    mine, other, kept = await shop.attach(), await shop.attach(), await shop.attach(for_message=False)
    first = await shop.say(conversation, mine, kept)
    await shop.say(conversation, other)
    await shop.world.do(delete_message, conversation.id, first)
    await shop.assert_gone(mine)
    assert await shop.served(other, kept) == [True, True]


async def test_a_message_that_repeats_an_address_takes_nothing_along(shop: Shop) -> None:
    ada, bob = await shop.world.user("ada"), await shop.world.user("bob")
    hers, his = await shop.conversation(ada), await shop.conversation(bob)
    one = await shop.attach()
    await shop.say(hers, one)
    repeated = await shop.say(his, one, by=bob)
    await shop.world.do(delete_message, his.id, repeated)
    await shop.world.do_to(bob, delete_user, BY)
    assert await shop.served(one) == [True]
    await shop.world.do_to(ada, delete_user, BY)
    await shop.assert_gone(one)


async def test_all_messages_take_what_they_show_and_the_conversation_the_rest(shop: Shop) -> None:
    conversation = await shop.conversation(await shop.world.user("a"), await shop.world.user("b"))
    shown, waiting = await shop.attach(), await shop.attach(conversation=conversation)
    for_no_message, elsewhere = await shop.attach(for_message=False, conversation=conversation), await shop.attach()
    await shop.say(conversation, shown)
    await shop.world.do(delete_all_messages, conversation.id)
    await shop.assert_gone(shown)
    assert await shop.served(waiting, for_no_message) == [True, True]
    await shop.world.do(delete_conversation, conversation.id)
    await shop.assert_gone(waiting, for_no_message)
    assert await shop.served(elsewhere) == [True]


async def test_a_user_takes_what_she_showed_and_what_her_own_conversation_has(shop: Shop) -> None:
    ada, bob = await shop.world.user("ada"), await shop.world.user("bob")
    hers, group = await shop.conversation(ada), await shop.conversation(ada, bob)
    told, said, his = [await shop.attach() for _ in range(3)]
    waiting = await shop.attach(conversation=hers)
    groups = await shop.attach(conversation=group)
    await shop.say(hers, told)
    await shop.say(group, said, by=ada)
    await shop.say(group, his, by=bob)
    await shop.world.do_to(ada, delete_user, BY)
    await shop.assert_gone(told, waiting, said)
    assert await shop.served(his, groups) == [True, True]


async def test_an_app_takes_its_attachments(shop: Shop) -> None:
    one = await shop.attach()
    stranger = Shop(await shop.world.another_app(), shop.files)
    kept = await stranger.attach()
    await shop.world.do(delete_app)
    await shop.assert_gone(one)
    assert await stranger.served(kept) == await stranger.there(kept) == [True]


async def test_an_upload_for_a_conversation_needs_it_until_the_end(shop: Shop) -> None:
    conversation = await shop.conversation(await shop.world.user("a"), await shop.world.user("b"))
    await shop.world.do(delete_conversation, conversation.id)
    with pytest.raises(ConversationNotFound):
        await shop.attach(conversation=conversation)
    assert await shop.rows() == 0


@pytest_asyncio.fixture
async def shop_on_postgres(world_on_postgres: World, tmp_path: Path) -> "Shop":
    return Shop(world_on_postgres, LocalFiles(tmp_path / "attachments"))


async def test_a_conversation_that_goes_while_an_upload_ends_leaves_nothing_behind(shop_on_postgres: Shop) -> None:
    """Between what the upload reads and what it writes, the conversation goes: nobody would remove the attachment."""
    shop = shop_on_postgres
    conversation = await shop.conversation(await shop.world.user("a"), await shop.world.user("b"))
    made = Attachment("a" * 64, "x", "image/png", 5, 1, True, conversation.id)
    pending = [shop.world.do(delete_conversation, conversation.id)]

    async def slow(tx: Transaction) -> None:
        await create_attachment(tx, made)
        if pending:
            await pending.pop()

    with pytest.raises(ConversationNotFound):
        await shop.world.do(slow)
    assert await shop.rows() == 0


async def test_a_user_who_goes_while_an_upload_ends_is_removed_again_with_it(shop_on_postgres: Shop) -> None:
    shop = shop_on_postgres
    ada = await shop.world.user("ada")
    conversation = await shop.conversation(ada)
    runs: list[Attachment] = []

    async def slow(tx: Transaction) -> None:
        await delete_user(tx, await get_user(tx, ada.id), BY)
        if not runs:
            runs.append(await shop.attach(conversation=conversation))
        else:
            runs.append(runs[0])

    await shop.world.do(slow)
    assert len(runs) == 2, "the removal lost its race and was run again"
    await shop.assert_gone(runs[0])


# The sweep.


async def age(shop: Shop, attachment: Attachment | None, *names: str) -> None:
    """Let the file be two hours old, and the row with it."""
    for name in [*names, *([attachment.name] if attachment else [])]:
        path = shop.files.path_of(shop.world.app.id, name)
        if path.exists():
            then = time.time() - 7200
            os.utime(path, (then, then))


async def old(shop: Shop, *, file: bool = True) -> Attachment:
    """An attachment of two hours ago."""
    name = await keep(shop.files, shop.world.app.id)
    made = Attachment(name, "x", "image/png", 5, time.time_ns() // 1_000_000 - 2 * HOUR_MS)
    await shop.world.do(create_attachment, made)
    await age(shop, made)
    if not file:
        await shop.files.remove(shop.world.app.id, name)
    return made


async def test_a_file_that_nothing_names_is_removed_after_an_hour(shop: Shop) -> None:
    kept, young = await old(shop), await keep(shop.files, shop.world.app.id)
    nobodys = [await keep(shop.files, shop.world.app.id) for _ in range(3)]
    await age(shop, None, *nobodys)
    assert (await shop.sweep()).unknown == 3
    assert [await shop.files.exists(shop.world.app.id, name) for name in (*nobodys, young, kept.name)] == [
        False, False, False, True, True,
    ]  # fmt: skip
    assert await shop.served(kept) == [True]
    assert await shop.sweep() == Swept()


async def test_an_attachment_without_a_file_is_forgotten_after_an_hour(shop: Shop) -> None:
    kept, lost = await old(shop), await old(shop, file=False)
    young = await shop.attach()
    await shop.files.remove(shop.world.app.id, young.name)
    assert (await shop.sweep()).lost == 1
    assert await shop.served(kept, lost, young) == [True, False, True]
    assert await shop.rows() == 2


async def test_an_empty_folder_is_a_wrong_folder_and_forgets_nothing(shop: Shop, tmp_path: Path) -> None:
    kept = await old(shop)
    elsewhere = Shop(shop.world, LocalFiles(tmp_path / "not mounted"))
    assert await elsewhere.sweep() == Swept()
    assert await shop.served(kept) == [True]


async def test_files_of_an_unknown_app_are_somebody_elses(shop: Shop) -> None:
    name = await keep(shop.files, OTHER_APP)
    await old(shop)
    for _ in range(3):
        assert await shop.sweep() == Swept()
    assert await shop.files.exists(OTHER_APP, name)


async def test_what_began_a_day_ago_and_never_ended_is_removed(shop: Shop) -> None:
    incoming: Any = await shop.files.begin()
    other: Any = await shop.files.begin()
    then = time.time() - 25 * 3600
    os.utime(incoming.path, (then, then))
    assert (await shop.sweep()).unfinished == 1
    assert (incoming.path.exists(), other.path.exists()) == (False, True)
    await incoming.discard()
    await other.discard()


async def test_a_sweep_is_bounded_and_goes_on_where_it_ended(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, limit in (("LOOKED_AT_ONCE", 3), ("REMOVED_AT_ONCE", 2)):
        monkeypatch.setattr(f"knownas.upkeep.attachments.{name}", limit)
    removed = [await shop.attach() for _ in range(5)]
    for one in removed:
        await shop.world.do(delete_attachment, one.name)
    assert [(await shop.sweep()).removed for _ in range(4)] == [2, 2, 1, 0]
    nobodys = [await keep(shop.files, shop.world.app.id) for _ in range(7)]
    await age(shop, None, *nobodys)
    kept = [await old(shop) for _ in range(3)]
    shop.position = Position()
    swept = [(await shop.sweep()).unknown for _ in range(8)]
    assert sum(swept) == 7
    assert max(swept) <= 3
    assert await shop.served(*kept) == await shop.there(*kept) == [True] * 3
