"""Forward-only migrations: numbered SQL files, each applied once and in its own transaction."""

import re
from importlib import resources
from typing import Final, Literal

from msgspec import Struct

Engine = Literal["sqlite", "postgresql"]
_ONLY: Final = re.compile(r"-- only: (sqlite|postgresql)(?:\n|$)")
CREATE_HISTORY: Final = """
    CREATE TABLE IF NOT EXISTS schema_history (
        version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL
    )"""
APPLIED: Final = "SELECT version FROM schema_history ORDER BY version"
RECORD: Final = "INSERT INTO schema_history (version, name, applied_at) VALUES ($1, $2, $3)"


class Statement(Struct, frozen=True):
    """One statement of a step, for one engine (`only`) or for both."""

    text: str
    only: str | None = None


class Migration(Struct, frozen=True):
    """One step of the schema, both engines' text."""

    version: int
    name: str
    statements: tuple[Statement, ...]

    def for_engine(self, engine: Engine) -> list[str]:
        """What this engine is to run."""
        return [statement.text for statement in self.statements if statement.only in (None, engine)]


class SchemaTooNew(Exception):
    """The database was written by a newer Knownas; the text says what to do."""


def migrations() -> list[Migration]:
    """All steps that this program knows, in order."""
    found = [
        Migration(int(match[1]), match[2], statements_of(entry.read_text("utf-8")))
        for entry in resources.files("knownas.storage.migrations").iterdir()
        if (match := re.fullmatch(r"(\d{4})_(\w+)\.sql", entry.name))
    ]
    return sorted(found, key=lambda migration: migration.version)


def statements_of(text: str) -> tuple[Statement, ...]:
    """The statements of a migration file, whose comments are whole lines and whose texts hold no semicolon.

    A line `-- only: sqlite` or `-- only: postgresql` keeps the statement after it from the other engine.
    """
    lines = [line for line in text.splitlines() if line.startswith("-- only:") or not line.lstrip().startswith("--")]
    return tuple(_statement(part.strip()) for part in "\n".join(lines).split(";") if part.strip())


def _statement(text: str) -> Statement:
    marked = _ONLY.match(text)
    if marked is None and text.startswith("--"):
        raise ValueError(f"a migration names an engine that there is not: {text.splitlines()[0]}")
    return Statement(text[marked.end() :].strip(), marked[1]) if marked else Statement(text)


def pending(applied: list[int]) -> list[Migration]:
    """The steps that are still to be taken. Raises SchemaTooNew when the database knows steps that we do not."""
    known = migrations()
    newest = known[-1].version
    if applied and applied[-1] > newest:
        raise SchemaTooNew(
            f"The database has schema version {applied[-1]}, and this Knownas knows versions up to {newest}. "
            "A newer Knownas has used it: install that version again, or restore a backup made before its upgrade."
        )
    return [migration for migration in known if migration.version not in applied]
