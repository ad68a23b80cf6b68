"""docs/reference/compatibility.md says what is so: its operations, routes, triggers and refusals are the code's."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from knownas.http import oauth, sunshine_v2
from knownas.http.sunshine_v2 import webhook_events
from knownas.webhooks.triggers import TRIGGERS
from tests.contract.operations import NO_SPEC, NOT_IMPLEMENTED, OPERATIONS, SPEC
from tests.servers import ROOT

PAGE = (ROOT / "docs" / "reference" / "compatibility.md").read_text()


def section(title: str) -> str:
    """The text below this heading."""
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """The cells of the section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def shape(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def test_the_page_has_every_operation_once_and_in_the_vendors_order() -> None:
    told = [(row[0], row[1]) for row in rows("Operations")]
    assert told == [(one.id, f"`{one.method} {one.path}`") for one in OPERATIONS]


def test_every_operation_says_yes_or_what_differs() -> None:
    for name, _, here in rows("Operations"):
        assert here.startswith(("yes", "differs.", "**501**.")), name


def test_what_is_not_implemented_is_said_to_be() -> None:
    """In both places; that these answer 501, and nothing else does, is tested with the server (test_schemathesis)."""
    refused = [row[0] for row in rows("Operations") if row[2].startswith("**501**")]
    listed = re.findall(r"^- (\w+)$", section("Never 200 without the work"), re.MULTILINE)
    assert refused == listed == list(NOT_IMPLEMENTED)


def test_the_server_has_these_routes_and_no_others() -> None:
    """An addition of ours that the page does not name, and one that is gone, both fail here."""
    vendors = {(one.method, shape(one.path)) for one in OPERATIONS}
    own = {(call[1:-1].split()[0], shape(call[1:-1].split()[1])) for call, _ in rows("Our own additions")}
    assert not vendors & own
    for prefixes in (("/v2", "/oauth"), ("/sc/v2", "/sc/oauth")):
        served = {
            (method, shape(prefix.removeprefix("/sc") + path))
            for facade, prefix in zip((sunshine_v2.FACADE, oauth.FACADE), prefixes, strict=True)
            for method, path, _ in facade.routes
            if prefix in facade.prefixes
        }
        assert served == vendors | own


def test_the_page_has_every_trigger_that_a_webhook_may_ask_for() -> None:
    assert [row[0].strip("`") for row in rows("Webhook triggers")] == list(TRIGGERS)


@pytest.mark.skipif(not SPEC.exists(), reason=NO_SPEC)
def test_the_triggers_are_those_of_the_vendors_events() -> None:
    document: dict[str, Any] = yaml.load(SPEC.read_text(), Loader=yaml.CSafeLoader)
    [body] = document["x-webhooks"]["Webhook Event"]["post"]["requestBody"]["content"].values()
    references = [each["$ref"] for each in body["schema"]["properties"]["events"]["items"]["anyOf"]]
    titles = {document["components"]["schemas"][reference.rpartition("/")[2]]["title"] for reference in references}
    # The last is in the description's list of triggers, and has no schema.
    assert titles | {"passthrough:messaging"} == set(TRIGGERS)


def test_what_is_never_told_is_what_no_event_causes() -> None:
    never = {row[0].strip("`") for row in rows("Webhook triggers") if row[1].startswith("never")}
    assert {row[0].strip("`") for row in rows("Webhook triggers") if row[1].startswith("yes")} == set(TRIGGERS) - never
    user = SimpleNamespace(anonymous=False)
    shapes = [
        SimpleNamespace(author=user, type=type, action=action, first=True, user=user, created=True)
        for type in ("conversation:read", "typing:start")
        for action in ("acceptControl", "offerControl", "passControl")
    ]
    caused: set[str | None] = set()
    for trigger, _ in webhook_events._KNOWN.values():
        if isinstance(trigger, str):
            caused.add(trigger)
            continue
        for event in shapes:
            try:
                caused.add(trigger(event))
            except AttributeError:  # an event of another kind
                continue
    assert caused - {None} <= set(TRIGGERS)
    assert not caused & never
    assert set(TRIGGERS) - never <= caused | {"client:add", "user:update"}
