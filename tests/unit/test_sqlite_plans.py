"""No statement looks through a whole app, or a whole table, for what an index would find."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import apsw
import pytest

import knownas.storage
from knownas.storage import sqlite_schema
from knownas.storage.parameters import for_sqlite

MAY_SCAN = {
    "apps.REMOVE": "an app is removed with all that is in it",
    "audit.LAST": "reads the one row at the end",
    "plans.OLDEST": "reads from the beginning, up to the limit",
    "attachments.GONE": "its index holds what it looks for and nothing else",
    "attachments.REMOVE_OF_APP": "an app is removed with all that is in it",
    "migrate.APPLIED": "a row for each version",
    "keys.ANY_SECRET": "stops at the first",
    "accounts.FIRST": "stops at the first",
    "apps.REMOVED_BEFORE": "a few rows for two minutes",
    "deliveries.ANY_LIVE": "stops at the first",
    "deliveries.LIVE_OF": "an app has ten webhooks at most",
    "deliveries.NEXT_WEBHOOK": "an app has ten webhooks at most",
    "integrations.OF_TYPE": "an app has few integrations, and they are paged",
    "integrations.PAGE": "an app has few integrations, and they are paged",
    "messages.READING": "an app has few integrations, and they are paged",
    "messages.SHOWN": "the page's lines are gone through, which were found by a key",
    "oauth.CLIENTS": "the partners that an operator registered by hand",
    "outbox.READ_BY_ALL": "a row for each reader",
    "webhooks.ANY_LIVE": "stops at the first",
    "webhooks.LIVE_OF": "an app has ten webhooks at most",
    "webhooks.EVENT_WEBHOOKS": "an app has ten webhooks of each format at most",
    "webhooks.OF_APP": "an app has ten webhooks of each format at most",
    "webhooks.PUBLIC_KEYS": "reads the newest along its index, up to the limit",
    "webhooks.PUBLIC_KEYS_OF_APP": "an app has ten webhooks of each format at most",
}
"""Statements that read many rows because that is what they are for, each with its reason."""

FOUND_ALREADY = "one|d|m|member|f|above|place|reader|family|cases|entries|gone|planned|settled|streams|told|up"
"""What statements call their subqueries, whose rows an index has found."""
WHOLE_APP = re.compile(rf"PRIMARY KEY \(app_id=\?\)$|^SCAN (?!CONSTANT|json_each\b|({FOUND_ALREADY})$|.*VIRTUAL TABLE)")
FILLED_IN = {
    "{ids}": "($2, $3)",
    "{table}": "deliveries",
    "{id}": "event_id",
    "{page}": "ORDER BY m.id LIMIT 100",
    "{rest}": "l.body",
}
OF_POSTGRESQL = re.compile(r"\bwritten_in\b|\bpg_\w+\(")


def _statements() -> Iterator[tuple[str, str]]:
    for module in pkgutil.iter_modules(knownas.storage.__path__):
        if module.ispkg or "postgres" in module.name:
            continue
        for name, value in vars(importlib.import_module(f"knownas.storage.{module.name}")).items():
            texts = value if isinstance(value, tuple) else (value,)
            for text in texts:
                if (
                    name.isupper()
                    and not name.startswith("_")
                    and isinstance(text, str)
                    and re.match(r"\s*(WITH|SELECT|UPDATE|DELETE)\b", text)
                    and not OF_POSTGRESQL.search(text)
                ):
                    yield f"{module.name}.{name}", text


STATEMENTS = sorted(set(_statements()))


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    file = str(tmp_path_factory.mktemp("plans") / "k.db")
    connection = apsw.Connection(file)
    sqlite_schema.bring_up_to_date(connection)
    connection.close()
    connection = apsw.Connection(file)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    yield connection
    connection.close()


@pytest.mark.parametrize(("name", "sql"), STATEMENTS, ids=[name for name, _ in STATEMENTS])
def test_a_statement_finds_its_rows_by_an_index(schema: apsw.Connection, name: str, sql: str) -> None:
    for blank, example in FILLED_IN.items():
        sql = sql.replace(blank, example)
    whole = for_sqlite(sql + ("($2, $3)" if sql.rstrip().endswith(" IN") else ""))
    count = max(map(int, re.findall(r"\?(\d+)", whole)), default=0)
    steps = [row[3] for row in schema.execute(f"EXPLAIN QUERY PLAN {whole}", ("x",) * count).fetchall()]
    searched = [step for step in steps if WHOLE_APP.search(str(step))]
    assert not searched or name in MAY_SCAN, f"{searched} in {whole}"


def test_the_statements_are_found() -> None:
    assert len(STATEMENTS) > 20
