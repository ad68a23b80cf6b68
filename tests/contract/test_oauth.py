"""OAuth on both engines: what must hold when things happen at once."""

import asyncio

from knownas.keys.create import create_key
from knownas.oauth import AuthorizationRequest, CodeReplayed, NoConsent
from knownas.oauth.authorize import ask_consent, grant
from knownas.oauth.checks import hash_of
from knownas.oauth.exchange import exchange_code
from knownas.oauth.register import register_client
from tests.given import World, numbered_without_gaps

CALLBACK = "https://partner.example/cb"


class Partner:
    """A registered program, and an operator who agrees to whatever it asks."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def register(self) -> "Partner":
        self.client, self.secret = await self.world.do(register_client, "Helpdesk", (CALLBACK,))
        self.key = await self.world.do(create_key, self.world.app.account_id, "k")
        return self

    async def ticket(self) -> str:
        request = AuthorizationRequest(self.client.id, CALLBACK)
        ticket, [app] = await self.world.do(ask_consent, request, self.key)
        assert app.id == self.world.app.id
        return ticket

    async def code(self) -> str:
        return (await self.world.do(grant, await self.ticket()))[1]

    async def exchange(self, code: str) -> str:
        return await self.world.do(exchange_code, self.client.id, self.secret, code, None, None)


async def test_codes_that_are_exchanged_at_once_make_one_integration(world_on_both: World) -> None:
    world = world_on_both
    partner = await Partner(world).register()
    codes = [await partner.code() for _ in range(4)]
    tokens = await asyncio.gather(*(partner.exchange(code) for code in codes))
    snapshot = await world.snapshot()
    assert len(snapshot["integrations"]) == 1
    assert {row["token_hash"] for row in snapshot["oauth_tokens"]} == {hash_of(token) for token in tokens}
    for token in tokens:
        claims = await world.database.directory.access(hash_of(token))
        assert claims is not None
        assert (claims.scope, claims.app_id, claims.integration_id) == (
            "integration", world.app.id, snapshot["integrations"][0]["id"],
        )  # fmt: skip
    assert numbered_without_gaps(snapshot)


async def test_a_code_that_comes_twice_at_once_is_worth_at_most_one_token_and_then_none(world_on_both: World) -> None:
    world = world_on_both
    partner = await Partner(world).register()
    code = await partner.code()
    results = await asyncio.gather(*(partner.exchange(code) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(result, str) for result in results) == 1
    assert sum(isinstance(result, CodeReplayed) for result in results) == 3
    assert (await world.snapshot())["oauth_tokens"] == [], "whoever showed it again may have stolen it"


async def test_a_ticket_that_is_answered_twice_at_once_gives_one_code(world_on_both: World) -> None:
    world = world_on_both
    partner = await Partner(world).register()
    ticket = await partner.ticket()
    results = await asyncio.gather(*(world.do(grant, ticket) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(result, NoConsent) for result in results) == 3
    assert len((await world.snapshot())["oauth_codes"]) == 1
