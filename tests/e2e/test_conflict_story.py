"""The story of docs/how-to/settle-a-conflict.md: a real server, the SDK API, the admin API and a receiver."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.acme import Acme, Reply, new_email, new_external_id, open_shop, server_on
from tests.e2e.hooks import PRIVATE_TOO
from tests.receivers import Receiver, receiver
from tests.servers import wait_until

PERSON = "one person with a new account, ticket 4711"


class Operator:
    """Whoever acts for Acme, over the admin API."""

    def __init__(self, acme: Acme) -> None:
        self.acme = acme

    def ask(self, method: str, path: str, body: Any = None) -> Reply:
        return self.acme.send(method, f"/admin/v1/apps/{self.acme.app_id}{path}", body, self.acme.as_backend)

    def act(self, **request: str) -> Any:
        """A plan, carried out: its preview and what was done."""
        made = self.ask("POST", "/plans", request)
        assert made.status == 201, made.body
        plan = made.json["plan"]
        assert plan["request"] == request
        done = self.ask("POST", f"/plans/{plan['id']}/execute", {"reason": PERSON})
        assert done.status == 200, done.body
        return plan["preview"], done.json["done"]


@pytest.fixture
def receives() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def acme(database_url: str) -> Iterator[Acme]:
    with server_on(database_url, **PRIVATE_TOO) as server:
        yield open_shop(server).new_app()


def test_a_customer_with_a_new_account_gets_in_and_nothing_is_lost(acme: Acme, receives: Receiver) -> None:
    operator, email, old, new = Operator(acme), new_email(), new_external_id(), new_external_id()
    hook = {"url": receives.url("/told"), "eventsEnabled": ["user.loginId.duplicate.create"]}
    assert operator.ask("POST", "/webhooks", hook).status == 201

    # She chats before she signs in; her history comes along, and is there on her tablet too.
    visitor = acme.visit("phone")
    ada = acme.log_in(acme.token(old, email), "phone", proof=visitor).json["appUser"]["_id"]
    assert ada == visitor[0]
    made = acme.v2("POST", "/conversations", {"type": "personal", "participants": [{"userId": ada}]})
    conversation = made.json["conversation"]["id"]
    said = {"author": {"type": "user", "userId": ada}, "content": {"type": "text", "text": "Where is my parcel?"}}
    assert acme.v2("POST", f"/conversations/{conversation}/messages", said).status == 201
    assert acme.log_in(acme.token(old, email), "tablet").json["appUser"]["_id"] == ada

    # A year later she has another account number.
    refused = acme.log_in(acme.token(new, email), "phone")
    assert refused.status == 409
    assert email not in refused.body.decode()
    wait_until(lambda: len(receives.calls) == 1, what="the business is told")

    # An operator looks, and decides.
    [case] = operator.ask("GET", "/conflicts?state=open").json["conflicts"]
    assert (case["claimant"], case["ownerId"], case["count"]) == (new, ada, 1)
    [attempt] = operator.ask("GET", f"/conflicts/{case['id']}").json["evidence"]
    assert (attempt["assertedBy"], attempt["deviceGuid"]) == (acme.key.id, "phone")
    preview, done = operator.act(kind="resolve", conflictId=case["id"], action="reassign")
    assert new in preview["does"][0]
    assert preview["parties"][0]["messages"] == 1

    # The refused login succeeds, her history is hers, and the former id still finds her.
    assert acme.log_in(acme.token(new, email), "phone").json["appUser"]["_id"] == ada
    listed = acme.v2("GET", f"/conversations/{conversation}/messages").json["messages"]
    assert [message["content"]["text"] for message in listed] == ["Where is my parcel?"]
    assert acme.user(old)["externalId"] == new

    # It was wrong after all: everything is as it was, and can be decided anew.
    operator.act(kind="undo", actId=done["resolution"]["id"])
    assert acme.log_in(acme.token(new, email), "phone").status == 409
    assert acme.user(new) is None
    operator.act(kind="resolve", conflictId=case["id"], action="merge")
    assert acme.log_in(acme.token(new, email), "phone").json["appUser"]["_id"] == ada
    whys = operator.ask("GET", f"/users/{new}/provenance").json["identities"]
    [chain] = [one for one in whys if one["type"] == "email"]
    assert [step["what"] for step in chain["steps"]][:2] == ["asserted", "contested"]

    # Who did what is written down; and she may go.
    assert operator.ask("GET", "/audit/verify").json["broken"] is None
    _, gone = operator.act(kind="delete", user=ada)
    assert gone["receipt"]["removed"]["messages"] == 1
    assert acme.user(old) is None
    assert operator.ask("GET", "/audit/verify").json["broken"] is None
    assert operator.ask("GET", "/conflicts").json["conflicts"] == []


def test_a_plan_that_the_world_has_overtaken_is_refused(acme: Acme) -> None:
    operator, email, old, new = Operator(acme), new_email(), new_external_id(), new_external_id()
    acme.log_in(acme.token(old, email), "phone")
    acme.log_in(acme.token(new, email), "tablet")
    [case] = operator.ask("GET", "/conflicts").json["conflicts"]
    plan = operator.ask("POST", "/plans", {"kind": "resolve", "conflictId": case["id"], "action": "move"}).json["plan"]
    acme.log_in(acme.token(old, name="Ada"), "phone")
    late = operator.ask("POST", f"/plans/{plan['id']}/execute", {"reason": PERSON})
    assert (late.status, late.json["error"]["code"]) == (409, "plan_stale")
    assert operator.ask("POST", f"/plans/{plan['id']}/execute", {}).json["error"]["code"] == "reason_required"


def test_another_apps_key_sees_nothing(acme: Acme) -> None:
    other = open_shop(acme.server).new_app("Another")
    email = new_email()
    acme.log_in(acme.token(new_external_id(), email))
    acme.log_in(acme.token(new_external_id(), email))
    case = Operator(acme).ask("GET", "/conflicts").json["conflicts"][0]["id"]
    for path in ("/conflicts", f"/conflicts/{case}", "/audit", "/policy"):
        reply = acme.send("GET", f"/admin/v1/apps/{acme.app_id}{path}", None, other.as_backend)
        assert reply.status == 403
    assert Operator(other).ask("GET", f"/conflicts/{case}").status == 404
    user_token = f"Bearer {acme.token('5678')}"
    assert acme.send("GET", f"/admin/v1/apps/{acme.app_id}/conflicts", None, user_token).status == 403
