"""Who reaches whom with which credentials, on the SDK API (R4, R13)."""

import pytest

from knownas.sessions import AnonymousProof, InvalidSession, NotThisUser
from knownas.sessions.reach import reach
from knownas.sessions.tokens import hash_of
from knownas.users import UserNotFound
from knownas.users.delete import delete_user
from knownas.users.update import update_user
from tests.given import BY, KEY_ID, NOTHING_TYPED, World, claims, device, proof

NOBODY = "0123456789ab0123456789ab"


async def test_a_token_reaches_its_own_user_by_any_of_her_names(world: World) -> None:
    ada = await world.log_in(claims("1234"))
    visitor = await world.visitor(phone := device())
    await world.log_in(claims("1234"), phone, visitor)
    for reference in ("1234", ada.user.id, visitor.user.id):
        assert (await world.ask(reach, claims("1234"), reference)).id == ada.user.id


async def test_a_token_reaches_nobody_else_and_does_not_tell_who_exists(world: World) -> None:
    """R13: another user, a visitor, a merged one and nobody at all look the same."""
    await world.log_in(claims("1234"))
    bob = await world.log_in(claims("5678"))
    visitor = await world.visitor()
    merged = await world.visitor(phone := device())
    await world.log_in(claims("5678"), phone, merged)
    for reference in ("5678", bob.user.id, visitor.user.id, merged.user.id, NOBODY, "unknown", "", "x" * 2000):
        with pytest.raises(NotThisUser):
            await world.ask(reach, claims("1234"), reference)


async def test_a_token_for_somebody_never_seen_finds_nobody(world: World) -> None:
    ada = await world.log_in(claims("1234"))
    with pytest.raises(UserNotFound):
        await world.ask(reach, claims("new"), "new")
    for reference in ("1234", ada.user.id, NOBODY):
        with pytest.raises(NotThisUser):
            await world.ask(reach, claims("new"), reference)


async def test_a_session_reaches_its_own_visitor_and_only_by_her_id(world: World) -> None:
    visitor, other = await world.visitor(), await world.visitor()
    ada = await world.log_in(claims("1234"))
    assert (await world.ask(reach, proof(visitor), visitor.user.id)).id == visitor.user.id
    for reference in (other.user.id, ada.user.id, "1234", NOBODY, ""):
        with pytest.raises(InvalidSession):
            await world.ask(reach, proof(visitor), reference)


async def test_a_session_must_be_that_of_the_user_it_is_shown_for(world: World) -> None:
    visitor, other = await world.visitor(), await world.visitor()
    for shown in (
        AnonymousProof(other.user.id, proof(visitor).token_hash),
        AnonymousProof(visitor.user.id, hash_of("guess")),
        AnonymousProof(visitor.user.id, visitor.session_token or ""),
        AnonymousProof(NOBODY, proof(visitor).token_hash),
    ):
        for reference in (visitor.user.id, other.user.id, NOBODY):
            with pytest.raises(InvalidSession):
                await world.ask(reach, shown, reference)


@pytest.mark.parametrize("end", ["promoted", "merged", "deleted", "identified by the server"])
async def test_a_session_dies_with_the_anonymity_of_its_user(world: World, end: str) -> None:
    """R4: in the same transaction; an identified user is reached with a signed token only."""
    visitor = await world.visitor(phone := device())
    if end == "promoted":
        await world.log_in(claims("1234"), phone, visitor)
    elif end == "merged":
        await world.log_in(claims("1234"))
        await world.log_in(claims("1234"), phone, visitor)
    elif end == "deleted":
        await world.do_to(visitor.user, delete_user, BY)
    else:
        await world.do_to(visitor.user, update_user, NOTHING_TYPED, external_id="1234", asserted_by=KEY_ID)
    assert (await world.snapshot())["sessions"] == []
    with pytest.raises(InvalidSession):
        await world.ask(reach, proof(visitor), visitor.user.id)
