"""Many at once (R1, R6): whatever the order, one owner, one user, one device, and an answer for everybody."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import aiohttp
import pytest

from tests.e2e.acme import Acme, Shop, new_email, new_external_id, new_guid, server_on


class Answer(NamedTuple):
    status: int
    text: str

    @property
    def user_id(self) -> str:
        assert self.status == 200, self
        return str(json.loads(self.text)["appUser"]["_id"])


class Crowd:
    """Devices that all send at the same moment, spread over the servers of one database."""

    def __init__(self, acme: Acme, urls: Sequence[str], session: aiohttp.ClientSession) -> None:
        self._acme, self._urls, self._session = acme, urls, session

    async def log_in(self, logins: Sequence[tuple[str, dict[str, Any]]]) -> list[Answer]:
        """One login for each token and body, all on their way before the first is answered."""
        gate = asyncio.Event()

        async def one(number: int, token: str, body: dict[str, Any]) -> Answer:
            url = f"{self._urls[number % len(self._urls)]}/sdk/v2/apps/{self._acme.app_id}/login"
            await gate.wait()
            async with self._session.post(url, json=body, headers={"authorization": f"Bearer {token}"}) as answer:
                return Answer(answer.status, await answer.text())

        waiting = [asyncio.create_task(one(number, *login)) for number, login in enumerate(logins)]
        await asyncio.sleep(0)
        gate.set()
        return await asyncio.gather(*waiting)


@pytest.fixture(scope="module")
def urls(shop: Shop) -> Any:
    """Both servers of a PostgreSQL database; a SQLite file has one."""
    if shop.server.database.startswith("sqlite"):
        yield [shop.server.url]
    else:
        with server_on(shop.server.database) as second:
            yield [shop.server.url, second.url]


@pytest.fixture
async def crowd(acme: Acme, urls: list[str]) -> AsyncIterator[Crowd]:
    async with AsyncExitStack() as stack:
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=60)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, timeout=timeout))
        yield Crowd(acme, urls, session)


def client(guid: str) -> dict[str, Any]:
    return {"client": {"id": guid, "platform": "web"}}


def count(answers: list[Answer]) -> dict[int, int]:
    statuses = [answer.status for answer in answers]
    return {status: statuses.count(status) for status in sorted(set(statuses))}


async def test_two_hundred_first_logins_of_one_external_id_make_one_user(acme: Acme, crowd: Crowd) -> None:
    external_id, email = new_external_id(), new_email()
    guids = [new_guid() for _ in range(200)]
    answers = await crowd.log_in([(acme.token(external_id, email), client(guid)) for guid in guids])
    assert count(answers) == {200: 200}
    assert {answer.user_id for answer in answers} == {acme.user(external_id)["id"]}
    # The list is bounded at a hundred; each of those is hers.
    assert set(acme.devices(external_id)) <= set(guids)
    assert [identity["value"] for identity in acme.user(external_id)["identities"]] == [email]


async def test_two_hundred_claims_to_one_email_make_one_owner_and_tell_the_others_nothing(
    acme: Acme, crowd: Crowd
) -> None:
    email = new_email()
    names = [new_external_id() for _ in range(200)]
    answers = await crowd.log_in([(acme.token(name, email), client(new_guid())) for name in names])
    assert count(answers) == {200: 1, 409: 199}
    winner = next(name for name, answer in zip(names, answers, strict=True) if answer.status == 200)
    owner = acme.user(winner)
    assert [identity["value"] for identity in owner["identities"]] == [email]
    listed = acme.v2("GET", f"/users?filter[identities.email]={email}").json["users"]
    assert [user["id"] for user in listed] == [owner["id"]]

    refusals = {answer.text for answer in answers if answer.status == 409}
    assert len(refusals) == 1, "every refusal reads the same, whoever is refused"
    refusal = refusals.pop()
    assert json.loads(refusal)["error"]["code"] == "conflict"
    for told in (owner["id"], winner, email, email.partition("@")[0]):
        assert told not in refusal
    assert not [name for name in names if name != winner and acme.user(name)], "a refused newcomer leaves no user"


async def test_a_hundred_identical_logins_of_a_known_user_are_one_device(acme: Acme, crowd: Crowd) -> None:
    external_id, guid = new_external_id(), new_guid()
    token = acme.token(external_id, new_email())
    known = acme.log_in(token).json["appUser"]["_id"]
    answers = await crowd.log_in([(token, client(guid))] * 100)
    assert count(answers) == {200: 100}
    assert {answer.user_id for answer in answers} == {known}
    assert acme.devices(external_id) == {guid: "active"}


async def test_fifty_promotions_with_one_proof_keep_one_user(acme: Acme, crowd: Crowd) -> None:
    """The visitor keeps her id for all of them, and afterwards her session is over."""
    external_id, guid = new_external_id(), new_guid()
    visitor, session = acme.visit(guid)
    body = {"appUserId": visitor, "sessionToken": session, **client(guid)}
    answers = await crowd.log_in([(acme.token(external_id, new_email_of(acme)), body)] * 50)
    assert count(answers) == {200: 50}
    assert {answer.user_id for answer in answers} == {visitor}
    assert acme.user(external_id)["id"] == visitor
    assert acme.devices(external_id) == {guid: "active"}


async def test_one_proof_promotes_one_of_fifty_different_customers(acme: Acme, crowd: Crowd) -> None:
    """The proof counts once: after that its user is no longer anonymous."""
    visitor, session = acme.visit(new_guid())
    names = [new_external_id() for _ in range(50)]
    answers = await crowd.log_in(
        [(acme.token(name), {"appUserId": visitor, "sessionToken": session, **client(new_guid())}) for name in names]
    )
    assert count(answers) == {200: 50}
    assert [answer.user_id for answer in answers].count(visitor) == 1
    assert len({answer.user_id for answer in answers}) == 50
    for name, answer in zip(names, answers, strict=True):
        assert acme.user(name)["id"] == answer.user_id


async def test_one_proof_merges_into_one_of_twenty_known_customers(acme: Acme, crowd: Crowd) -> None:
    visitor, session = acme.visit(new_guid())
    names = [new_external_id() for _ in range(20)]
    known = [acme.log_in(acme.token(name)).json["appUser"]["_id"] for name in names]
    answers = await crowd.log_in(
        [(acme.token(name), {"appUserId": visitor, "sessionToken": session, **client(new_guid())}) for name in names]
    )
    assert count(answers) == {200: 20}
    assert [answer.user_id for answer in answers] == known
    assert acme.user(visitor)["id"] in known, "her former id leads to the one she became"


async def test_one_device_that_many_customers_log_in_on_belongs_to_exactly_one(acme: Acme, crowd: Crowd) -> None:
    guid = new_guid()
    names = [new_external_id() for _ in range(40)]
    answers = await crowd.log_in([(acme.token(name), client(guid)) for name in names])
    assert count(answers) == {200: 40}
    assert [guid in acme.devices(name) for name in names].count(True) == 1


def new_email_of(acme: Acme) -> str:
    email = new_email()
    acme.secrets.keep(email)
    return email
