"""Many at once (R1, R6, R8, R9): whatever the order, one owner, one user, one device, and an answer for everybody."""

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
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def user_id(self) -> str:
        assert self.status == 200, self
        return str(self.json["appUser"]["_id"])


class Request(NamedTuple):
    path: str
    body: Any
    authorization: str


class Crowd:
    """Devices that all send at the same moment, spread over the servers of one database."""

    def __init__(self, acme: Acme, urls: Sequence[str], session: aiohttp.ClientSession) -> None:
        self._acme, self._urls, self._session = acme, urls, session

    async def log_in(self, logins: Sequence[tuple[str, dict[str, Any]]]) -> list[Answer]:
        """One login for each token and body, all on their way before the first is answered."""
        return await self.post([self.login(*login) for login in logins])

    def login(self, token: str, body: dict[str, Any]) -> Request:
        return Request(f"/sdk/v2/apps/{self._acme.app_id}/login", body, f"Bearer {token}")

    def carry_out(self, plan_id: str) -> Request:
        path = f"/admin/v1/apps/{self._acme.app_id}/plans/{plan_id}/execute"
        return Request(path, {"reason": "one person"}, self._acme.as_backend)

    def message(self, conversation_id: str, text: str) -> Request:
        path = f"/v2/apps/{self._acme.app_id}/conversations/{conversation_id}/messages"
        said = {"author": {"type": "business"}, "content": {"type": "text", "text": text}}
        return Request(path, said, self._acme.as_backend)

    async def post(self, requests: Sequence[Request]) -> list[Answer]:
        """All of these, on their way before the first is answered."""
        gate = asyncio.Event()

        async def one(number: int, request: Request) -> Answer:
            url = self._urls[number % len(self._urls)] + request.path
            await gate.wait()
            headers = {"authorization": request.authorization}
            async with self._session.post(url, json=request.body, headers=headers) as answer:
                return Answer(answer.status, await answer.text())

        waiting = [asyncio.create_task(one(number, request)) for number, request in enumerate(requests)]
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


def admin(acme: Acme, method: str, path: str, body: Any = None) -> Any:
    reply = acme.send(method, f"/admin/v1/apps/{acme.app_id}{path}", body, acme.as_backend)
    assert reply.status in (200, 201), reply.body
    return reply.json


def plan(acme: Acme, **request: str) -> str:
    """The id of a new plan."""
    return str(admin(acme, "POST", "/plans", request)["plan"]["id"])


async def test_of_twenty_operators_with_one_plan_one_carries_it_out(acme: Acme, crowd: Crowd) -> None:
    names, email = [new_external_id(), new_external_id()], new_email_of(acme)
    owner = acme.log_in(acme.token(names[0], email)).json["appUser"]["_id"]
    assert acme.log_in(acme.token(names[1], email)).status == 409
    [case] = admin(acme, "GET", "/conflicts")["conflicts"]
    made = plan(acme, kind="resolve", conflictId=case["id"], action="reassign")
    answers = await crowd.post([crowd.carry_out(made)] * 20)
    refusals = [answer.json["error"]["code"] for answer in answers if answer.status != 200]
    assert len(refusals) == 19
    assert set(refusals) <= {"plan_not_found", "plan_stale"}
    [entry] = admin(acme, "GET", "/audit")["entries"]
    assert (entry["number"], entry["action"]) == (1, "resolve.reassign")
    assert admin(acme, "GET", "/audit/verify")["broken"] is None
    assert acme.log_in(acme.token(names[1], email)).json["appUser"]["_id"] == owner


async def test_two_become_one_and_part_again_while_they_log_in_and_are_written_to(acme: Acme, crowd: Crowd) -> None:
    """Whoever is answered is one of the two, each message is there once, and nobody meets an error of the server."""
    names = [new_external_id(), new_external_id()]
    ids = [acme.log_in(acme.token(name), new_guid()).json["appUser"]["_id"] for name in names]
    talks = [
        acme.v2("POST", "/conversations", {"type": "personal", "participants": [{"userId": id}]}).json["conversation"]
        for id in ids
    ]
    guids = [new_guid(), new_guid()]
    merged: str | None = None
    written: list[str] = []
    for round_ in range(4):
        request = {"kind": "undo", "actId": merged} if merged else {
            "kind": "merge", "surviving": names[0], "discarded": names[1],
        }  # fmt: skip
        made = plan(acme, **request)
        texts = [f"{round_}-{number}" for number in range(10)]
        logins = [crowd.login(acme.token(names[number % 2]), client(guids[number % 2])) for number in range(30)]
        messages = [crowd.message(talks[number % 2]["id"], text) for number, text in enumerate(texts)]
        answers = await crowd.post([*logins[:15], *messages[:5], crowd.carry_out(made), *logins[15:], *messages[5:]])
        act = answers.pop(20)
        assert count(answers) == {200: 30, 201: 10}
        written += texts
        for answer in answers:
            if answer.status == 200:
                assert answer.user_id in ids
        if act.status != 200:  # a device was new in between, or a login the first: nothing was done
            assert (act.status, act.json["error"]["code"]) == (409, "plan_stale")
            act = (await crowd.post([crowd.carry_out(plan(acme, **request))]))[0]
        merged = None if merged else act.json["done"]["mergeId"]
        assert acme.user(names[1])["id"] == (ids[0] if merged else ids[1])
        assert acme.user(names[0])["id"] == ids[0]
    said = [
        message["content"]["text"]
        for talk in talks
        for message in acme.v2("GET", f"/conversations/{talk['id']}/messages?page[size]=100").json["messages"]
    ]
    assert sorted(said) == sorted(written)
    assert admin(acme, "GET", "/audit/verify")["broken"] is None


def new_email_of(acme: Acme) -> str:
    email = new_email()
    acme.secrets.keep(email)
    return email
