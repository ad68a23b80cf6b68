"""Whatever is sent to the admin API, its answer is one that its own description has: no 5xx, nothing undeclared."""

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
from schemathesis.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from knownas.http import admin
from tests.e2e.acme import Acme, new_email, new_external_id, open_shop, server_on, wait_for_log

DESCRIPTION: dict[str, Any] = json.loads((Path(admin.__file__).parent / "openapi.json").read_text())
PATHS = [(path, method) for path, methods in DESCRIPTION["paths"].items() for method in methods]
EXAMPLES = {GenerationMode.POSITIVE: 15, GenerationMode.NEGATIVE: 10}


class World:
    """An app with a conflict, a merge, a webhook and a receipt, so that some of what is asked for is there."""

    def __init__(self, acme: Acme) -> None:
        self.acme = acme
        self.ids = {"app": acme.app_id}
        owner, claimant, other, email = *(new_external_id() for _ in range(3)), new_email()
        acme.log_in(acme.token(owner, email), owner)
        acme.log_in(acme.token(other), other)
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
        merge = {"kind": "merge", "surviving": owner, "discarded": other}
        self.ids["plan"] = self.admin("POST", "/plans", merge)["plan"]["id"]

    def admin(self, method: str, path: str, body: Any) -> Any:
        reply = self.acme.send(method, f"/admin/v1/apps/{self.acme.app_id}{path}", body, self.acme.as_backend)
        assert reply.status in (200, 201), reply.body
        return reply.json


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with server_on(f"sqlite:///{tmp_path_factory.mktemp('admin') / 'knownas.db'}") as server:
        yield World(open_shop(server).new_app())
        assert "Traceback" not in wait_for_log(server)


@pytest.fixture(scope="module")
def described() -> dict[tuple[str, str], Any]:
    schema = schemathesis.openapi.from_dict(DESCRIPTION)
    results: list[Any] = list(schema.get_all_operations())
    return {(found.path, found.method): found for found in (result.ok() for result in results)}


def test_the_description_has_every_route_and_no_other() -> None:
    routes = {(path, method.lower()) for method, path, _ in admin.FACADE.routes} - {("/openapi.json", "get")}
    assert routes == set(PATHS)


def test_the_description_is_served_to_everybody(world: World) -> None:
    reply = world.acme.send("GET", "/admin/v1/openapi.json")
    assert (reply.status, reply.json) == (200, DESCRIPTION)


@pytest.mark.parametrize(("path", "method"), PATHS)
def test_every_answer_is_in_the_description(
    path: str, method: str, world: World, described: dict[tuple[str, str], Any]
) -> None:
    session = requests.Session()
    statuses = set()
    for mode, examples in EXAMPLES.items():

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
            case.validate_response(
                response, checks=[status_code_conformance, content_type_conformance, response_schema_conformance]
            )

        ask()
    assert statuses, "nothing was asked"
    assert all(status < 500 for status in statuses)
