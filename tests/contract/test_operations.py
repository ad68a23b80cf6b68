"""The table of operations is the vendor's description, and the server has a route for each."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from knownas.http import oauth, sunshine_v2
from tests.contract.operations import NO_SPEC, OPERATIONS, SPEC, Operation

METHODS = ("get", "post", "put", "patch", "delete")
LETTERS = {"account": "C", "app": "A", "integration": "I"}


def described() -> Iterator[Operation]:
    """The operations of the description, in its order."""
    document: dict[str, Any] = yaml.load(SPEC.read_text(), Loader=yaml.CSafeLoader)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                named = {scope for scheme in operation["security"] for scopes in scheme.values() for scope in scopes}
                [ok] = [int(status) for status in operation["responses"] if status[0] in "23"]
                letters = "".join(letter for scope, letter in LETTERS.items() if scope in named)
                yield Operation(operation["operationId"], method.upper(), path, letters, ok)


@pytest.mark.skipif(not SPEC.exists(), reason=NO_SPEC)
def test_the_table_is_the_vendors_description() -> None:
    assert list(described()) == list(OPERATIONS)


def test_there_are_68_operations_and_no_two_are_one() -> None:
    assert len(OPERATIONS) == len({one.id for one in OPERATIONS}) == len({(o.method, o.path) for o in OPERATIONS}) == 68


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.id)
def test_each_operation_has_a_route_with_and_without_the_prefix(operation: Operation) -> None:
    facade = oauth.FACADE if operation.path.startswith("/oauth") else sunshine_v2.FACADE
    routes = {(method, _shape(prefix + path)) for method, path, _ in facade.routes for prefix in facade.prefixes}
    for prefix in ("", "/sc"):
        assert (operation.method, _shape(prefix + operation.path)) in routes


def _shape(path: str) -> str:
    """The path with its parameters' names left out."""
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))
