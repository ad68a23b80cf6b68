"""Messages as the v2 API spells them: what the published examples post, and what they get."""

import json
from functools import cache
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from knownas.conversations import Conversation
from knownas.messages.read import list_messages
from knownas.users import User
from tests.given import World, claims, device
from tests.unit.event_schemas import SPEC
from tests.unit.facade import Backend, backend
from tests.unit.test_messages import fill, open_with, say, text

BUSINESS = {"type": "business"}
HELLO = {"author": BUSINESS, "content": {"type": "text", "text": "Hello"}}


async def acme(world: World) -> tuple[Backend, User, Conversation, str]:
    """A backend, Ada, her conversation, and the path of its messages."""
    ada = await world.user("1234", given_name="Ada")
    where = await open_with(world, ada)
    return await backend(world), ada, where, f"/conversations/{where.id}/messages"


@cache
def examples() -> dict[str, Any]:
    if not SPEC.exists():
        pytest.skip("the published description sunshine-v2.yaml is not here (../shared/spec): nothing to compare with")
    found: dict[str, Any] = yaml.load(SPEC.read_text(), yaml.CSafeLoader)["components"]
    return found["examples"]


def without(value: Any, *names: str) -> Any:
    if isinstance(value, dict):
        return {name: without(inner, *names) for name, inner in value.items() if name not in names}
    return [without(inner, *names) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kind", ["text", "carousel", "file", "form", "image", "list", "location"])
async def test_the_published_examples_are_answered_as_published(world: World, kind: str) -> None:
    """What lies behind an address is not fetched: `mediaSize` is not known, and `mediaType` only by the name."""
    ada, _, _, path = await acme(world)
    reply = await ada.send("POST", path, examples()[kind]["value"])
    assert reply.status == 201
    # Not told apart by the caller: ids and times, what fetching tells, and the empty `uri` of a postback.
    loose = ("id", "received", "avatarUrl", "mediaSize", "mediaType", "uri", "altText")
    [shown] = reply.json["messages"]
    [published] = examples()[f"{kind}-2"]["value"]["messages"]
    content = published["content"]
    if 'text"' in content:  # a slip of the published list
        content["text"] = content.pop('text"').removeprefix('"')
    assert without(shown, *loose) == without(published, *loose)
    assert (await ada.send("GET", path)).json == {"messages": [shown], "meta": {"hasMore": False}}


async def test_a_whatsapp_template_is_taken_and_shown(world: World) -> None:
    ada, _, _, path = await acme(world)
    sent = examples()["whatsappTemplate"]["value"]
    reply = await ada.send("POST", path, sent)
    assert (reply.status, reply.json["messages"][0]["content"]) == (201, sent["content"])


async def test_a_list_shows_what_posting_answered_whoever_spoke_and_however(world: World) -> None:
    """Most bodies are shown as they lie in the database; the rest is decoded, and nobody can see which."""
    business, ada, _, path = await acme(world)
    user = {"type": "user", "userId": ada.id}
    hello = {"type": "text", "text": 'He said "é\u2028"'}
    posts: list[dict[str, Any]] = [
        {"author": BUSINESS, "content": hello},
        {
            "author": {**BUSINESS, "displayName": "S", "avatarUrl": "https://e.org/a", "subtypes": ["AI"]},
            "content": hello,
        },
        {"author": user, "content": hello, "metadata": {"a": 1.5, "b": True, "c": "é"}},
        {"author": {**user, "displayName": "A."}, "content": hello},
        {"author": {"type": "user", "userExternalId": "1234"}, "content": {**hello, "blockChatInput": False}},
        {"author": BUSINESS, "content": hello, "destination": {"integrationType": "none"}},
        {"author": BUSINESS, "content": hello, "override": {"line": {"payload": {}}}, "schema": "whatsapp"},
        {"author": BUSINESS, "content": hello, "references": [{"uri": "https://e.org", "title": "t"}]},
        {"author": user, "content": hello, "references": [{"uri": "https://e.org"}], "schema": "whatsapp"},
        {"author": user, "content": hello, "quotedMessage": {"type": "externalMessageId", "externalMessageId": "x"}},
    ]
    answered = []
    for sent in posts:
        reply = await business.send("POST", path, {**sent, "unknown": [1]})
        assert reply.status == 201, reply.json
        answered += reply.json["messages"]
    quoting = {
        "author": user,
        "content": hello,
        "quotedMessage": {"type": "message", "message": {"id": answered[2]["id"]}},
    }
    answered += (await business.send("POST", path, quoting)).json["messages"]
    assert (await business.send("GET", path)).json["messages"] == answered
    assert [message["author"].get("displayName") for message in answered] == [
        None, "S", "Ada", "A.", "Ada", None, None, None, "Ada", "Ada", "Ada",
    ]  # fmt: skip
    assert all(message["source"] == {"type": "api:conversations"} for message in answered)
    assert not {"destination", "override", "schema"} & {name for message in answered for name in message}
    assert answered[9]["quotedMessage"] == {"type": "externalMessageId", "externalMessageId": "x"}
    assert answered[10]["quotedMessage"] == {"type": "message", "message": answered[2]}
    assert (answered[2]["metadata"], answered[7]["references"]) == (posts[2]["metadata"], posts[7]["references"])
    await business.send("DELETE", f"{path}/{answered[2]['id']}")
    [*_, last] = (await business.send("GET", path)).json["messages"]
    assert last["quotedMessage"] == {"type": "message", "message": {"id": answered[2]["id"], "deleted": True}}


async def test_a_merged_users_messages_are_shown_as_the_survivors(world: World) -> None:
    business = await backend(world)
    visitor = await world.visitor(phone := device())
    where = await open_with(world, visitor.user)
    path = f"/conversations/{where.id}/messages"
    sent = {"author": {"type": "user", "userId": visitor.user.id}, "content": HELLO["content"]}
    assert (await business.send("POST", path, sent)).json["messages"][0]["author"]["userId"] == visitor.user.id
    ada = await world.user("1234", given_name="Ada")
    await world.log_in(claims("1234"), phone, visitor)
    [message] = (await business.send("GET", path)).json["messages"]
    assert message["author"] == {"type": "user", "userId": ada.id, "displayName": "Ada"}


async def test_pages_lead_from_one_to_the_next(world: World) -> None:
    business, _, where, path = await acme(world)
    ids = [(await say(world, where, text(str(number)))).message.id for number in range(250)]

    async def page(query: str = "") -> tuple[list[str], dict[str, Any], dict[str, str]]:
        reply = await business.send("GET", path, query=query)
        assert reply.status == 200, reply.json
        return [m["id"] for m in reply.json["messages"]], reply.json["meta"], reply.json.get("links", {})

    full = f"http://test{business.base}{path}?page%5B"
    last, meta, links = await page()
    assert (last, meta) == (ids[150:], {"hasMore": True, "beforeCursor": ids[150]})
    assert links == {"prev": f"{full}before%5D={ids[150]}"}
    middle, meta, links = await page(links["prev"].partition("?")[2])
    assert (middle, meta) == (ids[50:150], {"hasMore": True, "beforeCursor": ids[50], "afterCursor": ids[149]})
    assert links == {"prev": f"{full}before%5D={ids[50]}", "next": f"{full}after%5D={ids[149]}"}
    assert await page(links["next"].partition("?")[2]) == (
        last,
        {"hasMore": False, "beforeCursor": ids[150]},
        {"prev": f"{full}before%5D={ids[150]}"},
    )
    first, meta, links = await page(f"page[before]={ids[50]}")
    assert (first, meta, list(links)) == (ids[:50], {"hasMore": False, "afterCursor": ids[49]}, ["next"])
    assert await page(f"page[before]={ids[0]}") == ([], {"hasMore": False}, {})
    # As the vendor's newest client asks, and as anybody may who believes in page sizes.
    assert (await page("page=" + quote(json.dumps({"before": ids[150], "size": 25}))))[0] == middle
    assert (await page("page[size]=3"))[0] == last


@pytest.mark.parametrize(
    "query", ["page[before]=1", "page[after]=" + "f" * 25, f"page[after]={'f' * 24}&page[before]={'e' * 24}", "page=1"]
)
async def test_cursors_that_are_none_are_refused(world: World, query: str) -> None:
    business, _, _, path = await acme(world)
    assert (await business.send("GET", path, query=query)).error == (
        400,
        "bad_request",
        "Invalid page query parameters",
    )


async def test_what_is_not_there_is_answered_with_the_published_codes(world: World) -> None:
    business, _, where, path = await acme(world)
    nowhere = f"/conversations/{'f' * 24}/messages"
    gone = (404, "conversation_not_found", "Conversation not found")
    assert (await business.send("POST", nowhere, HELLO)).error == gone
    assert (await business.send("DELETE", nowhere)).error == gone
    assert (await business.send("DELETE", f"{nowhere}/{'f' * 24}")).error == gone
    assert (await business.send("GET", nowhere)).error == (404, "not_found", "Resource not found")
    assert (await business.send("DELETE", f"{path}/{'f' * 24}")).error == (404, "not_found", "Resource not found")
    stranger = {"author": {"type": "user", "userId": "f" * 24}, "content": HELLO["content"]}
    assert (await business.send("POST", path, stranger)).error == (404, "user_not_found", "User not found")
    eve = {"author": {"type": "user", "userId": (await world.user()).id}, "content": HELLO["content"]}
    assert (await business.send("POST", path, eve)).error[:2] == (404, "not_found")
    assert (await world.ask(list_messages, where.id)).rows == []


async def test_a_full_conversation_is_423(world: World) -> None:
    business, _, where, path = await acme(world)
    await fill(world, where)
    refused = await business.send("POST", path, HELLO)
    assert refused.error == (423, "locked", "Message limit of 30000 per conversation reached.")
    assert (await business.send("DELETE", path)).json == {}
    assert (await business.send("POST", path, HELLO)).status == 201


async def test_an_idempotency_key_is_answered_with_the_first_message(world: World) -> None:
    business, _, _, path = await acme(world)
    key = ((b"idempotency-key", b'"8e03978e-40d5-43dd-bc93-6894a57f9324"'),)
    first = await business.send("POST", path, HELLO, headers=key)
    again = await business.send("POST", path, HELLO, headers=key)
    assert (first.status, again) == (201, first)
    other = {**HELLO, "metadata": {"a": 1}}
    assert (await business.send("POST", path, other, headers=key)).error[:2] == (409, "conflict")
    assert len((await business.send("GET", path)).json["messages"]) == 1
    for wrong in (b"", b"x" * 256, b"\xff\x01"):
        reply = await business.send("POST", path, HELLO, headers=((b"idempotency-key", wrong),))
        assert reply.error[:2] == (400, "bad_request")
    assert (await business.send("POST", path, HELLO, headers=((b"idempotency-key", b"x" * 255),))).status == 201
