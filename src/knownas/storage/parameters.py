"""Numbered parameters that both engines understand."""

import re
from functools import lru_cache
from typing import Final

PARAMETER: Final = re.compile(r"\$(\d+)")


IDS_AT_ONCE: Final = 1000
"""How many ids go into one statement: databases bound the parameters, and a user may have absorbed any number."""


def chunks(ids: list[str]) -> list[list[str]]:
    """The ids in pieces that one statement can take."""
    return [ids[start : start + IDS_AT_ONCE] for start in range(0, len(ids), IDS_AT_ONCE)]


def id_list(ids: list[str], *, behind: int = 0) -> str:
    """`($2, $3, ...)` for the ids that follow the app id, and `behind` others, in a statement's parameters."""
    return _numbered(len(ids), 2 + behind)


@lru_cache(maxsize=256)
def _numbered(count: int, first: int) -> str:
    return "(" + ", ".join(f"${number}" for number in range(first, first + count)) + ")"


_ROW: Final = re.compile(r"\s*INSERT INTO [^()]*\([^()]*\)\s*VALUES\s*(\(.*\))\s*", re.DOTALL)


@lru_cache(maxsize=1024)
def row_of(sql: str) -> str | None:
    """The row in a statement that inserts one and does nothing else: `($1, $2)`."""
    found = _ROW.fullmatch(sql)
    return found[1] if found and "ON CONFLICT" not in sql else None


@lru_cache(maxsize=1024)
def many_rows(sql: str, width: int, count: int, *, whole: bool) -> str:
    """SQLite's statement with so many rows in place of its one, each with `width` parameters of its own.

    Unless it has to be `whole`, rows before one that is refused stay, which spares SQLite a copy of every page.
    """
    row = row_of(sql) or ""
    more = (PARAMETER.sub(lambda match, at=at: f"${int(match[1]) + at * width}", row) for at in range(1, count))  # type: ignore[misc]
    first = sql.strip()
    return ", ".join((first if whole else first.replace("INSERT", "INSERT OR FAIL", 1), *more))


@lru_cache(maxsize=4096)
def for_sqlite(sql: str) -> str:
    """`$1` as `?1`: SQLite would number `$1` by its first appearance, not by its digit.

    Its functions that build and read JSON have other names. Blanks go, because the driver reads the whole text each
    time to find its statement by.
    """
    for name, other in _JSON_FUNCTIONS.items():
        sql = sql.replace(f"{name}(", f"{other}(")
    return _BLANKS.sub(_shorter, PARAMETER.sub(r"?\1", sql)).strip()


def _shorter(found: re.Match[str]) -> str:
    return found["literal"] or ("," if found["comma"] else " ")


_BLANKS: Final = re.compile(r"(?P<literal>'[^']*')|(?P<comma>\s*,\s*)|\s+")


_JSON_FUNCTIONS: Final = {
    "json_agg": "json_group_array",
    "json_build_array": "json_array",
    "json_array_elements": "json_each",
}
