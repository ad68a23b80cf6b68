"""Find the endpoint of a request by its path's segments, in time that does not grow with the number of routes.

Paths are taken apart before they are decoded, because an external id may hold an encoded slash.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Generic, TypeVar
from urllib.parse import unquote_to_bytes

from msgspec import Struct

T = TypeVar("T")
REMEMBERED: Final = 4096
REMEMBERED_BYTES: Final = 256
"""How many walks are remembered, and how long their paths may be: those that name an app and nothing in it, such as a
login's. Paths that name users are too many: remembering them helps a thousand users and hinders a million."""


class Found(Struct, Generic[T], frozen=True):
    """What a path leads to: an endpoint per method, and the decoded parameters in the order of the path.

    It is remembered, so it belongs to no single request.
    """

    methods: Mapping[str, T]
    params: Mapping[str, str]


class BadPath(ValueError):
    """The path cannot be text: it holds bytes that are not UTF-8, or control characters."""


class _Node(Generic[T]):
    __slots__ = ("fixed", "methods", "names", "variable")

    def __init__(self) -> None:
        self.fixed: dict[bytes, _Node[T]] = {}
        self.variable: _Node[T] | None = None
        self.methods: dict[str, T] = {}
        self.names: tuple[str, ...] = ()


class Router(Generic[T]):
    """Routes such as `/v2/apps/{app}/users/{user}`; a fixed segment is preferred to a variable one."""

    def __init__(self, routes: Iterable[tuple[str, str, T]]) -> None:
        self._root: _Node[T] = _Node()
        self._found: dict[bytes, Found[T]] = {}
        for method, path, endpoint in routes:
            self._add(method, path, endpoint)

    def find(self, raw_path: bytes) -> Found[T] | None:
        """The endpoints at a raw path, or None. Raises BadPath."""
        found = self._found.get(raw_path)
        if found is not None:
            return found
        values: list[bytes] = []
        node = self._walk(self._root, raw_path.split(b"/")[1:], 0, values)
        if node is None or not node.methods:
            return None
        found = Found(node.methods, dict(zip(node.names, map(_decode, values), strict=True)))
        if len(values) <= 1 and len(raw_path) <= REMEMBERED_BYTES:
            if len(self._found) >= REMEMBERED:
                self._found.clear()
            self._found[raw_path] = found
        return found

    def _walk(self, node: _Node[T], segments: list[bytes], at: int, values: list[bytes]) -> _Node[T] | None:
        """The node at the end of the segments; falls back on the variable branch where the fixed one ends blindly."""
        while at < len(segments):
            segment = segments[at]
            fixed = node.fixed.get(segment)
            if node.variable is None or not segment:
                if fixed is None:
                    return None
                node, at = fixed, at + 1
                continue
            if fixed is not None:
                kept = len(values)
                found = self._walk(fixed, segments, at + 1, values)
                if found is not None and found.methods:
                    return found
                del values[kept:]
            values.append(segment)
            node, at = node.variable, at + 1
        return node

    def _add(self, method: str, path: str, endpoint: T) -> None:
        node, names = self._root, []
        for segment in path.split("/")[1:]:
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.variable = node.variable or _Node()
                node = node.variable
            else:
                node = node.fixed.setdefault(segment.encode(), _Node())
        if method in node.methods:
            raise ValueError(f"two endpoints for {method} {path}")
        node.methods[method] = endpoint
        node.names = tuple(names)


def _decode(segment: bytes) -> str:
    try:
        text = (unquote_to_bytes(segment) if b"%" in segment else segment).decode("utf-8")
    except UnicodeDecodeError:
        raise BadPath("The path is not valid UTF-8") from None
    if not text.isprintable() and any(character < " " or character == "\x7f" for character in text):
        raise BadPath("The path contains control characters")
    return text
