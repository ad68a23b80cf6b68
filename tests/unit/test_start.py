"""Starting as an anonymous user (R4)."""

import re

from knownas.sessions.reach import reach
from knownas.sessions.start import start_anonymous
from knownas.users import UserChanges
from tests.given import World, claims, device, numbered_without_gaps, proof, retold, stored


async def test_a_visitor_comes_back_with_her_session_token(world: World) -> None:
    visitor = await world.visitor(phone := device(), given_name="Ada", metadata={"cart": 1})
    user = await world.ask(reach, proof(visitor), visitor.user.id)
    assert (user.anonymous, user.authenticated, user.given_name, user.metadata) == (True, False, "Ada", {"cart": 1})
    assert visitor.created
    assert [d.guid for d in visitor.devices] == [phone.guid]
    assert await world.told(user.id) == ["user.created", "device.signed_in"]


async def test_the_session_token_is_random_and_only_its_hash_is_stored(world: World) -> None:
    """R4: 256 bits, as 43 URL-safe characters."""
    visitors = [await world.visitor() for _ in range(20)]
    tokens = {visitor.session_token for visitor in visitors}
    assert len(tokens) == 20
    for token in tokens:
        assert token is not None
        assert re.fullmatch(r"[\w-]{43}", token)
        assert await world.traces_of(token) == []


async def test_what_a_visitor_types_owns_nothing(world: World) -> None:
    """R2: her e-mail is a label, also when somebody else owns it."""
    ada = await world.log_in(claims("1234", "ada@example.com"))
    visitor = await world.visitor(email="ada@example.com")
    assert visitor.user.email == "ada@example.com"
    assert await world.owner("email", "ada@example.com") == ada.user.id
    assert (await world.snapshot())["conflicts"] == []


async def test_starting_anew_on_a_device_takes_it_from_whoever_had_it(world: World) -> None:
    """R6.6: her session on it is over; an identified user is merely signed out there."""
    first = await world.visitor(phone := device())
    second = await world.visitor(phone)
    assert first.user.id != second.user.id
    assert await world.sessions_of(first.user.id) == 0
    assert await world.sessions_of(second.user.id) == 1
    ada = await world.log_in(claims("1234"), phone)
    third = await world.visitor(phone)
    found = await world.device(phone.guid)
    assert found is not None
    assert found.user_id == third.user.id
    assert (await world.told(ada.user.id))[-1] == "device.signed_out"
    snapshot = await world.snapshot()
    assert len(snapshot["devices"]) == len(snapshot["sessions"]) == 1
    assert numbered_without_gaps(snapshot)
    assert retold(snapshot) == stored(snapshot)


async def test_a_visitor_may_start_without_a_device(world: World) -> None:
    access = await world.do(start_anonymous, UserChanges(), None)
    assert access.devices == []
    assert (await world.ask(reach, proof(access), access.user.id)).id == access.user.id
