"""Clients, connectors, synchronisation and brands over HTTP, as a business's programs meet them."""

from typing import Any

import pytest

from knownas.conversations import Conversation, ConversationChanges, Invitation, Reference
from knownas.conversations.create import create_conversation
from knownas.integrations.create import create_integration
from knownas.transaction import Transaction
from tests.given import World, claims, device
from tests.unit.facade import Backend, backend

PHONE = "+1 212-555-2368"


async def asking(world: World, **changed: Any) -> tuple[Backend, dict[str, Any]]:
    """A backend, and the body of a link for the user `1234`."""
    user = await world.user("1234")

    async def open_one(tx: Transaction) -> Conversation:
        return await create_conversation(tx, "personal", [Invitation(Reference(user.id))], ConversationChanges())

    talk, whatsapp = await world.do(open_one), await world.do(create_integration, "whatsapp")
    return await backend(world), {
        "matchCriteria": {"type": "whatsapp", "integrationId": whatsapp.id, "phoneNumber": PHONE},
        "confirmation": {"type": "immediate"},
        "target": {"conversationId": talk.id},
        **changed,
    }


async def test_a_link_from_the_question_to_its_end(world: World) -> None:
    shop, body = await asking(world)
    await world.log_in(claims("1234"), device())
    made = await shop.send("POST", "/users/1234/clients", body)
    client = made.json["client"]
    assert (made.status, client["status"], client["type"]) == (201, "pending", "whatsapp")
    assert set(client) == {"id", "type", "status", "integrationId"}
    link = await shop.send("GET", f"/clients/{client['id']}")
    assert link.json["matchCriteria"]["phoneNumber"] == "+12125552368"
    assert link.json["target"] == body["target"]
    found = {"displayName": "Steve", "info": {"city": "Rome"}, "raw": {"From": "x"}}
    moved = (await shop.send("POST", f"/clients/{client['id']}/matched", found)).json["client"]
    assert (moved["status"], moved["externalId"], moved["displayName"]) == ("active", "+12125552368", "Steve")
    assert moved["linkedAt"].endswith("Z")
    assert (await shop.send("POST", f"/clients/{client['id']}/blocked")).json["client"]["status"] == "blocked"
    assert (await shop.send("POST", f"/clients/{client['id']}/unblocked")).json["client"]["status"] == "active"
    assert (await shop.send("POST", f"/clients/{client['id']}/failed")).error[:2] == (409, "conflict")
    page = await shop.send("GET", "/users/1234/clients", query="page[size]=1")
    assert (len(page.json["clients"]), page.json["meta"]["hasMore"]) == (1, True)
    rest = await shop.send("GET", "/users/1234/clients", query=f"page[after]={page.json['meta']['afterCursor']}")
    assert {one["type"] for one in page.json["clients"] + rest.json["clients"]} == {"sdk", "whatsapp"}
    assert (await shop.send("DELETE", f"/users/1234/clients/{client['id']}")).json == {}
    assert (await shop.send("DELETE", f"/users/1234/clients/{client['id']}")).error == (
        404, "client_not_found", "Client not found",
    )  # fmt: skip


@pytest.mark.parametrize("end", ["failed", "cancelled"])
async def test_a_link_that_came_to_nothing(world: World, end: str) -> None:
    shop, body = await asking(world)
    client = (await shop.send("POST", "/users/1234/clients", body)).json["client"]
    assert (await shop.send("POST", f"/clients/{client['id']}/confirmed")).error[0] == 409
    assert (await shop.send("POST", f"/clients/{client['id']}/{end}", {"code": "x"})).status == 200
    assert (await shop.send("GET", "/users/1234/clients")).json["clients"] == []


async def test_what_a_link_lacks_is_said(world: World) -> None:
    shop, body = await asking(world)
    criteria = body["matchCriteria"]
    for wrong, status, says in (
        ({}, 400, "matchCriteria"),
        (body | {"target": {}}, 400, "conversationId"),
        (body | {"confirmation": {"type": "later"}}, 400, "confirmation.type"),
        (body | {"matchCriteria": criteria | {"phoneNumber": "212 555 2368"}}, 400, "+"),
        (body | {"matchCriteria": {k: v for k, v in criteria.items() if k != "phoneNumber"}}, 400, "phoneNumber"),
        (body | {"matchCriteria": criteria | {"type": "viber"}}, 400, "allowed values"),
        (body | {"matchCriteria": criteria | {"integrationId": "0" * 24}}, 404, "Integration"),
        (body | {"target": {"conversationId": "0" * 24}}, 404, "Conversation"),
    ):  # fmt: skip
        refused = await shop.send("POST", "/users/1234/clients", wrong)
        assert refused.status == status
        assert says in refused.error[2]
    assert (await shop.send("POST", "/users/nobody/clients", body)).error[1] == "user_not_found"


async def test_an_integrations_key_moves_the_clients_of_its_own_channel_alone(world: World) -> None:
    shop, body = await asking(world)
    client = (await shop.send("POST", "/users/1234/clients", body)).json["client"]
    other = await backend(world, "integration", (await world.do(create_integration, "custom")).id)
    own = await backend(world, "integration", body["matchCriteria"]["integrationId"])
    for method, path in (("POST", "/matched"), ("POST", "/failed"), ("GET", "")):
        assert (await other.send(method, f"/clients/{client['id']}{path}")).error[0] == 403
    assert (await own.send("POST", f"/clients/{client['id']}/matched")).status == 200


async def test_a_brands_user_is_found_in_her_brand(world: World) -> None:
    shop = await backend(world)
    plain = (await shop.send("POST", "/users", {"externalId": "1"})).json["user"]
    branded = (await shop.send("POST", "/users", {"externalId": "1", "brandId": "9477922990333"})).json["user"]
    assert (branded["brandId"], "brandId" in plain) == ("9477922990333", False)
    assert (await shop.send("POST", "/users", {"externalId": "1", "brandId": "9477922990333"})).error == (
        409, "conflict", "User already exists",
    )  # fmt: skip
    query = "brandId=9477922990333"
    assert (await shop.send("GET", "/users/1")).json["user"]["id"] == plain["id"]
    assert (await shop.send("GET", "/users/1", query=query)).json["user"]["id"] == branded["id"]
    assert (await shop.send("GET", f"/users/{branded['id']}")).json["user"]["brandId"] == "9477922990333"
    for method, path in (
        ("PATCH", "/users/1"), ("GET", "/users/1/clients"), ("GET", "/users/1/devices"),
        ("DELETE", "/users/1/personalinformation"), ("DELETE", "/users/1"),
    ):  # fmt: skip
        body = {"profile": {"givenName": "Ada"}} if method == "PATCH" else None
        assert (await shop.send(method, path, body, query=query)).status == 200
        assert (await shop.send(method, path, body, query="brandId=other")).error[1] == "user_not_found"
    assert (await shop.send("GET", "/users/1")).json["user"]["profile"] == {}
    for query in ("brandId=", "brandId=" + "x" * 25, "brandId[a]=1"):
        refused = await shop.send("GET", "/users/1", query=query)
        assert refused.status == 400


async def test_a_branded_user_does_not_meet_a_login(world: World) -> None:
    """A token names no brand, so its external id is one of no brand."""
    shop = await backend(world)
    branded = (await shop.send("POST", "/users", {"externalId": "1", "brandId": "b"})).json["user"]
    assert (await world.log_in(claims("1"))).user.id != branded["id"]


async def test_a_user_is_synchronised(world: World) -> None:
    shop = await backend(world)
    ada = (await shop.send("POST", "/users", {"externalId": "1"})).json["user"]
    assert (await shop.send("POST", "/users/35436/sync")).error[0] == 400
    assert (await shop.send("POST", "/users/35436/sync", {"profile": {"givenName": "Ada"}})).error[
        1
    ] == "user_not_found"
    record = {"userId": ada["id"], "externalId": "2", "email": "ada@example.com", "profile": {"givenName": "Ada"}}
    user = (await shop.send("POST", "/users/35436/sync", record)).json["user"]
    assert (user["id"], user["zendeskId"], user["externalId"]) == (ada["id"], "35436", "2")
    assert user["identities"] == [{"type": "email", "value": "ada@example.com", "verification": "api"}]
    again = await shop.send("POST", "/users/35436/sync", {"survivingZendeskId": "35437"})
    assert again.json["user"]["zendeskId"] == "35437"
