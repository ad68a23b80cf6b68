"""Make and migrate the schema of a SQLite file, and tell its planner what the tables will hold."""

import re
from typing import Final

import apsw

from knownas.storage import migrate
from knownas.storage.chance import now_ms
from knownas.storage.parameters import for_sqlite

_KEYED_TABLE: Final = re.compile(r"CREATE TABLE \w+ \(.*\bPRIMARY KEY \(", re.DOTALL)
_ROWS: Final = 1_000_000
_ALIKE: Final = 8  # rows of one user, of one conversation, of one owner: what a second key column leaves over


def bring_up_to_date(connection: apsw.Connection) -> None:
    """Take the steps that are still to be taken, all in one transaction that no other process can share."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(migrate.CREATE_HISTORY)
        applied: list[int] = [int(str(row[0])) for row in connection.execute(migrate.APPLIED).fetchall()]
        steps = migrate.pending(applied)
        for step in steps:
            for statement in step.for_engine("sqlite"):
                connection.execute(clustered(statement))
            connection.execute(for_sqlite(migrate.RECORD), (step.version, step.name, now_ms()))
        if steps:
            _expect_one_large_app(connection)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def clustered(statement: str) -> str:
    """The statement for SQLite, whose tables then keep each row in its primary key: one page to read, not two.

    PostgreSQL has no such tables. Rows of one user, or of one conversation, lie side by side.
    """
    return f"{statement} WITHOUT ROWID" if _KEYED_TABLE.match(statement) else statement


def _expect_one_large_app(connection: apsw.Connection) -> None:
    """Write down, as ANALYZE would, that an app id alone tells nothing apart.

    Without figures the planner takes a primary key's first column, the app, for as good as a whole index, and looks
    through all of the app. Plans are to be the same for ten rows and ten million, so nothing is counted.
    """
    connection.execute("ANALYZE sqlite_schema")
    connection.execute("DELETE FROM sqlite_stat1")
    for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        for _, index, unique, _, _ in connection.execute(f"PRAGMA index_list({table})").fetchall():
            columns = connection.execute(f"PRAGMA index_info({index})").fetchall()
            if columns[0][2] == "app_id":
                left = [_ROWS, *[_ALIKE] * (len(columns) - 1)]
                left[-1] = 1 if unique else left[-1]
                figures = " ".join(map(str, (_ROWS, *left)))
                connection.execute("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", (table, index, figures))
    connection.execute("ANALYZE sqlite_schema")
