"""Who may call the admin API: a key of the app or of its account, and who that is in the audit log."""

from typing import Final

from knownas.apps import App
from knownas.http.app_scope import app_for, caller_with
from knownas.http.call import Call
from knownas.http.decode import InvalidBody, shown
from knownas.ids import is_id
from knownas.keys import Scope

SCOPES: Final[tuple[Scope, ...]] = ("account", "app")
SIZE: Final = 25
SIZE_AT_MOST: Final = 100


async def acting_on(call: Call, *parameters: str) -> tuple[App, str]:
    """The app in the path, and the actor. The query may have these parameters and no other.

    Raises InvalidBody, and what callers and app_scope raise.
    """
    caller = await caller_with(call, SCOPES)
    app = await app_for(call, caller, call.params["app"])
    for name in call.query():
        if name not in parameters:  # a slip of the pen in a filter must not list everything
            there_is = f"there is {', '.join(parameters)}" if parameters else "this takes none"
            raise InvalidBody(f"There is no parameter {shown(name, 40)} here: {there_is}")
    return app, f"key:{caller.key_id}"


def text_of(call: Call, name: str) -> str | None:
    """A parameter of the query that is one text, or None where it is not given. Raises InvalidBody."""
    value = call.query().get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidBody(f"{name} should be one plain value")
    return value


def size_of(call: Call) -> int:
    """How many records are asked for. Raises InvalidBody."""
    return number_of(call, "limit", SIZE, 1, SIZE_AT_MOST)


def number_of(call: Call, name: str, default: int, least: int, most: int) -> int:
    """A whole number of the query. Raises InvalidBody."""
    value = text_of(call, name)
    if value is None:
        return default
    if not (value.isascii() and value.isdigit() and len(value) <= 15 and least <= int(value) <= most):
        raise InvalidBody(f"{name} should be a whole number from {least} to {most}")
    return int(value)


def after_of(call: Call) -> str | None:
    """The id behind which the page begins: `next` of the page before. Raises InvalidBody."""
    value = text_of(call, "after")
    if value is not None and not is_id(value):
        raise InvalidBody("after should be the next of the page before, an id of 24 hexadecimal digits")
    return value
