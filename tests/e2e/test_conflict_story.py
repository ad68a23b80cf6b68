"""The story of design section 1 and of docs/how-to/settle-a-conflict.md, told from beginning to end.

The customer's devices speak the SDK API, Acme's backend the official Python client, the operator types commands beside
the running server, and a receiver verifies what it is told.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
from standardwebhooks import Webhook as StandardWebhook

from knownas.ids import uuid_of
from knownas.webhooks import as_standard
from tests.e2e.acme import Acme, Reply, command, new_email, new_external_id, open_shop, server_on, wait_for_log
from tests.e2e.backend import Backend, backend_of
from tests.e2e.hooks import PRIVATE_TOO
from tests.receivers import Received, Receiver, receiver

PERSON = "one person with a new account, ticket 4711"
SAID = ["Where is my parcel?", "It leaves today.", "And the second one?", "It came, thank you!"]


@dataclass
class Play:
    """Who plays, and what they remember."""

    acme: Acme
    backend: Backend
    receives: Receiver
    secrets: dict[str, str] = field(default_factory=dict)
    email: str = field(default_factory=new_email)
    old: str = field(default_factory=new_external_id)
    new: str = field(default_factory=new_external_id)
    ada: str = ""
    case: str = ""

    def arrives(self, external_id: str, device: str, **how: Any) -> Reply:
        """She opens the app, where Acme's backend signs for her and her e-mail."""
        return self.acme.log_in(self.acme.token(external_id, self.email), device, **how)

    def is_in_as(self, external_id: str, device: str, **how: Any) -> str:
        """The id of the user as whom she is let in."""
        reply = self.arrives(external_id, device, **how)
        assert reply.status == 200, reply.body
        user_id: str = reply.json["appUser"]["_id"]
        return user_id

    def types(self, *arguments: str) -> Any:
        """What the operator's command answers; each is a process of its own."""
        return command(*arguments, "--app", self.acme.app_id, database=self.acme.server.database)

    def settles(self, *arguments: str) -> tuple[Any, Any]:
        """The preview that a command shows first, and what it then did."""
        answer = self.types(*arguments, "--yes", "--reason", PERSON)
        return answer["plan"]["preview"], answer["done"]

    def is_told(self, kind: str) -> Any:
        """The next event of a kind that reaches Acme's backend, signed as it was agreed."""
        [call] = self.receives.wait_for(f"/{kind}", 1)
        self.receives.calls.remove(call)
        assert call.headers["x-api-key"] == self.secrets[kind]
        StandardWebhook(as_standard(self.secrets[kind])).verify(call.body, call.headers)
        assert call.event["type"] == kind
        return call.event["payload"]


@pytest.mark.timeout(300)  # some twenty commands, each a process of its own: most of a minute on a busy machine
def test_a_customer_with_a_new_account_gets_in_and_nothing_is_lost(stage: Play) -> None:
    acme_listens(stage)
    she_arrives_on_two_devices_and_is_one(stage)
    a_year_later_she_is_refused_and_acme_is_told(stage)
    the_operator_looks(stage)
    reassigned_she_is_in_and_taken_back_she_is_not(stage)
    moved_the_newcomer_has_the_address_and_taken_back_she_has_not(stage)
    merged_the_two_are_one_and_taken_back_they_are_two(stage)
    they_stay_one_and_the_log_says_why(stage)
    she_goes_and_leaves_no_trace(stage)


def acme_listens(play: Play) -> None:
    for kind in ("user:merge", "user:remove"):
        play.secrets[kind] = play.backend.listen(play.receives.url(f"/{kind}"), kind)
    hook = {
        "url": play.receives.url("/duplicate"),
        "eventsEnabled": ["user.loginId.duplicate.create"],
        "signingAlgorithm": "ES256",
    }
    made = ask(play.acme, "POST", "/webhooks", hook)
    assert made.status == 201, made.body
    play.secrets["duplicate"] = made.json["webhook"]["secret"]


def she_arrives_on_two_devices_and_is_one(play: Play) -> None:
    acme, backend = play.acme, play.backend
    visitor, session = acme.visit("phone", givenName="Ada")
    conversation = backend.open_conversation(visitor)
    backend.say(conversation, SAID[0], visitor)
    backend.say(conversation, SAID[1])

    # She signs in: the visitor becomes her, in place, and the visitor's session is over.
    play.ada = play.is_in_as(play.old, "phone", proof=(visitor, session))
    assert play.ada == visitor
    assert acme.sdk("GET", f"/appusers/{visitor}", None, as_visitor(visitor, session)).status == 401
    assert backend.messages(conversation) == SAID[:2]

    # On her tablet, too, she had chatted first: that is one with her, and Acme is told so.
    other, session = acme.visit("tablet")
    backend.say(backend.open_conversation(other), SAID[2], other)
    assert play.is_in_as(play.old, "tablet", proof=(other, session)) == play.ada
    told = play.is_told("user:merge")
    assert (told["mergedUsers"]["surviving"]["id"], told["mergedUsers"]["discarded"]["id"]) == (play.ada, other)
    backend.say(conversation, SAID[3], play.ada)
    assert backend.messages(conversation) == SAID

    backend.describe(play.ada, plan="gold")
    backend.link(play.ada, conversation)
    hers = backend.everything_of(play.old)
    assert (hers["user"]["id"], hers["user"]["metadata"]) == (play.ada, {"plan": "gold"})
    assert hers["said"] == {conversation: SAID}
    assert (hers["devices"], len(hers["clients"])) == ({"phone", "tablet"}, 1)


def a_year_later_she_is_refused_and_acme_is_told(play: Play) -> None:
    before = play.backend.everything_of(play.ada)
    refused = play.arrives(play.new, "phone")
    assert refused.status == 409
    for secret in (play.email, play.old, play.ada):
        assert secret not in refused.body.decode(), "nothing of the owner"
    assert play.backend.everything_of(play.ada) == before
    assert play.backend.user(play.new) is None

    [call] = play.receives.wait_for("/duplicate", 1)
    StandardWebhook(play.secrets["duplicate"]).verify(call.body, call.headers)
    assert body_signed(play.acme, call) == base64.b64encode(hashlib.sha256(call.body).digest()).decode()
    event = json.loads(call.body)["event"]
    assert event["type"] == "user.loginId.duplicate.create"
    assert (event["tenantId"], event["duplicateEmail"]) == (uuid_of(play.acme.app_id), play.email)
    assert (event["existing"]["id"], event["existing"]["legacyIdentifier"]) == (uuid_of(play.ada), play.old)
    assert event["user"]["legacyIdentifier"] == play.new
    [email] = event["existing"]["identities"]
    assert email["insertInstant"] >= event["existing"]["insertInstant"], "hers since she signed in"


def the_operator_looks(play: Play) -> None:
    [case] = play.types("conflicts", "list")["conflicts"]
    play.case = case["id"]
    assert (case["value"], case["ownerId"], case["claimant"]) == (play.email, play.ada, play.new)
    assert (case["claimantId"], case["count"], case["state"]) == (None, 1, "open")
    [attempt] = play.types("conflicts", "show", play.case)["evidence"]
    assert (attempt["assertedBy"], attempt["deviceGuid"]) == (play.acme.key.id, "phone")
    assert (attempt["address"], attempt["outcome"]) == ("127.0.0.1", "refused")


def reassigned_she_is_in_and_taken_back_she_is_not(play: Play) -> None:
    before = play.backend.everything_of(play.ada)
    preview, done = play.settles("conflicts", "resolve", play.case, "--action", "reassign")
    assert_foreseen(preview, owner=before, claimant=None)
    assert play.is_in_as(play.new, "phone") == play.ada
    after = play.backend.everything_of(play.new)
    assert after == before | {"user": before["user"] | {"externalId": play.new}}
    assert play.is_in_as(play.old, "tablet") == play.ada, "her old install still finds her"

    play.settles("undo", done["resolution"]["id"])
    assert play.backend.everything_of(play.ada) == before
    assert play.backend.user(play.new) is None
    assert play.arrives(play.new, "phone").status == 409
    assert play.is_in_as(play.old, "phone") == play.ada


def moved_the_newcomer_has_the_address_and_taken_back_she_has_not(play: Play) -> None:
    before = play.backend.everything_of(play.ada)
    preview, done = play.settles("conflicts", "resolve", play.case, "--action", "move")
    assert_foreseen(preview, owner=before, claimant=None)
    newcomer = play.is_in_as(play.new, "desktop")
    assert newcomer == done["userId"] != play.ada
    hers = play.backend.everything_of(play.new)
    assert [one["value"] for one in hers["user"]["identities"]] == [play.email]
    assert (hers["said"], hers["devices"]) == ({}, {"desktop"})
    after = play.backend.everything_of(play.old)
    profile = {name: value for name, value in before["user"]["profile"].items() if name != "email"}
    assert after == before | {"user": before["user"] | {"identities": [], "profile": profile}}

    play.settles("undo", done["resolution"]["id"])
    assert play.backend.everything_of(play.ada) == before
    assert play.backend.user(play.new)["identities"] == []
    assert play.arrives(play.new, "desktop").status == 409


def merged_the_two_are_one_and_taken_back_they_are_two(play: Play) -> None:
    # By now there are two: as 5678 she got in, chatted, and Acme noted something about her.
    acme, backend = play.acme, play.backend
    newcomer = acme.log_in(acme.token(play.new), "desktop").json["appUser"]["_id"]
    other = backend.open_conversation(newcomer)
    backend.say(other, "Is my old account lost?", newcomer)
    backend.describe(newcomer, basket=3)
    ada, second = backend.everything_of(play.ada), backend.everything_of(newcomer)

    preview, done = play.settles("conflicts", "resolve", play.case, "--action", "merge")
    assert_foreseen(preview, surviving=ada, discarded=second)
    assert play.is_in_as(play.new, "phone") == play.ada
    one = backend.everything_of(play.new)
    assert one["user"] == ada["user"] | {"metadata": {"plan": "gold", "basket": 3}}
    assert [text for texts in one["said"].values() for text in texts] == [*SAID, "Is my old account lost?"]
    assert one["devices"] == ada["devices"] | second["devices"]
    assert one["clients"] == ada["clients"]
    for reference in (play.old, newcomer):
        assert backend.everything_of(reference) == one, "every former id finds her"
    assert play.is_told("user:merge")["mergedUsers"]["discarded"]["id"] == newcomer

    play.settles("undo", done["resolution"]["id"])
    assert backend.everything_of(play.ada) == ada
    assert backend.everything_of(newcomer) == second
    assert play.arrives(play.new, "desktop").status == 409


def they_stay_one_and_the_log_says_why(play: Play) -> None:
    newcomer = play.backend.user(play.new)["id"]
    _, done = play.settles("merge", play.old, play.new)
    assert play.is_in_as(play.new, "desktop") == done["userId"] == play.ada
    play.is_told("user:merge")
    chains = {one["value"]: one["steps"] for one in play.types("users", "why", play.new)["identities"]}
    happened = ["asserted", "contested", "reassigned", "undone", "moved", "undone", "merged", "undone"]
    assert [step["what"] for step in chains[play.email]] == happened
    assert [step["what"] for step in chains[play.new]] == ["asserted", "merged"]
    assert newcomer in chains[play.new][-1]["text"]
    entries = play.types("audit", "list")["entries"]
    acts = ["resolve.reassign", "undo", "resolve.move", "undo", "resolve.merge", "undo", "merge"]
    assert [one["action"] for one in entries] == acts
    assert {one["details"]["note"] for one in entries} == {PERSON}


def she_goes_and_leaves_no_trace(play: Play) -> None:
    backend, [conversation, *_] = play.backend, play.backend.everything_of(play.ada)["said"]
    head = play.types("audit", "verify")["head"]
    preview, done = play.settles("erase", play.old)
    assert preview["parties"][0]["userId"] == play.ada
    assert done["receipt"]["userId"] == play.ada
    left = backend.user(play.ada)
    assert (left["profile"], left["metadata"], left["identities"]) == ({}, {}, [])
    assert backend.messages(conversation)[: len(SAID)] == SAID, "the conversation is the business's too"
    assert play.types("conflicts", "list", "--all")["conflicts"] == []

    backend.ask("UsersApi.delete_user", play.ada)
    assert play.is_told("user:remove")["user"]["id"] == play.ada
    for reference in (play.ada, play.old, play.new):
        assert backend.user(reference) is None
    assert backend.try_to("MessagesApi.list_messages", conversation)[0] == 404
    verified = play.types("audit", "verify", "--expected", head)
    assert (verified["broken"], verified["entries"], verified["erasedDetails"]) == (None, 9, 8)
    kept = json.dumps(play.types("events", "replay"))
    for trace in (play.email, *SAID, "basket"):
        assert trace not in kept
    assert play.is_in_as(play.new, "phone") != play.ada, "she may come back, as somebody new"
    play.acme.secrets.assert_not_in(wait_for_log(play.acme.server))


def ask(acme: Acme, method: str, path: str, body: Any = None) -> Reply:
    """A request to the admin API with the app's key."""
    return acme.send(method, f"/admin/v1/apps/{acme.app_id}{path}", body, acme.as_backend)


def as_visitor(visitor: str, session: str) -> str:
    return f"Basic {base64.b64encode(f'{visitor}:{session}'.encode()).decode()}"


def body_signed(acme: Acme, call: Received) -> str:
    """The digest that the JWT in FusionAuth's header vouches for, by the app's published key."""
    token = call.headers["x-fusionauth-signature-jwt"]
    published = acme.send("GET", f"/.well-known/jwks.json?app={acme.app_id}").json
    [key] = [
        one for one in jwt.PyJWKSet.from_dict(published).keys if one.key_id == jwt.get_unverified_header(token)["kid"]
    ]
    digest: str = jwt.decode(token, key, algorithms=["ES256"])["request_body_sha256"]
    return digest


def assert_foreseen(preview: Any, **parties: dict[str, Any] | None) -> None:
    """The preview has counted what each of these users has; None is somebody who is no user yet."""
    shown = {one["role"]: one for one in preview["parties"]}
    assert shown.keys() == parties.keys()
    for role, had in parties.items():
        counted = {name: shown[role][name] for name in ("userId", "conversations", "messages", "devices", "clients")}
        assert counted == {
            "userId": had["user"]["id"] if had else None,
            "conversations": len(had["said"]) if had else 0,
            "messages": sum(len(texts) for texts in had["said"].values()) if had else 0,
            "devices": len(had["devices"]) if had else 0,
            "clients": len(had["clients"]) if had else 0,
        }


@pytest.fixture
def receives() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def acme(database_url: str) -> Iterator[Acme]:
    with server_on(database_url, **PRIVATE_TOO) as server:
        yield open_shop(server).new_app()


@pytest.fixture
def stage(acme: Acme, receives: Receiver) -> Iterator[Play]:
    """Each database with another version of the client."""
    version = "17.0.1" if acme.server.database.startswith("sqlite") else "16.0.1"
    with backend_of(acme, version) as backend:
        yield Play(acme, backend, receives)


def test_a_plan_that_the_world_has_overtaken_is_refused(acme: Acme) -> None:
    email, old, new = new_email(), new_external_id(), new_external_id()
    acme.log_in(acme.token(old, email), "phone")
    acme.log_in(acme.token(new, email), "tablet")
    [case] = ask(acme, "GET", "/conflicts").json["conflicts"]
    plan = ask(acme, "POST", "/plans", {"kind": "resolve", "conflictId": case["id"], "action": "move"}).json["plan"]
    acme.log_in(acme.token(old, name="Ada"), "phone")
    late = ask(acme, "POST", f"/plans/{plan['id']}/execute", {"reason": PERSON})
    assert (late.status, late.json["error"]["code"]) == (409, "plan_stale")
    assert ask(acme, "POST", f"/plans/{plan['id']}/execute", {}).json["error"]["code"] == "reason_required"


def test_another_apps_key_sees_nothing(acme: Acme) -> None:
    other = open_shop(acme.server).new_app("Another")
    email = new_email()
    acme.log_in(acme.token(new_external_id(), email))
    acme.log_in(acme.token(new_external_id(), email))
    case = ask(acme, "GET", "/conflicts").json["conflicts"][0]["id"]
    for path in ("/conflicts", f"/conflicts/{case}", "/audit", "/policy"):
        reply = acme.send("GET", f"/admin/v1/apps/{acme.app_id}{path}", None, other.as_backend)
        assert reply.status == 403
    assert ask(other, "GET", f"/conflicts/{case}").status == 404
    user_token = f"Bearer {acme.token('5678')}"
    assert acme.send("GET", f"/admin/v1/apps/{acme.app_id}/conflicts", None, user_token).status == 403
