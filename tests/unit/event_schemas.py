"""The published schemas of webhook events, as validators that also refuse what the schemas do not name."""

from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from jsonschema import Draft202012Validator

SPEC: Final = Path(__file__).resolve().parents[3] / "shared" / "spec" / "sunshine-v2.yaml"
_KEPT: Final = (
    "type", "enum", "required", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "minimum", "maximum",
)  # fmt: skip


_ALSO: Final = {"authorWebhook": "author"}
"""The schema of an author forgets the name and picture that its own example has."""


@cache
def _schemas() -> dict[str, Any]:
    if not SPEC.exists():
        pytest.skip("the published description sunshine-v2.yaml is not here (../shared/spec): nothing to compare with")
    spec: dict[str, Any] = yaml.safe_load(SPEC.read_text())
    schemas: dict[str, Any] = spec["components"]["schemas"]
    return schemas


@cache
def validator_of(trigger: str, *, full_user: bool = False) -> Draft202012Validator:
    """For a whole event: id, type, createdAt, payload. Skips the test where the description is not here.

    With `full_user` a truncated user may be a full one, as the option's description has it of all events.
    """
    [found] = [schema for schema in _schemas().values() if schema.get("title") == trigger]
    strict = _strict(found, (), {"userTruncated": "user"} if full_user else {})
    strict["required"] = ["id", "type", "createdAt", "payload"]
    return Draft202012Validator(strict)


def _strict(schema: dict[str, Any], inside: tuple[str, ...], instead: dict[str, str]) -> dict[str, Any]:
    """An OpenAPI 3.0 schema as JSON Schema, its references followed; `{}` where it repeats itself.

    Objects that name their properties may have no others, `allOf` is made one object, and `nullable` a type.
    """
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if instead.get(name, name) not in inside:
            name = instead.get(name, name)
        if name in inside:
            return {}
        named = {"allOf": [_schemas()[name], _schemas()[_ALSO[name]]]} if name in _ALSO else _schemas()[name]
        return _strict(named, (*inside, name), instead)
    parts = [_strict(part, inside, instead) for part in schema.get("allOf", ())]
    if {} in parts:
        return {}
    made: dict[str, Any] = {}
    for part in parts:
        made |= {key: value for key, value in part.items() if key not in ("properties", "required")}
    made |= {key: schema[key] for key in _KEPT if key in schema}
    own = {name: _strict(value, inside, instead) for name, value in schema.get("properties", {}).items()}
    if properties := {name: one for part in parts for name, one in part.get("properties", {}).items()} | own:
        made |= {"properties": properties, "additionalProperties": False}
    if required := [*schema.get("required", ()), *(name for part in parts for name in part.get("required", ()))]:
        made["required"] = required
    if "items" in schema:
        made["items"] = _strict(schema["items"], inside, instead)
    if "oneOf" in schema:
        # The variants overlap but for the text in `type`, which stands beside them where it stands at all.
        chosen = schema.get("discriminator", {})
        if "mapping" in chosen:
            made["oneOf"] = [
                {
                    "properties": {chosen["propertyName"]: {"const": value}},
                    "allOf": [_strict({"$ref": to}, inside, instead)],
                }
                for value, to in chosen["mapping"].items()
            ]
        else:
            made["anyOf"] = [_strict(one, inside, instead) for one in schema["oneOf"]]
    if schema.get("nullable") and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    if schema.get("nullable") is False and isinstance(made.get("type"), list):
        made["type"] = made["type"][0]
    return made
