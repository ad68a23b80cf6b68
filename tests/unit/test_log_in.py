"""Logging in with a signed token (R3, R6, R7)."""

import pytest

from knownas.conflicts import EmailContested
from knownas.devices.clients import list_devices
from knownas.identities import InvalidIdentity
from knownas.merges.absorb import merge_users
from knownas.sessions import AnonymousProof, InvalidSession
from knownas.sessions.log_in import log_in
from knownas.sessions.log_out import log_out
from knownas.sessions.reach import reach
from knownas.sessions.tokens import hash_of
from knownas.transaction import Transaction
from knownas.users import UserChanges
from knownas.users.find import get_user
from knownas.users.metadata import METADATA_BYTES, size_of
from tests.given import KEY_ID, World, claims, device, numbered_without_gaps, proof, retold, stored


async def test_first_sight_creates_the_user(world: World) -> None:
    access = await world.log_in(claims("1234", "ada@example.com", name="Ada King Lovelace"), phone := device())
    user = await world.get("1234")
    assert access.created
    assert access.session_token is None, "an identified user comes back with a token, not with a session (R4)"
    assert (user.id, user.given_name, user.surname, user.email) == (
        access.user.id,
        "Ada",
        "King Lovelace",
        "ada@example.com",
    )
    assert user.authenticated
    assert await world.owner("email", "ADA@example.com") == user.id
    assert [d.guid for d in access.devices] == [phone.guid]
    assert await world.told(user.id) == ["user.created", "identity.attached", "device.signed_in"]
    assert (await world.snapshot())["sessions"] == []


async def test_the_external_id_alone_says_who_it_is(world: World) -> None:
    """R3: the same e-mail under another external id is another person, the same external id is the same person."""
    ada = await world.log_in(claims("1234", "ada@example.com"))
    again = await world.log_in(claims("1234", "lovelace@example.com"))
    assert again.user.id == ada.user.id
    assert not again.created
    case = await world.log_in(claims("1234 "))
    assert case.user.id != ada.user.id, "external ids are compared exactly"


@pytest.mark.parametrize("email", ["ada@example.com", None])
async def test_the_same_login_twice_has_the_effect_of_one(world: World, email: str | None) -> None:
    who, phone = claims("1234", email, name="Ada Lovelace"), device(info={"model": "A1"}, push_token="p")
    first = await world.log_in(who, phone)
    before = await world.snapshot(without="last_seen")
    second = await world.log_in(who, phone)
    assert await world.snapshot(without="last_seen") == before
    assert (second.user.id, second.created) == (first.user.id, False)
    assert [d.id for d in second.devices] == [d.id for d in first.devices]


async def test_the_same_promotion_twice_has_the_effect_of_one(world: World) -> None:
    visitor = await world.visitor(phone := device())
    await world.log_in(claims("1234", "ada@example.com"), phone, visitor)
    before = await world.snapshot(without="last_seen")
    again = await world.log_in(claims("1234", "ada@example.com"), phone, visitor)
    assert again.user.id == visitor.user.id
    assert await world.snapshot(without="last_seen") == before


async def test_the_same_merge_twice_has_the_effect_of_one(world: World) -> None:
    await world.log_in(claims("1234"))
    visitor = await world.visitor(phone := device())
    await world.log_in(claims("1234"), phone, visitor)
    before = await world.snapshot(without="last_seen")
    await world.log_in(claims("1234"), phone, visitor)
    assert await world.snapshot(without="last_seen") == before


async def test_a_visitor_is_promoted_in_place(world: World) -> None:
    """R6.3: same id, same history, her profile kept; her session dies with her anonymity (R4)."""
    visitor = await world.visitor(phone := device(), given_name="A.", metadata={"plan": "free"})
    access = await world.log_in(claims("1234", name="Ada Lovelace"), phone, visitor)
    user = await world.get("1234")
    assert user.id == access.user.id == visitor.user.id
    assert (user.external_id, user.authenticated, user.given_name, user.surname) == ("1234", True, "Ada", "Lovelace")
    assert user.metadata == {"plan": "free"}
    assert user.created_at == visitor.user.created_at
    assert not access.created
    assert await world.sessions_of(user.id) == 0
    with pytest.raises(InvalidSession):
        await world.ask(reach, proof(visitor), user.id)
    assert await world.told(user.id) == [
        "user.created", "device.signed_in", "user.identified", "user.updated", "user.authenticated",
    ]  # fmt: skip
    snapshot = await world.snapshot()
    assert len(snapshot["users"]) == len(snapshot["devices"]) == 1
    assert retold(snapshot) == stored(snapshot)


async def test_a_known_users_visitor_is_merged_by_a_pointer(world: World) -> None:
    """R6.4, R9: nothing is copied, the journal can put it back, and the former id resolves to the survivor."""
    known = await world.log_in(claims("1234"), typed=UserChanges(metadata={"plan": "gold", "a": 1}))
    visitor = await world.visitor(phone := device(), metadata={"plan": "free", "cart": 7})
    before = await world.snapshot()
    access = await world.log_in(claims("1234"), phone, visitor)

    assert access.user.id == known.user.id
    survivor = await world.get(visitor.user.id)
    assert survivor.id == known.user.id
    assert survivor.metadata == access.user.metadata == {"plan": "gold", "a": 1, "cart": 7}
    assert survivor.absorbed == 1
    after = await world.snapshot()
    [journal] = after["merges"]
    assert (journal["surviving"], journal["discarded"], journal["reason"]) == (known.user.id, visitor.user.id, "login")
    assert journal["before"] == '{"metadata":{"plan":"gold","a":1},"absorbed":0}'
    assert journal["discarded_metadata"] == "{}"
    [was] = [row for row in before["users"] if row["id"] == visitor.user.id]
    [now] = [row for row in after["users"] if row["id"] == visitor.user.id]
    assert now == was | {"merged_into": known.user.id, "revision": now["revision"]}, (
        "the visitor's own row keeps what undo needs"
    )
    assert [row for row in after["events"] if row["stream"] == visitor.user.id] == [
        row for row in before["events"] if row["stream"] == visitor.user.id
    ]
    assert after["sessions"] == []
    assert await world.told(known.user.id) == ["user.created", "users.merged"]
    assert retold(after) == stored(after)


async def test_metadata_that_does_not_fit_is_kept_in_the_journal(world: World) -> None:
    """R9: the survivor stays within 4 KB, and what does not fit is not lost."""
    await world.log_in(claims("1234"), typed=UserChanges(metadata={"hers": "x" * 4000}))
    visitor = await world.visitor(phone := device(), metadata={"big": "y" * 200, "small": 1})
    access = await world.log_in(claims("1234"), phone, visitor)
    assert access.user.metadata == {"hers": "x" * 4000, "small": 1}
    assert size_of(access.user.metadata) <= METADATA_BYTES
    [journal] = (await world.snapshot())["merges"]
    assert journal["discarded_metadata"] == '{"big":"' + "y" * 200 + '"}'


async def test_every_former_id_resolves_to_the_survivor_also_through_a_chain(world: World) -> None:
    """R9: a merged into b, then b into c: a and b are c."""
    a, b, c = [await world.user(name) for name in ("a", "b", "c")]

    async def merge(tx: Transaction, surviving: str, discarded: str) -> None:
        await merge_users(tx, await get_user(tx, surviving), await get_user(tx, discarded), "api")

    await world.do(merge, b.id, a.id)
    await world.do(merge, c.id, b.id)
    for reference in (a.id, b.id, c.id, "a", "b", "c"):
        assert (await world.get(reference)).id == c.id
    access = await world.log_in(claims("a", "ada@example.com"), phone := device())
    assert access.user.id == c.id, "a former external id signs the survivor in"
    assert await world.owner("email", "ada@example.com") == c.id
    assert (await world.ask(reach, claims("a"), b.id)).id == c.id
    members = await world.members("a")
    assert members[0] == c.id
    assert sorted(members[1:]) == sorted([a.id, b.id])
    assert [d.guid for d in await world.ask_of(b, list_devices)] == [phone.guid]


async def test_several_visitors_come_together_in_one_user(world: World) -> None:
    await world.log_in(claims("1234"), device())
    visitors = [await world.visitor(on) for on in (device(), device(), device())]
    for count, visitor in enumerate(visitors, start=1):
        access = await world.log_in(claims("1234"), device(visitor.devices[0].guid), visitor)
        assert access.user.absorbed == count
    survivor = await world.get("1234")
    assert survivor.absorbed == 3
    assert {(await world.get(visitor.user.id)).id for visitor in visitors} == {survivor.id}
    snapshot = await world.snapshot()
    assert retold(snapshot) == stored(snapshot)
    assert numbered_without_gaps(snapshot)


async def test_the_answer_lists_the_devices_that_the_user_then_has_after_a_merge(world: World) -> None:
    await world.log_in(claims("1234"), device())
    visitor = await world.visitor(device())
    access = await world.log_in(claims("1234"), device(), visitor)
    assert {d.id for d in access.devices} == {d.id for d in await world.ask_of(access.user, list_devices)}


@pytest.mark.parametrize("elsewhere", [True, False])
async def test_the_answer_lists_the_devices_that_the_user_then_has_after_a_promotion(
    world: World, elsewhere: bool
) -> None:
    visitor = await world.visitor(device())
    access = await world.log_in(claims("1234"), device() if elsewhere else None, visitor)
    assert {d.id for d in access.devices} == {d.id for d in await world.ask_of(access.user, list_devices)}


async def test_the_device_is_the_new_users_and_nobody_elses(world: World) -> None:
    """R6.6: the visitor who had it, and whose session was not shown, is signed out of it."""
    visitor = await world.visitor(phone := device())
    access = await world.log_in(claims("1234"), phone)
    assert access.user.id != visitor.user.id
    stored_device = await world.device(phone.guid)
    assert stored_device is not None
    assert stored_device.user_id == access.user.id
    assert stored_device.id == visitor.devices[0].id, "it stays one device"
    assert await world.sessions_of(visitor.user.id) == 0
    assert await world.told(visitor.user.id) == ["user.created", "device.signed_in", "device.signed_out"]
    assert await world.ask_of(visitor.user, list_devices) == []
    snapshot = await world.snapshot()
    assert retold(snapshot) == stored(snapshot)


async def test_the_formers_session_on_another_device_goes_on(world: World) -> None:
    visitor = await world.visitor(tablet := device())
    await world.log_in(claims("1234"), device())
    assert (await world.ask(reach, proof(visitor), visitor.user.id)).id == visitor.user.id
    assert (await world.device(tablet.guid)) == visitor.devices[0]


async def test_a_device_changes_hands_between_identified_users(world: World) -> None:
    ada = await world.log_in(claims("1234"), phone := device())
    bob = await world.log_in(claims("5678"), phone)
    assert await world.told(ada.user.id) == ["user.created", "device.signed_in", "device.signed_out"]
    assert await world.told(bob.user.id) == ["user.created", "device.signed_in"]
    assert await world.ask_of(ada.user, list_devices) == []
    back = await world.log_in(claims("1234"), phone)
    assert [d.guid for d in back.devices] == [phone.guid]
    snapshot = await world.snapshot()
    assert len(snapshot["devices"]) == 1
    assert retold(snapshot) == stored(snapshot)


async def test_a_device_that_merely_says_something_new_is_no_new_sign_in(world: World) -> None:
    ada = await world.log_in(claims("1234"), device("phone", info={"os": "1"}))
    await world.log_in(claims("1234"), device("phone", push_token="p"))
    await world.log_in(claims("1234"), device("phone", info={"os": "2"}))
    found = await world.device("phone")
    assert found is not None
    assert (found.info, found.push_token) == ({"os": "2"}, "p")
    assert await world.told(ada.user.id) == ["user.created", "device.signed_in"]


@pytest.mark.parametrize("known", [True, False])
async def test_a_proof_of_somebody_elses_session_does_not_count(world: World, known: bool) -> None:
    """R6.2: the session token must be that of the user who is named."""
    if known:
        await world.log_in(claims("1234"))
    mine, theirs = await world.visitor(), await world.visitor()
    stolen = AnonymousProof(theirs.user.id, proof(mine).token_hash)
    access = await world.log_in(claims("1234"), device(), stolen)
    assert access.user.id not in (mine.user.id, theirs.user.id)
    assert (await world.get(theirs.user.id)).anonymous
    assert (await world.get(mine.user.id)).anonymous
    assert (await world.snapshot())["merges"] == []


@pytest.mark.parametrize("known", [True, False])
async def test_a_session_that_is_over_proves_nothing(world: World, known: bool) -> None:
    if known:
        await world.log_in(claims("1234"))
    visitor = await world.visitor(phone := device())
    await world.do(log_out, proof(visitor), visitor.user.id, phone.guid)
    access = await world.log_in(claims("1234"), phone, visitor)
    assert access.user.id != visitor.user.id
    assert (await world.get(visitor.user.id)).anonymous
    assert (await world.snapshot())["merges"] == []


@pytest.mark.parametrize("token", ["wrong", "", "1234"])
async def test_two_identified_users_never_merge_by_themselves(world: World, token: str) -> None:
    """R7: a client may name an identified user as the one it had before; it proves nothing and merges nothing."""
    ada = await world.log_in(claims("1234"), phone := device())
    bob = await world.log_in(claims("5678"), device())
    await world.log_in(claims("5678"), phone, AnonymousProof(ada.user.id, hash_of(token)))
    assert (await world.get("1234")).id == ada.user.id
    assert (await world.get("5678")).id == bob.user.id
    assert (await world.snapshot())["merges"] == []


async def test_the_session_of_a_promoted_visitor_cannot_be_used_to_take_her_over(world: World) -> None:
    visitor = await world.visitor(phone := device())
    await world.log_in(claims("1234"), phone, visitor)
    mallory = await world.log_in(claims("666"), device(), visitor)
    assert mallory.user.id != visitor.user.id
    assert (await world.get(visitor.user.id)).external_id == "1234"


async def test_a_user_made_by_the_server_becomes_authenticated_once(world: World) -> None:
    made = await world.user("1234")
    assert not made.authenticated
    assert (await world.log_in(claims("1234"))).user.id == made.id
    assert (await world.get("1234")).authenticated
    before = await world.snapshot()
    await world.log_in(claims("1234"))
    assert await world.snapshot() == before


async def test_what_the_token_says_wins_over_what_was_typed(world: World) -> None:
    typed = UserChanges(given_name="Trudy", surname="X", email="typed@example.com", locale="de")
    user = (await world.log_in(claims("1234", "ada@example.com", verified=False, name="Ada"), typed=typed)).user
    assert (user.given_name, user.surname, user.email, user.locale) == ("Ada", None, "ada@example.com", "de")
    kept = (await world.log_in(claims("1234"))).user
    assert (kept.given_name, kept.email) == ("Ada", "ada@example.com"), "a claim that is absent says nothing"


# The e-mail: Attach, Keep, TakeOver, Contest.


async def test_a_free_email_is_attached(world: World) -> None:
    ada = await world.log_in(claims("1234"))
    await world.log_in(claims("1234", "Ada@Example.com"))
    user = await world.get("1234")
    assert [(i.type, i.value, i.verification) for i in user.identities] == [("email", "Ada@Example.com", "sso")]
    assert await world.told(ada.user.id) == ["user.created", "user.updated", "identity.attached"]


async def test_her_own_email_is_kept_in_whatever_spelling(world: World) -> None:
    await world.log_in(claims("1234", "ada@example.com"))
    await world.log_in(claims("1234", "ADA@EXAMPLE.COM"))
    identities = (await world.snapshot())["identities"]
    assert [row["value"] for row in identities if row["type"] == "email"] == ["ada@example.com"]


async def test_an_unverified_email_is_only_a_label(world: World) -> None:
    """R2: it selects nobody, blocks nobody and owns nothing."""
    ada = await world.log_in(claims("1234", "ada@example.com"))
    mallory = await world.log_in(claims("666", "ada@example.com", verified=False))
    assert mallory.user.id != ada.user.id
    assert mallory.user.email == "ada@example.com"
    assert await world.owner("email", "ada@example.com") == ada.user.id
    await world.log_in(claims("777", "new@example.com", verified=False))
    late = await world.log_in(claims("888", "new@example.com"))
    assert await world.owner("email", "new@example.com") == late.user.id
    assert (await world.snapshot())["conflicts"] == []


async def test_a_mere_claim_yields_to_a_verified_email(world: World) -> None:
    """R2: without a conflict, and whoever loses the claim is named in the event."""
    first, second = await world.user("f1"), await world.user("f2")
    for user in (first, second):
        await world.has_identity(user, "email", "ada@example.com", owned=False)
    ada = await world.log_in(claims("1234", "ada@example.com"))
    emails = [row for row in (await world.snapshot())["identities"] if row["type"] == "email"]
    assert [(row["user_id"], row["owned"]) for row in emails] == [(ada.user.id, 1)]
    [taken] = [e for e in await world.events(ada.user.id) if e["event"] == "identity.taken_over"]
    assert taken["former"] == sorted([first.id, second.id])
    assert (await world.snapshot())["conflicts"] == []


async def test_her_own_claim_becomes_ownership(world: World) -> None:
    user = await world.user("1234")
    await world.has_identity(user, "email", "ada@example.com", owned=False)
    await world.log_in(claims("1234", "ada@example.com"))
    assert await world.owner("email", "ada@example.com") == user.id
    emails = [row for row in (await world.snapshot())["identities"] if row["type"] == "email"]
    assert [row["owned"] for row in emails] == [1], "one identity of one user has one row"


async def test_a_contested_email_stays_with_its_owner(world: World) -> None:
    """R7: the newcomer is refused, the owner keeps the e-mail, one case is kept, and nothing else is changed."""
    ada = await world.log_in(claims("1234", "ada@example.com"), phone := device())
    visitor = await world.visitor(tablet := device(), metadata={"cart": 1})
    before = await world.snapshot()
    for _ in range(3):
        with pytest.raises(EmailContested) as refused:
            await world.log_in(claims("5678", "ADA@example.com", name="New"), tablet, visitor)
        assert "ada" not in refused.value.message.lower(), "R13"
    after = await world.snapshot()
    [case] = after.pop("conflicts")
    assert (case["owner_id"], case["claimant"], case["claimant_id"]) == (ada.user.id, "5678", visitor.user.id)
    assert (case["count"], case["state"], case["key"], case["asserted_by"]) == (3, "open", "ada@example.com", KEY_ID)
    assert case["first_seen"] <= case["last_seen"]
    contested = await world.events(case["id"])
    assert [(e["seq"], e["event"]) for e in contested] == [(n, "identity.contested") for n in (1, 2, 3)]
    assert [(e["claimant_id"], e["user_id"]) for e in contested] == [(None, ada.user.id)] * 3
    # All that is different: the case with its evidence, and three events of its own.
    assert before.pop("conflicts") == before.pop("conflict_evidence") == []
    assert len(after.pop("conflict_evidence")) == 3
    after["events"] = [row for row in after["events"] if row["stream"] != case["id"]]
    assert after == before
    assert phone.guid != tablet.guid
    assert (await world.ask(reach, proof(visitor), visitor.user.id)).anonymous


async def test_each_claimant_has_a_case_of_her_own(world: World) -> None:
    await world.log_in(claims("1234", "ada@example.com"))
    for who in ("b", "c", "b"):
        with pytest.raises(EmailContested):
            await world.log_in(claims(who, "ada@example.com"))
    open_cases = await world.open_cases()
    assert [(case.claimant, case.count) for case in open_cases] == [("b", 2), ("c", 1)]


async def test_an_identified_claimant_keeps_what_she_had_when_she_is_refused(world: World) -> None:
    ada = await world.log_in(claims("1234", "ada@example.com"))
    bob = await world.log_in(claims("5678", "bob@example.com"), phone := device())
    with pytest.raises(EmailContested):
        await world.log_in(claims("5678", "ada@example.com", name="Robert"), phone)
    assert (await world.get("5678")) == await world.get(bob.user.id)
    assert (await world.get("5678")).given_name is None
    assert await world.owner("email", "ada@example.com") == ada.user.id
    assert await world.owner("email", "bob@example.com") == bob.user.id


async def test_the_email_of_a_user_merged_into_the_claimant_is_hers(world: World) -> None:
    """R9: what a merged user owns, the survivor owns: no contest with herself."""
    known = await world.log_in(claims("1234"))
    visitor = await world.visitor(phone := device())
    await world.has_identity(visitor.user, "email", "ada@example.com", owned=True)
    for _ in range(2):
        access = await world.log_in(claims("1234", "ada@example.com"), phone, visitor)
        assert access.user.id == known.user.id
    assert [i.value for i in (await world.get("1234")).identities] == ["ada@example.com"]
    snapshot = await world.snapshot()
    assert snapshot["conflicts"] == []
    assert len([row for row in snapshot["identities"] if row["type"] == "email"]) == 1
    with pytest.raises(EmailContested):
        await world.log_in(claims("5678", "ada@example.com"))
    [case] = await world.open_cases()
    assert case.owner_id == known.user.id, "the case names the survivor"


async def test_a_visitor_who_owns_the_email_is_promoted_with_it(world: World) -> None:
    visitor = await world.visitor(phone := device())
    await world.has_identity(visitor.user, "email", "ada@example.com", owned=True)
    access = await world.log_in(claims("1234", "ada@example.com"), phone, visitor)
    assert access.user.id == visitor.user.id == await world.owner("email", "ada@example.com")


@pytest.mark.parametrize("email", ["ad\u200ba@example.com", "аda@example.com\u202e", "ada", "a b@example.com"])
@pytest.mark.parametrize("known", [True, False])
async def test_a_look_alike_email_is_refused_with_nothing_half_done(world: World, email: str, known: bool) -> None:
    if known:
        await world.log_in(claims("1234"))
    visitor = await world.visitor(phone := device())
    before = await world.snapshot()
    with pytest.raises(InvalidIdentity):
        await world.log_in(claims("1234", email, name="Ada"), phone, visitor)
    assert await world.snapshot() == before


async def test_too_much_metadata_is_refused_with_nothing_half_done(world: World) -> None:
    visitor = await world.visitor(phone := device())
    before = await world.snapshot()
    with pytest.raises(Exception, match="limited to 4096 bytes"):
        await world.log_in(claims("1234"), phone, visitor, UserChanges(metadata={"x": "y" * 5000}))
    assert await world.snapshot() == before


async def test_events_are_numbered_without_gaps(world: World) -> None:
    ada = await world.log_in(claims("1234", "ada@example.com"), phone := device())
    visitor = await world.visitor(tablet := device())
    await world.log_in(claims("1234", name="Ada"), tablet, visitor)
    with pytest.raises(EmailContested):
        await world.log_in(claims("5678", "ada@example.com"), phone)
    await world.log_in(claims("5678"), phone)
    assert [e["seq"] for e in await world.events(ada.user.id)] == list(range(1, 7))
    snapshot = await world.snapshot()
    assert numbered_without_gaps(snapshot)
    assert retold(snapshot) == stored(snapshot)
    assert len({row["id"] for row in snapshot["events"]}) == len(snapshot["events"])


async def test_a_login_without_a_device_leaves_devices_alone(world: World) -> None:
    access = await world.do(log_in, claims("1234"), None, None)
    assert access.devices == []
    assert (await world.snapshot())["devices"] == []
