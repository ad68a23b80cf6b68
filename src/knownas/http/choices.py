"""Which values a place in a body may have, for whoever named another one."""

import re
from collections.abc import Hashable
from functools import lru_cache
from typing import Any, Final

from msgspec import inspect

_NAME: Final = re.compile(r"\[[^\]]*\]|[^.\[\]]+")
_INSIDE: Final = ("item_type", "value_type", "type")  # of lists, of objects with any names, of what has limits


def choices(shape: Hashable, where: str) -> tuple[str, ...]:
    """The texts that the member at `where` (`a.b[0].c`) of `shape` may be; empty where it is not one of a few. Pure."""
    nodes = [_info(shape)]
    for name in _NAME.findall(where):
        nodes = [inner for node in _flat(nodes) for inner in _step(node, name)]
    found: list[str] = []
    for node in _flat(nodes):
        if isinstance(node, inspect.LiteralType):
            found += [str(value) for value in node.values]
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=256)
def _info(shape: Hashable) -> Any:
    """Milliseconds for a large body, so once for each: whoever sends nonsense must not make us think long."""
    return inspect.type_info(shape)


def _step(node: Any, name: str) -> list[Any]:
    if not isinstance(node, inspect.StructType):
        return [getattr(node, inside) for inside in _INSIDE if hasattr(node, inside)]
    if name == node.tag_field:
        return [inspect.LiteralType((node.tag,))]
    return [field.type for field in node.fields if field.encode_name == name]


def _flat(nodes: list[Any]) -> list[Any]:
    """The alternatives, each on its own, without their limits."""
    flat: list[Any] = []
    waiting = list(nodes)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, inspect.UnionType):
            waiting += node.types
        elif isinstance(node, inspect.Metadata):
            waiting.append(node.type)
        else:
            flat.append(node)
    return flat
