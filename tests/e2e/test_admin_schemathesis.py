"""The admin API and its description say the same: no answer that is not declared, none declared that there is not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.parameters import ParameterLocation

from knownas.http import admin
from tests.e2e.acme import Acme, Shop, basic, bearer, new_email, new_external_id, wait_for_log

DESCRIPTION: dict[str, Any] = json.loads((Path(admin.__file__).parent / "openapi.json").read_text())
PATHS = [(path, method) for path, methods in DESCRIPTION["paths"].items() for method in methods]
NOBODY = {"app": "0" * 24, "user": "nobody"}
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = {
    "sqlite": {GenerationMode.POSITIVE: 15, GenerationMode.NEGATIVE: 10},
    "postgres": {GenerationMode.POSITIVE: 6, GenerationMode.NEGATIVE: 4},
}


class World:
    """An app with a conflict, a merge, a webhook and a receipt, so that some of what is asked for is there."""

    def __init__(self, acme: Acme, other: Acme) -> None:
        self.acme = acme
        self.other = other
        self.ids = {"app": acme.app_id}
        owner, claimant, twin, email = *(new_external_id() for _ in range(3)), new_email()
        acme.log_in(acme.token(owner, email), owner)
        acme.log_in(acme.token(twin), twin)
        assert acme.log_in(acme.token(claimant, email), claimant).status == 409
        self.ids["user"] = owner
        self.ids["conflict"] = self.admin("GET", "/conflicts", None)["conflicts"][0]["id"]
        erased = new_external_id()
        acme.log_in(acme.token(erased), erased)
        plan = self.admin("POST", "/plans", {"kind": "erase", "user": erased})["plan"]["id"]
        done = self.admin("POST", f"/plans/{plan}/execute", {"reason": "asked"})["done"]
        self.ids["erasure"] = done["receipt"]["id"]
        hook = {"url": "https://example.org/", "eventsEnabled": ["user.loginId.duplicate.create"]}
        self.ids["webhook"] = self.admin("POST", "/webhooks", hook)["webhook"]["id"]
        merge = {"kind": "merge", "surviving": owner, "discarded": twin}
        self.ids["plan"] = self.admin("POST", "/plans", merge)["plan"]["id"]

    def stale_plan(self) -> str:
        """A plan about somebody who has changed since."""
        user = new_external_id()
        self.acme.log_in(self.acme.token(user), user)
        plan: str = self.admin("POST", "/plans", {"kind": "delete", "user": user})["plan"]["id"]
        self.acme.v2("PATCH", f"/users/{user}", {"profile": {"givenName": "Ada"}})
        return plan

    def admin(self, method: str, path: str, body: Any) -> Any:
        reply = self.acme.send(method, f"/admin/v1/apps/{self.acme.app_id}{path}", body, self.acme.as_backend)
        assert reply.status in (200, 201), reply.body
        return reply.json


@pytest.fixture(scope="module")
def world(shop: Shop) -> Iterator[World]:
    yield World(shop.new_app(), shop.new_app("Another"))
    assert "Traceback" not in wait_for_log(shop.server)


def tight(schema: Any) -> Any:
    """The same description, in which an object has no member that is not described; clients have to expect new ones."""
    if isinstance(schema, list):
        return [tight(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    whole = {name: tight(value) for name, value in schema.items()}
    if whole.get("type") == "object" and "properties" in whole:
        whole.setdefault("additionalProperties", False)
    return whole


@pytest.fixture(scope="module")
def described() -> dict[tuple[str, str], Any]:
    schema = schemathesis.openapi.from_dict(tight(DESCRIPTION))
    results: list[Any] = list(schema.get_all_operations())
    return {(found.path, found.method): found for found in (result.ok() for result in results)}


def test_the_description_has_every_route_and_no_other() -> None:
    routes = {(path, method.lower()) for method, path, _ in admin.FACADE.routes} - {("/openapi.json", "get")}
    assert routes == set(PATHS)


def test_the_description_is_served_to_everybody(world: World) -> None:
    reply = world.acme.send("GET", "/admin/v1/openapi.json")
    assert (reply.status, reply.json) == (200, DESCRIPTION)


def is_wrong(case: Case) -> bool:
    """Whether the query or the body is against the description, as it is sent: there a list of one is its value."""
    assert case.meta is not None
    wrong = {location for location, made in case.meta.components.items() if made.mode.is_negative}
    lists = [value for value in (case.query or {}).values() if isinstance(value, list)]
    return bool(wrong & {ParameterLocation.QUERY, ParameterLocation.BODY}) and not lists


@pytest.mark.parametrize(("path", "method"), PATHS)
def test_every_answer_is_in_the_description(
    path: str, method: str, world: World, described: dict[tuple[str, str], Any]
) -> None:
    session = requests.Session()
    statuses = set()
    engine = "sqlite" if world.acme.server.database.startswith("sqlite") else "postgres"
    for mode, examples in EXAMPLES[engine].items():

        @settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=described[path, method].as_strategy(generation_mode=mode), real=st.integers(0, 3))
        def ask(case: Case, real: int) -> None:
            case.path_parameters |= {
                name: world.ids[name] for name in case.path_parameters if real or name == "app" if name in world.ids
            }
            response = case.call(
                base_url=world.acme.server.url + "/admin/v1",
                session=session,
                headers={"authorization": world.acme.as_backend if real else world.acme.as_account},
            )
            statuses.add(response.status_code)
            case.validate_response(response, checks=CHECKS)

        ask()
    assert statuses, "nothing was asked"
    assert all(status < 500 for status in statuses)


@pytest.mark.parametrize(("path", "method"), PATHS)
def test_a_refusal_is_declared_exactly_where_it_can_be_had(path: str, method: str, world: World) -> None:
    acme = world.acme
    declared = declared_codes(DESCRIPTION["paths"][path][method]["responses"])
    nouns = [part[1:-1] for part in path.split("/") if part.startswith("{")]

    def ask(who: str | None = acme.as_backend, body: Any = None, query: str = "", **ids: str) -> None:
        place = path.format(**(world.ids | ids)) + query
        reply = acme.send(method.upper(), f"/admin/v1{place}", body, who)
        if reply.status >= 400:
            status, code, _ = reply.error
            assert code in declared[str(status)], reply.body
            had.add(str(status))

    had: set[str] = set()
    ask(None)
    ask(basic(acme.key.id, "wrong"))
    ask(bearer(acme.token(world.ids["user"])))
    ask(world.other.as_backend)
    for noun in nouns:
        ask(acme.as_account, b"{}", **{noun: NOBODY.get(noun, "f" * 24)})
    ask(query="?nonsense=1")
    if method != "delete":  # the rest might be done, and what is deleted is gone for the next test
        ask(body=b'{"nonsense": 1}')
        ask(body=b'"' + b"x" * 200_000 + b'"')
    if path.endswith("/plans"):
        ask(body={"kind": "undo", "actId": "f" * 24})
        ask(body={"kind": "merge", "surviving": world.ids["user"], "discarded": world.ids["user"]})
    if path.endswith("/execute"):
        ask(body={"reason": " "})
        ask(body={"reason": "asked"}, plan=world.stale_plan())
    assert had == {status for status in declared if status[0] == "4"}


def declared_codes(responses: Any) -> dict[str, list[str]]:
    """The codes of errors that an operation's description names, by status."""
    codes = {}
    for status, response in responses.items():
        if "$ref" in response:
            response = DESCRIPTION["components"]["responses"][response["$ref"].rpartition("/")[2]]
        if status[0] != "2":
            _, narrowed = response["content"]["application/json"]["schema"]["allOf"]
            codes[status] = narrowed["properties"]["error"]["properties"]["code"]["enum"]
    return codes
