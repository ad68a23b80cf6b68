"""Models of the official Python client from JSON, made with its constructors, as its users make them.

Its own `from_dict` is for answers: in 17.0.1 it fills in nulls that are then sent, and cannot choose among schemas
that differ in their properties alone.
"""

from collections.abc import Iterator
from typing import Any, get_args

import sunshine_conversations_client as sc

# 16.0.1 looks for a model named "dict" and so fails on any metadata, the vendor's own `{}` included. This mends that
# one name in it; everything else of the client is as published.
OLDER = sc.__version__.startswith("16.")
if OLDER:
    sc.model.dict = object


def model(name: str, given: dict[str, Any]) -> Any:
    """The model of this name."""
    if OLDER:
        return sc.ApiClient()._ApiClient__deserialize(given, name)
    return _build(getattr(sc, name), given)


def _build(cls: Any, given: dict[str, Any]) -> Any:
    if hasattr(cls, "get_discriminator_value"):
        cls = getattr(sc, cls.get_discriminator_value(given), cls)
    if cls.model_fields.keys() & {"one_of_schemas", "any_of_schemas"}:
        return cls(_build(_one_of(cls, given), given))
    return cls(
        **{
            name: _convert(field.annotation, given[field.alias or name])
            for name, field in cls.model_fields.items()
            if (field.alias or name) in given
        }
    )


def _one_of(cls: Any, given: dict[str, Any]) -> Any:
    """The schema that has all the properties and, where there is a type, its name; the shortest of them."""
    kind = str(given.get("type", "")).lower()
    schemas = cls.model_fields.get("one_of_schemas") or cls.model_fields["any_of_schemas"]
    candidates = [getattr(sc, name) for name in schemas.default]
    fitting = [
        candidate
        for candidate in candidates
        if given.keys() <= {field.alias or name for name, field in candidate.model_fields.items()}
        and kind in candidate.__name__.lower()
    ]
    return min(fitting, key=lambda candidate: len(candidate.__name__))


def _convert(annotation: Any, value: Any) -> Any:
    if isinstance(value, list):
        return [_convert(annotation, item) for item in value]
    models = [part for part in _flat(annotation) if hasattr(part, "model_fields")]
    return _build(models[0], value) if models and isinstance(value, dict) else value


def _flat(annotation: Any) -> Iterator[Any]:
    """The classes in an annotation such as Optional[List[Item]]."""
    parts = get_args(annotation)
    if not parts:
        yield annotation
    for part in parts:
        yield from _flat(part)


def inner(value: Any) -> Any:
    """What 17.0.1 wraps where one of several schemas applies, and 16.0.1 does not."""
    return getattr(value, "actual_instance", value)
