"""Conversations, participants and activities as the v2 API shows them (spec/sunshine-v2.yaml)."""

from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from knownas.conversations.find import get_conversation
from knownas.integrations.create import create_integration
from tests.given import World
from tests.unit.facade import Backend, backend
from tests.unit.test_conversations import say

NOBODY = "0" * 24


async def opened(client: Backend, *users: str, type: str = "personal", **details: Any) -> dict[str, Any]:
    participants = [{"userId": user, "subscribeSDKClient": True} for user in users]
    reply = await client.send("POST", "/conversations", {"type": type, "participants": participants, **details})
    assert reply.status == 201, reply.json
    conversation: dict[str, Any] = reply.json["conversation"]
    return conversation


def has_no_null(value: object) -> bool:
    if isinstance(value, dict):
        return all(has_no_null(inner) for inner in value.values())
    return all(map(has_no_null, value)) if isinstance(value, list) else value is not None


async def test_a_conversation_from_beginning_to_end(world: World) -> None:
    client, ada = await backend(world), await world.user("1234")
    made = await opened(client, ada.id, displayName="Help", metadata={"lang": "en"})
    assert made == {
        "id": made["id"], "type": "personal", "isDefault": True, "displayName": "Help", "metadata": {"lang": "en"},
        "lastUpdatedAt": made["createdAt"], "createdAt": made["createdAt"],
    }  # fmt: skip
    path = f"/conversations/{made['id']}"
    assert (await client.send("GET", path)).json == {"conversation": made}
    changes = {"displayName": None, "description": "d", "iconUrl": "https://x/i.png", "metadata": {"lang": None}}
    changed = await client.send("PATCH", path, changes)
    assert changed.status == 200
    assert changed.json["conversation"] == {
        **{name: value for name, value in made.items() if name != "displayName"},
        "description": "d", "iconUrl": "https://x/i.png", "metadata": {},
    }  # fmt: skip
    await say(world, await world.ask(get_conversation, made["id"]))
    read = await client.send("POST", path + "/activity", {"author": {"type": "business"}, "type": "conversation:read"})
    assert (read.status, read.json) == (200, {})
    shown = (await client.send("GET", path)).json["conversation"]
    assert shown["lastUpdatedAt"] > shown["createdAt"]
    assert shown["businessLastRead"] > shown["lastUpdatedAt"]
    assert (await client.send("DELETE", path)).error == (
        400, "bad_request", f"Conversation {made['id']} cannot be deleted because it is the default.",
    )  # fmt: skip
    assert has_no_null(shown)


async def test_participants_join_read_and_leave(world: World) -> None:
    client, ada, eve = await backend(world), await world.user("1234"), await world.user()
    path = f"/conversations/{(await opened(client, ada.id, type='sdkGroup'))['id']}"
    joined = await client.send("POST", path + "/join", {"userId": eve.id, "subscribeSDKClient": False})
    assert joined.status == 201
    assert joined.json["participant"] == {
        "id": joined.json["participant"]["id"], "userId": eve.id, "unreadCount": 0, "clientAssociations": [],
    }  # fmt: skip
    read = {"author": {"type": "user", "userExternalId": "1234"}, "type": "conversation:read"}
    assert (await client.send("POST", path + "/activity", read)).status == 200
    listed = (await client.send("GET", path + "/participants", query="page%5Bsize%5D=1")).json
    [first] = listed["participants"]
    assert first["userExternalId"] == "1234"
    assert first["lastRead"].endswith("Z")
    assert first["clientAssociations"] == [{"type": "sdk", "clientId": ada.client_id}]
    assert listed["meta"] == {"hasMore": True, "afterCursor": first["id"]}
    page = f"page%5Bafter%5D={first['id']}&page%5Bsize%5D=1"
    assert listed["links"]["next"] == f"http://test{client.base}{path}/participants?{page}"
    left = await client.send("POST", path + "/leave", {"participantId": first["id"]})
    assert (left.status, left.json) == (200, {})
    assert (await client.send("POST", path + "/leave", {"userId": ada.id})).error == (
        404, "not_found", "User is not a member of the conversation",
    )  # fmt: skip
    assert (await client.send("DELETE", path)).json == {}
    assert (await client.send("GET", path)).error == (404, "conversation_not_found", "Conversation not found")


@pytest.mark.parametrize("json", [False, True], ids=["brackets", "json"])
async def test_both_spellings_of_a_query_page_through_a_users_conversations(world: World, *, json: bool) -> None:
    await world.choose(multiConvoEnabled=True)
    client, ada = await backend(world), await world.user("a/b")
    made = [(await opened(client, ada.id))["id"] for _ in range(3)]

    async def page(user: str, **cursor: str) -> dict[str, Any]:
        name, _, value = user.partition("=")
        asked: dict[str, dict[str, Any]] = {"filter": {name: value}, "page": {"size": 2, **cursor}}
        if json:
            query = urlencode({key: msgspec.json.encode(inner).decode() for key, inner in asked.items()})
        else:
            query = urlencode({f"{key}[{part}]": it for key, inner in asked.items() for part, it in inner.items()})
        reply = await client.send("GET", "/conversations", query=query)
        assert reply.status == 200, reply.json
        body: dict[str, Any] = reply.json
        return body

    first = await page(f"userId={ada.id}")
    assert [one["id"] for one in first["conversations"]] == made[:2]
    assert first["meta"] == {"hasMore": True, "afterCursor": made[1]}
    last = await page("userExternalId=a/b", after=made[1])
    assert [one["id"] for one in last["conversations"]] == made[2:]
    assert last["meta"] == {"hasMore": False, "beforeCursor": made[2]}
    assert [one["id"] for one in (await page(f"userId={ada.id}", before=made[2]))["conversations"]] == made[:2]


@pytest.mark.parametrize(
    ("query", "status", "code", "title"),
    [
        ("", 400, "bad_request", "exactly one"),
        ("filter=x", 400, "bad_request", "filter should be an object"),
        ("filter%5BuserId%5D=a&filter%5BuserExternalId%5D=b", 400, "bad_request", "exactly one"),
        (f"filter%5BuserId%5D={NOBODY}", 404, "user_not_found", "User not found"),
        ("filter%5BuserExternalId%5D=nobody", 404, "user_not_found", "User not found"),
        ("filter%5BuserId%5D=a&page%5Bsize%5D=0", 400, "bad_request", "Invalid page query parameters"),
        (f"page%5Bafter%5D={NOBODY}&page%5Bbefore%5D={NOBODY}", 400, "bad_request", "Invalid page query parameters"),
    ],
)
async def test_a_list_that_cannot_be_given(world: World, query: str, status: int, code: str, title: str) -> None:
    refusal = (await (await backend(world)).send("GET", "/conversations", query=query)).error
    assert refusal[:2] == (status, code)
    assert title in refusal[2]


@pytest.mark.parametrize(
    ("body", "status", "title"),
    [
        ({}, 400, "should have required property 'type'"),
        ({"type": "personal"}, 400, "participants should have exactly 1 item"),
        ({"type": "personal", "participants": []}, 400, "participants should have exactly 1 item"),
        ({"type": "other"}, 400, "type"),
        (
            {"type": "personal", "participants": [{}]},
            400,
            "participants[0] should have either userId or userExternalId",
        ),
        ({"type": "personal", "participants": [{"userId": "a", "userExternalId": "b"}]}, 400, "exactly one"),
        ({"type": "personal", "participants": [{"userId": NOBODY}]}, 404, "User not found"),
        ({"type": "sdkGroup", "participants": [{"userId": NOBODY}]}, 400, "'subscribeSDKClient'"),
        ({"type": "sdkGroup", "participants": [{"userId": NOBODY}] * 11}, 400, "Too many participants"),
        ({"type": "sdkGroup", "displayName": ""}, 400, "displayName should NOT be shorter than 1 characters"),
        ({"type": "sdkGroup", "description": "x" * 101}, 400, "description should NOT be longer than 100 characters"),
        ({"type": "sdkGroup", "iconUrl": "javascript:x"}, 400, "iconUrl"),
        ({"type": "sdkGroup", "metadata": {"a": []}}, 400, "metadata is flat"),
        ({"type": "sdkGroup", "metadata": {"a": "x" * 4096}}, 400, "Conversation metadata is limited to 4096 bytes"),
    ],
)
async def test_a_conversation_that_cannot_be_opened(
    world: World, body: dict[str, Any], status: int, title: str
) -> None:
    before = await world.snapshot()
    client = await backend(world)
    refused = await client.send("POST", "/conversations", body)
    assert refused.error[0] == status, refused.json
    assert title in refused.error[2]
    after = await world.snapshot()
    assert after["conversations"] == before["conversations"]


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ({"type": "conversation:read"}, "should have required property 'author'"),
        ({"author": {"type": "business"}}, "should have required property 'type'"),
        ({"author": {"type": "bot"}, "type": "conversation:read"}, "author.type"),
        ({"author": {"type": "business"}, "type": "typing"}, "type"),
        ({"author": {"type": "user"}, "type": "conversation:read"}, "author should have either userId"),
        ({"author": {"type": "user", "userExternalId": "1234"}, "type": "typing:start"}, "conversation:read"),
    ],
)
async def test_an_activity_that_cannot_be(world: World, body: dict[str, Any], title: str) -> None:
    client, ada = await backend(world), await world.user("1234")
    path = f"/conversations/{(await opened(client, ada.id))['id']}/activity"
    refusal = (await client.send("POST", path, body)).error
    assert refusal[:2] == (400, "bad_request")
    assert title in refusal[2]


async def test_what_is_not_there_is_a_404_that_says_so(world: World) -> None:
    client = await backend(world)
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {}),
        ("DELETE", "", None),
        ("POST", "/join", {"userId": NOBODY, "subscribeSDKClient": True}),
        ("GET", "/participants", None),
        ("POST", "/leave", {"userId": NOBODY}),
        ("POST", "/activity", {"author": {"type": "business"}, "type": "typing:start"}),
    ):
        for id in (NOBODY, "no-id"):
            refusal = (await client.send(method, f"/conversations/{id}{path}", body)).error
            assert refusal == (404, "conversation_not_found", "Conversation not found"), (method, path)


async def test_an_integrations_key_reaches_conversations(world: World) -> None:
    integration = await world.do(create_integration, "custom")
    client = await backend(world, "integration", integration.id)
    assert (await opened(client, (await world.user("1234")).id))["type"] == "personal"
