"""R10: what an erasure leaves behind of itself, and where it looks besides a user's own rows."""

from collections.abc import Awaitable, Callable
from typing import Any

import apsw
import pytest

from knownas.audit import Head
from knownas.audit.verify import Verified, verify_audit
from knownas.conflicts import EmailContested
from knownas.conversations import ConversationChanges, Invitation, Reference
from knownas.conversations.activity import post_activity
from knownas.conversations.create import create_conversation
from knownas.erasures import CLOCKS_APART_MS, FOR_EVER, ErasureKind, PastMerge, Receipt, Window, reach_of
from knownas.merges.absorb import merge_users
from knownas.merges.undo import carry_out_unmerge, foresee_unmerge
from knownas.storage import sqlite_writer
from knownas.storage.open import sqlite_path
from knownas.transaction import Transaction
from knownas.users import User, UserChanges
from knownas.users.delete import carry_out_erasure, delete_user, erase_personal_information, foresee_erasure
from knownas.users.find import get_user
from knownas.users.update import update_user
from tests.given import BY, Clock, World, claims, device
from tests.servers import eventually


async def receipts(tx: Transaction) -> list[Receipt]:
    return await tx.erasures.page(after=None, before=None, limit=10)


async def test_an_erasure_is_vouched_for_and_says_nothing_of_whom_it_was(world: World) -> None:
    access = await world.log_in(claims("ada-external", "ada@example.com"), device())
    user_id = access.user.id
    receipt = await world.do_to(user_id, delete_user, BY)
    assert receipt.removed == {"devices": 1, "events": 3, "identities": 2, "users": 1}
    assert (receipt.kind, receipt.user_id, receipt.actor) == ("delete", user_id, BY.actor)
    assert await world.ask(receipts) == [receipt]
    [entry] = (await world.snapshot())["audit"]
    assert (entry["number"], entry["hash"], entry["action"]) == (
        receipt.audit_number, receipt.audit_hash, "user.delete",
    )  # fmt: skip
    assert await world.traces_of("ada-external", "ada@example.com") == []


async def test_details_of_earlier_entries_go_and_the_chain_still_holds(world: World) -> None:
    user = await world.user("ada-external")
    for _ in range(3):
        await world.do_to(user, erase_personal_information, BY)
    await world.do_to(await world.user("eve"), erase_personal_information, BY)
    assert await world.ask(verify_audit) == Verified(4, 2, Head(4, (await world.ask(receipts))[-1].audit_hash))


async def test_what_is_foreseen_is_what_the_receipt_says(world: World) -> None:
    access = await world.log_in(claims("1234", "ada@example.com"), device())
    with pytest.raises(EmailContested):
        await world.log_in(claims("5678", "ada@example.com"), device())
    for kind in ("erase", "delete"):
        foreseen = await world.ask_of(access.user, foresee_erasure, kind)
        receipt = await world.do_to(access.user, _carried_out, kind)
        assert receipt.removed == foreseen.preview.removes
        assert foreseen.relies_on == {f"user:{access.user.id}": foreseen.user.revision}
        if kind == "erase":
            assert (receipt.removed["conflicts"], receipt.removed["conflict_evidence"]) == (1, 1)


async def _carried_out(tx: Transaction, user: User, kind: ErasureKind) -> Receipt:
    return carry_out_erasure(tx, await foresee_erasure(tx, user, kind), BY)


def merged(surviving: str, discarded: str, since: int, until: int | None = None) -> PastMerge:
    return PastMerge(surviving, discarded, since, until)


@pytest.mark.parametrize(
    ("past", "others", "windows"),
    [
        ([], [], []),
        ([merged("a", "b", 5)], [], []),
        ([merged("s", "a", 5, 9)], ["s"], [("s", 5, 9)]),
        ([merged("a", "d", 5, 9)], ["d"], []),
        ([merged("s", "a", 5, 9), merged("t", "s", 6, 7)], ["s", "t"], [("s", 5, 9), ("t", 6, 7)]),
        ([merged("s", "a", 5, 9), merged("t", "s", 10)], ["s", "t"], [("s", 5, 9)]),
        ([merged("s", "a", 5, 9), merged("t", "s", 8)], ["s", "t"], [("s", 5, 9), ("t", 8, 9)]),
        ([merged("s", "a", 1, 2), merged("s", "a", 5, 9)], ["s"], [("s", 1, 2), ("s", 5, 9)]),
    ],
)
def test_who_showed_her_values_as_their_own_and_when(
    past: list[PastMerge], others: list[str], windows: list[tuple[str, int, int]]
) -> None:
    reach = reach_of(["a", "b"], past)
    assert reach.others == others
    assert reach.windows == tuple(
        Window(user_id, since - CLOCKS_APART_MS, min(until + CLOCKS_APART_MS, FOR_EVER))
        for user_id, since, until in windows
    )


async def _undo(tx: Transaction, merge_id: str) -> None:
    merge = await tx.merges.by_id(merge_id)
    assert merge is not None
    carry_out_unmerge(tx, await foresee_unmerge(tx, merge), BY)


async def _release(tx: Transaction, email: str) -> None:
    tx.identities.release("email", email)


@pytest.mark.parametrize("still_owned", [True, False])
@pytest.mark.parametrize("verb", [delete_user, erase_personal_information])
async def test_what_somebody_showed_while_she_was_merged_into_them_goes_too(
    world: World, clock: Clock, verb: Callable[..., Awaitable[Any]], still_owned: bool
) -> None:
    """After an undo she is nobody's member any more, and still her values stand in the other's events and cases."""
    eve = await world.user("eve", given_name="Eve-name")
    ada = await world.user("ada", given_name="Ada-name", metadata={"k": "ada-meta"})
    await world.has_identity(ada, "email", "ada@example.com", owned=True)
    talk = await world.do(
        create_conversation, "sdkGroup", [Invitation(Reference(eve.id), False)], ConversationChanges()
    )
    await world.do(post_activity, talk.id, "conversation:read", Reference(eve.id))
    clock.skip(10_000)

    async def merge(tx: Transaction) -> None:
        await merge_users(tx, await get_user(tx, "eve"), await get_user(tx, "ada"), "api")

    await world.do(merge)
    await world.do(post_activity, talk.id, "conversation:read", Reference(eve.id))
    await world.do_to("eve", update_user, UserChanges(locale="fr"))
    with pytest.raises(EmailContested):
        await world.log_in(claims("mallory", "ada@example.com"))
    assert (await world.open_cases())[0].owner_id == eve.id, "whoever is asked for it owns it"
    clock.skip(10_000)
    [undone] = (await world.snapshot())["merges"]
    await world.do(_undo, undone["id"])
    if not still_owned:
        await world.do(_release, "ada@example.com")
    clock.skip(10_000)
    await world.do(post_activity, talk.id, "conversation:read", Reference(eve.id))
    assert {"events.body", "merges.before", "conflicts.key"} & set(
        await world.traces_of("ada-meta", "Ada-name", "ada@example.com")
    )
    await world.do_to(ada, verb, BY)
    assert await world.traces_of("ada-meta", "Ada-name", "ada@example.com") == []
    assert len(await world.events(talk.id)) == 3, "created, and read before and after"
    assert (await world.get("eve")).given_name == "Eve-name"


async def test_the_log_is_emptied_once_a_reader_lets_go_of_the_old_state(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writes go on meanwhile, and nobody has to write for it to happen."""
    monkeypatch.setattr(sqlite_writer, "EMPTYING_BUSY_MS", 20)
    path = sqlite_path(world.url)
    assert path is not None
    log = path.with_name(f"{path.name}-wal")
    ada = await world.user("ada", given_name="Ada-name")
    reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM users").fetchall() == [(1,)]
        await world.do_to(ada, delete_user, BY)
        await world.user("eve")
        assert b"Ada-name" in log.read_bytes()
        reader.execute("COMMIT")
    finally:
        reader.close()
    await eventually(lambda: b"Ada-name" not in log.read_bytes() + path.read_bytes(), what="the log is empty")
