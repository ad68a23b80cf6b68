"""The published schemas of FusionAuth's events, as validators that also refuse what the schemas do not name."""

from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker

SPEC: Final = Path(__file__).resolve().parents[3] / "shared" / "spec" / "fusionauth.yaml"
_EVENTS: Final = {
    "user.loginId.duplicate.create": "UserLoginIdDuplicateOnCreateEvent",
    "user.loginId.duplicate.update": "UserLoginIdDuplicateOnUpdateEvent",
}
# Where the file is known to differ from the wire (facts on FusionAuth, section 9).
_INSTEAD: Final[dict[str, dict[str, Any]]] = {
    "IdentityType": {"enum": ["email", "phoneNumber", "username"]},
    "EventType": {"enum": list(_EVENTS)},
    "ZonedDateTime": {"type": "integer"},
}


@cache
def _schemas() -> dict[str, Any]:
    if not SPEC.exists():
        pytest.skip("the published description fusionauth.yaml is not here (../shared/spec): nothing to compare with")
    schemas: dict[str, Any] = yaml.safe_load(SPEC.read_text())["components"]["schemas"]
    return schemas


@cache
def validator_of(type: str) -> Draft202012Validator:
    """For a whole body, `{"event": {...}}`. Skips the test where the description is not here.

    The description has an event's own members and those of all events apart, and no `linkedObjectId`. Of the update it
    has no `user`, which the class inherits.
    """
    base, own = _strict("BaseEvent"), _strict(_EVENTS[type])
    user = _strict("UserLoginIdDuplicateOnCreateEvent")["properties"]["user"]
    properties = {**base["properties"], "user": user, **own["properties"], "linkedObjectId": {"format": "uuid"}}
    required = ["id", "type", "createInstant", "tenantId", "info", "existing", "user", "linkedObjectId"]
    event = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    body = {"type": "object", "properties": {"event": event}, "required": ["event"], "additionalProperties": False}
    return Draft202012Validator(body, format_checker=FormatChecker(["uuid"]))


def _strict(name: str) -> dict[str, Any]:
    return _INSTEAD.get(name) or _closed(_schemas()[name])


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """An OpenAPI schema whose objects may have no other members than those that it names; free objects stay free."""
    if "$ref" in schema:
        return _strict(schema["$ref"].rpartition("/")[2])
    made: dict[str, Any] = {key: schema[key] for key in ("type", "enum", "format") if key in schema}
    if "properties" in schema:
        made["properties"] = {name: _closed(one) for name, one in schema["properties"].items()}
        made["additionalProperties"] = False
    if "items" in schema:
        made["items"] = _closed(schema["items"])
    return made
