"""Everything that settles who is who, at once: logins, contested ones, operators who resolve, merge and take back.

The callers go on whether there is a server or not, and remember what they were promised.
"""

import http.client
import itertools
import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.acme import Acme, Reply, bearer, new_email, new_external_id, new_guid

RECENT = 12  # whom acts are about: few enough to meet, and to be about the same users at the same time
EXPECTED = {
    "visit": {201: ""},
    "conversation": {201: ""},
    "message": {201: ""},
    "login": {200: "", 409: "conflict"},
    "conflicts": {200: ""},
    "plan": {201: "", 409: "cannot_resolve cannot_undo"},
    "execute": {200: "", 409: "plan_stale cannot_resolve cannot_undo", 404: "plan_not_found"},
}
"""What each request may come to, and the codes of those refusals that a race explains."""


@dataclass(frozen=True)
class Person:
    """Somebody who has signed in."""

    external_id: str
    email: str
    user_id: str


@dataclass
class Memory:
    """What all callers know together. Lists and counters only grow, and a reader takes what there is."""

    people: list[Person] = field(default_factory=list)
    claims: list[tuple[str, str]] = field(default_factory=list)
    """E-mail and external id of those who ask for what is another's."""
    conversations: list[str] = field(default_factory=list)
    acts: list[str] = field(default_factory=list)
    replies: int = 0
    acts_begun: int = 0
    """How often somebody has asked for a plan to be carried out."""
    answered: Counter[str] = field(default_factory=Counter)
    """What was done, by what it is."""
    tried: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Logins by e-mail and external id, answered or not."""
    contested: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Those that were answered 409."""
    done: dict[str, Any] = field(default_factory=dict)
    """What was answered to plans that were carried out, by their reason, which each has alone."""
    used: set[str] = field(default_factory=set)
    """Reasons of plans that were gone when they were asked for again, since the first time was not answered."""
    refused: set[str] = field(default_factory=set)
    """Reasons of plans that were never carried out, as the answer says."""
    unexpected: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)


class Caller:
    """One who sends one request after the other, on one connection for as long as there is somebody at its end."""

    def __init__(self, acme: Acme, memory: Memory, enough: threading.Event, seed: str) -> None:
        self.acme = acme
        self.memory = memory
        self.enough = enough
        self.dice = random.Random(seed)
        self._connection = http.client.HTTPConnection("127.0.0.1", acme.server.port, timeout=10)

    def again_and_again(self, act: Callable[["Caller"], None]) -> None:
        while not self.enough.is_set():
            act(self)
            self.enough.wait(0.002)
        self._connection.close()

    def ask(
        self, what: str, method: str, path: str, body: Any = None, authorization: str | None = None
    ) -> Reply | None:
        """The answer, None when there was none. One that nothing explains is remembered as such."""
        headers = {"content-type": "application/json"} | ({"authorization": authorization} if authorization else {})
        try:
            self._connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = self._connection.getresponse()
            reply = Reply(answer.status, answer.headers, answer.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._connection.port = self.acme.server.port
            self.enough.wait(0.01)
            return None
        with self.memory.lock:
            self.memory.replies += 1
        codes = EXPECTED[what].get(reply.status)
        if codes is None or (codes and reply.error[1] not in codes.split()):
            self.memory.unexpected.append(f"{what}: {reply.status} {reply.body.decode()}")
        return reply

    def insist(self, what: str, method: str, path: str, body: Any = None, authorization: str | None = None) -> Any:
        """Ask until somebody answers; the JSON of what was made, None where nothing was."""
        while not self.enough.is_set():
            reply = self.ask(what, method, path, body, authorization)
            if reply is not None:
                return reply.json if reply.status in (200, 201) else None
        return None

    def admin(self, what: str, method: str, path: str, body: Any = None) -> Reply | None:
        return self.ask(what, method, f"/admin/v1/apps/{self.acme.app_id}{path}", body, self.acme.as_backend)

    def count(self, what: str) -> None:
        with self.memory.lock:
            self.memory.answered[what] += 1

    def somebody(self) -> Person | None:
        people = self.memory.people[-RECENT:]
        return self.dice.choice(people) if people else None

    def carry_out(self, request: dict[str, str]) -> Reply | None:
        """Make a plan and carry it out, asking again for as long as nobody answers; the last answer."""
        made = self.admin("plan", "POST", "/plans", request)
        if made is None or made.status != 201:
            return made
        path, reason = f"/plans/{made.json['plan']['id']}/execute", f"ticket {next(self.memory.numbers)}"
        reply, asked = None, 0
        while reply is None and not self.enough.is_set():
            with self.memory.lock:
                self.memory.acts_begun += 1
            reply, asked = self.admin("execute", "POST", path, {"reason": reason}), asked + 1
        if reply is None:
            return None
        if reply.status == 200:
            self._remember(request, reason, reply.json["done"])
        elif reply.status == 404:
            self.memory.used.add(reason)
            if asked == 1:
                self.memory.unexpected.append(f"a plan of one's own is gone: {request}")
        else:
            self.memory.refused.add(reason)
        return reply

    def _remember(self, request: dict[str, str], reason: str, done: Any) -> None:
        self.memory.done[reason] = done
        if request["kind"] != "undo":
            self.memory.acts.append(done["resolution"]["id"] if done["resolution"] else done["mergeId"])
        self.count(" ".join(filter(None, (request["kind"], request.get("action")))))


def sign_in(caller: Caller) -> None:
    """A customer: a new one, one who chatted before, or one who comes back."""
    known = caller.somebody() if caller.dice.random() < 0.7 else None
    person = known or Person(new_external_id(), new_email(), "")
    visitor = _visitor(caller) if caller.dice.random() < 0.5 else None
    what = f"{'known' if known else 'first'}{' after a visit' if visitor else ''}"
    user_id = _log_in(caller, person.external_id, person.email, visitor)
    if user_id is None:
        return
    caller.count(what)
    if known is None:
        if visitor is None:
            _talk(caller, user_id)
        caller.memory.people.append(Person(person.external_id, person.email, user_id))


def contest(caller: Caller) -> None:
    """Somebody claims what is another's: as a stranger, as a customer, or for the second time."""
    owner, roll = caller.somebody(), caller.dice.random()
    if owner is None:
        return
    claims = caller.memory.claims[-RECENT:]
    if roll < 0.5 and claims:
        email, claimant = caller.dice.choice(claims)
    else:
        other = caller.somebody() if roll < 0.7 else None
        email, claimant = owner.email, other.external_id if other else new_external_id()
        if claimant == owner.external_id:
            return
        caller.memory.claims.append((email, claimant))
    user_id = _log_in(caller, claimant, email, None)
    if user_id is not None:
        caller.count("settled claim")
        caller.memory.people.append(Person(claimant, email, user_id))


def resolve(caller: Caller) -> None:
    """An operator settles an open case in one of the ways there are, or dismisses it where that cannot be done."""
    reply = caller.admin("conflicts", "GET", "/conflicts?state=open&limit=20")
    cases = reply.json["conflicts"] if reply and reply.status == 200 else []
    if not cases:
        return
    request = {"kind": "resolve", "conflictId": caller.dice.choice(cases)["id"]}
    done = caller.carry_out({**request, "action": caller.dice.choice(["reassign", "move", "merge"])})
    if done is not None and done.status == 409 and done.error[1] == "cannot_resolve" and caller.dice.random() < 0.5:
        caller.carry_out({**request, "action": "dismiss"})


def merge(caller: Caller) -> None:
    surviving, discarded = caller.somebody(), caller.somebody()
    if surviving is not None and discarded is not None:
        caller.carry_out({"kind": "merge", "surviving": surviving.user_id, "discarded": discarded.user_id})


def undo(caller: Caller) -> None:
    acts = caller.memory.acts[-3 * RECENT :]
    if acts:
        caller.carry_out({"kind": "undo", "actId": caller.dice.choice(acts)})


def write(caller: Caller) -> None:
    """The business writes, to whatever id it knows a conversation by."""
    conversations = caller.memory.conversations[-RECENT:]
    if conversations:
        _say(caller, caller.dice.choice(conversations))


ACTS: tuple[Callable[[Caller], None], ...] = (sign_in, sign_in, contest, contest, resolve, resolve, merge, undo, write)
"""Each on a connection of its own. Two do most of what can collide."""


def _visitor(caller: Caller) -> tuple[str, str] | None:
    """Somebody nobody knows, half of the time with a history."""
    made = caller.insist("visit", "POST", f"/sdk/v2/apps/{caller.acme.app_id}/appusers", {})
    if made is None:
        return None
    user_id = made["appUser"]["_id"]
    if caller.dice.random() < 0.5:
        _talk(caller, user_id)
    return user_id, made["sessionToken"]


def _log_in(caller: Caller, external_id: str, email: str, visitor: tuple[str, str] | None) -> str | None:
    """Ask until somebody answers: the same login sent twice has the effect of one (R6). The user's id if she got in."""
    memory = caller.memory
    body: dict[str, Any] = {"client": {"id": new_guid(), "platform": "web"}} if caller.dice.random() < 0.5 else {}
    if visitor is not None:
        body |= {"appUserId": visitor[0], "sessionToken": visitor[1]}
    token = caller.acme.key.sign(scope="user", external_id=external_id, email=email, email_verified=True)
    path, reply = f"/sdk/v2/apps/{caller.acme.app_id}/login", None
    while reply is None and not caller.enough.is_set():
        with memory.lock:
            memory.tried[email, external_id] += 1
        reply = caller.ask("login", "POST", path, body, bearer(token))
    if reply is not None and reply.status == 409:
        with memory.lock:
            memory.contested[email, external_id] += 1
            memory.answered["contested"] += 1
    return reply.json["appUser"]["_id"] if reply is not None and reply.status == 200 else None


def _talk(caller: Caller, user_id: str) -> None:
    """Open the conversation of a user who has none, and write in it."""
    path = f"/v2/apps/{caller.acme.app_id}/conversations"
    body = {"type": "personal", "participants": [{"userId": user_id}]}
    made = caller.ask("conversation", "POST", path, body, caller.acme.as_backend)
    if made is not None and made.status == 201:
        conversation = made.json["conversation"]["id"]
        _say(caller, conversation)
        caller.memory.conversations.append(conversation)


def _say(caller: Caller, conversation: str) -> None:
    path = f"/v2/apps/{caller.acme.app_id}/conversations/{conversation}/messages"
    said = {"author": {"type": "business"}, "content": {"type": "text", "text": "hello"}}
    if caller.insist("message", "POST", path, said, caller.acme.as_backend) is not None:
        caller.count("message")
