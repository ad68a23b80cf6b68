"""Compose a plan into one PostgreSQL statement, so that a unit of work costs one round trip and no BEGIN or COMMIT."""

import re
from typing import Any, Final

from knownas.storage.parameters import PARAMETER
from knownas.storage.unit import Held, SeqOf, params_of

_composed: Final[dict[tuple[tuple[str, bool, tuple[tuple[int, int], ...]], ...], str]] = {}
_COMPOSED_AT_MOST: Final = 2000


def compose(plan: list[Held]) -> tuple[str, tuple[Any, ...]]:
    """The plan as one statement and its parameters.

    Each statement becomes a data-modifying CTE `w0`, `w1` and so on. A statement that must touch a row is divided by:
    one over the count of its rows, so that none means division by zero and nothing of the whole is written.
    """
    params = params_of(plan)
    if SeqOf in map(type, params):
        shape = tuple([(held.sql, held.must, _references(held)) for held in plan])
        params = tuple([value for value in params if type(value) is not SeqOf])
    else:
        shape = tuple([(held.sql, held.must, ()) for held in plan])
    sql = _composed.get(shape)
    if sql is None:
        if len(_composed) >= _COMPOSED_AT_MOST:
            _composed.clear()
        sql = _composed[shape] = _text(plan)
    return sql, params


def _references(held: Held) -> tuple[tuple[int, int], ...]:
    """Where the parameters refer to an earlier statement's `seq`: position and statement."""
    return tuple([(at, value.write) for at, value in enumerate(held.params) if type(value) is SeqOf])


def _text(plan: list[Held]) -> str:
    parts: list[str] = []
    checks: list[str] = []
    used = 0
    before: Held | None = None
    for number, held in enumerate(plan):
        names: list[str] = []
        for value in held.params:
            if type(value) is SeqOf:
                names.append(f"(SELECT seq FROM w{value.write})")  # noqa: S608  a number of ours
            else:
                used += 1
                names.append(f"${used}")
        body = PARAMETER.sub(lambda match, names=names: names[int(match[1]) - 1], held.sql).strip()  # type: ignore[misc]
        row = _ROW.fullmatch(body)
        if before is not None and before.sql == held.sql and row and not held.must:
            # One more row of the same table: each statement costs more than a row.
            parts[-1] = f"{parts[-1][:-1]}, {row[1]})"
            continue
        before = held
        if held.must:
            checks.append(f"1 / (SELECT count(*) FROM w{number})")  # noqa: S608
            body = telling(body)
        parts.append(f"w{number} AS ({body})")
    return f"WITH {', '.join(parts)} SELECT {', '.join(checks) or '1'}"


def telling(sql: str) -> str:
    """The statement so that it answers a row for each that it touched."""
    return sql if "RETURNING" in sql or sql.startswith("SELECT") else f"{sql} RETURNING 1"


_ROW: Final = re.compile(r"INSERT INTO .*?\bVALUES (\(.*\))", re.DOTALL)
