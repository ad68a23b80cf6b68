"""Whatever is sent to an operation, its answer is one that the vendor's description has, or a trap that is named here.

Requests are generated from the description, valid and broken ones, and sent to a real server with keys of every scope
that may call, by Basic and by Bearer. The same ones come on every run.
"""

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pytest
import requests
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import content_type_conformance, response_schema_conformance

from tests.contract.operations import NO_SPEC, NOT_IMPLEMENTED, OPERATIONS, SPEC, Operation
from tests.e2e.acme import Shop, command, open_shop, server_on, wait_for_log
from tests.e2e.furnished import Furnished, furnish

pytestmark = pytest.mark.skipif(not SPEC.exists(), reason=NO_SPEC)

VALID_EXAMPLES: Final = 30
BROKEN_EXAMPLES: Final = 10

# What the description leaves out and the facts on this API have; each is an error in the vendor's shape.
EVERYWHERE: Final = {
    400: "malformed input; the description shows it for a few operations, the vendor's table of statuses for all",
    403: "good credentials without access, as with another app than the key's",
    404: "an id in the path that nothing has; shown for most operations, and true of all",
    413: "a body larger than 100 kB",
}
SOMEWHERE: Final = {
    ("RevokeAccess", 401): "the credentials end with the access that they gave back",
}
CODES: Final = {
    400: {
        "bad_request",
        "too_many_switchboard_integrations",
        "switchboard_invalid_target",
        "switchboard_invalid_action",
    },
    401: {"invalid_auth"},
    402: {"payment_required"},
    403: {"forbidden"},
    404: {
        "not_found",
        "app_not_found",
        "user_not_found",
        "conversation_not_found",
        "client_not_found",
        "device_not_found",
        "integration_not_found",
        "switchboard_not_found",
        "switchboard_integration_not_found",
    },
    409: {"conflict"},
    413: {"payload_too_large"},
    423: {"locked"},
    501: {"not_implemented"},
}
OAUTH: Final = {
    ("Authorize", 200): "the page that asks for a key: there is no other place where an operator could sign in",
    ("Authorize", 302): "a redirect without a body, which would only repeat the address",
    ("Authorize", 400): "the page that says what is wrong, where the address to redirect to is not the program's",
    ("GetToken", 400): "the errors of RFC 6749, section 5.2",
    ("GetToken", 401): "the errors of RFC 6749, section 5.2",
}

UNDONE: Final = {
    "GetToken": "nobody can make up a code",
}

NOTHING_TO_BREAK: Final = {"GetTokenInfo"}
"""What takes neither parameters nor a body."""

seen: Counter[tuple[str, int]] = Counter()


def repaired() -> dict[str, Any]:
    """The description without what keeps a tool from reading it as it is meant."""
    document: dict[str, Any] = yaml.load(SPEC.read_text(), Loader=yaml.CSafeLoader)
    schemas = document["components"]["schemas"]
    document["servers"] = []  # one has a variable that is not declared
    email_filter = document["components"]["parameters"]["userFilterQuery"]["schema"]
    del email_filter["properties"]["identities.email"]["required"]  # a boolean on a property, where a list belongs
    email_filter["required"] = ["identities.email"]
    # Which schema applies is said by a discriminator alone, so that values are valid under several of `oneOf`.
    for schema in schemas.values():
        for value, reference in schema.get("discriminator", {}).get("mapping", {}).items():
            pin(schemas[reference.rpartition("/")[2]], schema["discriminator"]["propertyName"], value)
    any_type = {
        "anyOf": [{"$ref": reference} for reference in schemas["integration"]["discriminator"]["mapping"].values()]
    }
    create = document["paths"]["/v2/apps/{appId}/integrations"]["post"]
    create["requestBody"]["content"]["application/json"]["schema"] = any_type
    schemas["integrationResponse"]["properties"]["integration"] = any_type
    schemas["integrationListResponse"]["properties"]["integrations"]["items"] = any_type
    return any_of(document)


def pin(schema: dict[str, Any], name: str, value: str) -> None:
    """Let the property be this value and no other."""
    if name in schema.get("properties", {}):
        schema["properties"][name]["enum"] = [value]
    for part in schema.get("allOf", []):
        pin(part, name, value)


def any_of(node: Any) -> Any:
    """The same with `anyOf` for every `oneOf`."""
    if isinstance(node, list):
        return [any_of(item) for item in node]
    if isinstance(node, dict):
        return {"anyOf" if name == "oneOf" else name: any_of(value) for name, value in node.items()}
    return node


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """The operations of the description by their ids."""
    schema = schemathesis.openapi.from_dict(repaired())
    results: list[Any] = list(schema.get_all_operations())
    found = [result.ok() for result in results]
    return {operation.definition.raw["operationId"]: operation for operation in found}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with server_on(f"sqlite:///{tmp_path_factory.mktemp('schemathesis') / 'knownas.db'}") as server:
        yield open_shop(server)
        assert "Traceback" not in wait_for_log(server)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.id)
def test_every_answer_is_in_the_description(operation: Operation, described: dict[str, Any], shop: Shop) -> None:
    app = furnish(shop)
    prepare(operation, app)
    for mode, examples in ((GenerationMode.POSITIVE, VALID_EXAMPLES), (GenerationMode.NEGATIVE, BROKEN_EXAMPLES)):
        if mode is GenerationMode.NEGATIVE and operation.id in NOTHING_TO_BREAK:
            continue
        ask(operation, described[operation.id].as_strategy(generation_mode=mode), examples, app)


def ask(operation: Operation, cases: st.SearchStrategy[Case], examples: int, app: Furnished) -> None:
    """Send this many of the cases, and judge their answers."""
    scopes = "AI" if operation.id == "GetTokenInfo" else operation.scopes
    authorizations = app.authorizations(scopes) or [("", "")]
    session, turns = requests.Session(), itertools.count()

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, caller=st.integers(0, len(authorizations) - 1), real=st.integers(0, 7))
    def ask_one(case: Case, caller: int, real: int) -> None:
        letter, authorization = authorizations[caller]
        turn = next(turns) % 4
        if turn % 2:  # chance alone, which changes with the code, may leave an operation undone
            real = 7 if turn == 1 else 5
        furnish_case(operation, case, app, letter, real)
        response = case.call(
            base_url=app.acme.server.url,
            session=session,
            headers={"authorization": authorization} if authorization else {},
            allow_redirects=False,
        )
        judge(operation, case, response)

    ask_one()


def test_every_operation_has_also_done_its_work() -> None:
    """Or else only refusals were looked at."""
    if {id for id, _ in seen} != {operation.id for operation in OPERATIONS}:
        pytest.skip("not all of the operations were asked")
    undone = {operation.id for operation in OPERATIONS if not seen[operation.id, operation.ok]}
    in_vain = (SOMEWHERE.keys() | OAUTH.keys()) - seen.keys()
    assert not in_vain, "traps that nothing falls into any more"
    assert undone == UNDONE.keys() | NOT_IMPLEMENTED.keys()


def prepare(operation: Operation, app: Furnished) -> None:
    """What this operation needs to be able to do its work."""
    if operation.id.endswith("CustomIntegrationKey"):
        app.ids["keyId"] = app.others["integrationKey"]
    elif operation.id in ("JoinConversation", "LeaveConversation"):
        app.ids["conversationId"] = app.others["group"]
        if operation.id == "LeaveConversation":
            app.values["userExternalId"] = "ada"
    elif operation.id == "CreateSwitchboard":
        assert app.acme.v2("DELETE", f"/switchboards/{app.ids['switchboardId']}").status == 200
    elif operation.id == "CreateSwitchboardIntegration":
        app.values |= {"name": "another", "integrationId": app.ids["integrationId"]}
    elif operation.id == "DeleteSwitchboardIntegration":
        app.ids["switchboardIntegrationId"] = app.others["spare"]
    elif operation.id == "AcceptControl":
        offered = {"switchboardIntegration": "spare"}
        path = f"/conversations/{app.ids['conversationId']}/offerControl"
        assert app.acme.v2("POST", path, offered).status == 200
    elif operation.id == "Authorize":
        redirect = ["--redirect-uri", "https://partner.example.org/back"]
        made = command("oauth", "register", "Partner", *redirect, database=app.acme.server.database)
        app.values["client_id"] = made["client"]["id"]
    elif operation.id == "DeleteAttachment":
        app.values["mediaUrl"] = app.upload()


def furnish_case(operation: Operation, case: Case, app: Furnished, letter: str, real: int) -> None:
    """Put what exists where something made up would only be refused; `real` says in which places (three bits)."""
    path, query = case.path_parameters, case.query
    for name in path:
        # Few of the made-up bodies are a client's, so none of them is spent on a user who is not there.
        if name == "appId" or real & 3 or operation.id == "CreateClient":
            path[name] = app.ids[name]
    if "integrationId" in path and letter == "I":
        path["integrationId"] = "me"
    if real & 4:
        case.body = with_real_values(case.body, app.values)
        if operation.id == "CreateClient" and isinstance(case.body, dict) and "matchCriteria" in case.body:
            # Of all that is made up for it hardly anything fits together.
            twilio = with_real_values({"integrationId": "", "phoneNumber": "", "primary": True}, app.values)
            case.body |= {"matchCriteria": twilio | {"type": "twilio"}, "confirmation": {"type": "immediate"}}
            case.body["target"] = {"conversationId": app.ids["conversationId"]}
            query.pop("brandId", None)
        if operation.id == "LeaveConversation" and real & 2:
            case.body = {"userExternalId": app.values["userExternalId"]}  # of three ways to say who, one that is hers
    if real & 1 and operation.id == "ListConversations":
        for name in [name for name in query if name.startswith("filter")]:
            del query[name]
        query["filter[userExternalId]"] = "ada"
    if real & 1 and operation.id == "Authorize":
        query["client_id"] = app.values["client_id"]
        if real & 2:
            query["response_type"] = "code"
            query.pop("redirect_uri", None)
    if real & 1 and operation.id == "UploadAttachment":
        query |= {"access": "public", "for": "message", "conversationId": app.ids["conversationId"]}


def with_real_values(body: Any, values: dict[str, Any]) -> Any:
    """The body with values that exist, by the names of its properties."""
    if isinstance(body, list):
        return [with_real_values(item, values) for item in body]
    if isinstance(body, dict):
        return {
            name: values.get(name, value) if isinstance(value, str | list) else with_real_values(value, values)
            for name, value in body.items()
        }
    return body


def judge(operation: Operation, case: Case, response: Any) -> None:
    """Fail unless this answer is one of the description, or a trap."""
    status = response.status_code
    seen[operation.id, status] += 1
    said = f"{operation.id} {status} {response.content[:500]!r}\n{case.as_curl_command()}"
    assert status < 500 or (status == 501 and operation.id in NOT_IMPLEMENTED), said
    if (operation.id, status) in OAUTH:
        return
    documented = str(status) in case.operation.definition.raw["responses"]
    if documented:
        case.validate_response(response, checks=[content_type_conformance, response_schema_conformance])
    else:
        assert status in EVERYWHERE or (operation.id, status) in SOMEWHERE or status == 501, said
    if status >= 400:
        errors = json.loads(response.content)["errors"]
        assert errors, said
        for error in errors:
            assert error["code"] in CODES[status], said
            assert error["title"], said
