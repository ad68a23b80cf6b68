"""The stored audit log. Nothing here changes or removes an entry; only the details beside it can be erased."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from knownas.audit import Entry
from knownas.storage.unit import Row, Unit

_COLUMNS: Final = """a.app_id, a.number, a.id, a.at, a.actor, a.action, a.subjects, a.commitment, a.previous, a.hash,
    d.salt, d.body"""
_FROM: Final = f"""
    SELECT {_COLUMNS} FROM audit a LEFT JOIN audit_details d ON d.app_id = a.app_id AND d.number = a.number
    WHERE a.app_id = $1"""  # noqa: S608
LAST: Final = f"{_FROM} ORDER BY a.number DESC LIMIT 1"
AFTER: Final = f"{_FROM} AND a.number > $2 ORDER BY a.number LIMIT $3"
OF_SUBJECT: Final = f"""{_FROM} AND a.number IN (
        SELECT number FROM audit_subjects WHERE app_id = $1 AND subject = $2 ORDER BY number DESC LIMIT $3)
    ORDER BY a.number DESC"""  # noqa: S608
INSERT: Final = """
    INSERT INTO audit (app_id, number, id, at, actor, action, subjects, commitment, previous, hash)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"""
INSERT_DETAILS: Final = "INSERT INTO audit_details (app_id, number, salt, body) VALUES ($1, $2, $3, $4)"
INSERT_SUBJECT: Final = "INSERT INTO audit_subjects (app_id, subject, number) VALUES ($1, $2, $3)"
FORGET: Final = """
    DELETE FROM audit_details WHERE app_id = $1 AND number IN (
        SELECT number FROM audit_subjects WHERE app_id = $1 AND subject IN {ids})"""


class AuditRows:
    """The audit log (knownas.audit.Audit) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def last(self) -> Entry | None:
        """The newest entry."""
        found = _entries(await self._unit.rows(LAST))
        return found[0] if found else None

    async def page(self, *, after: int, limit: int) -> list[Entry]:
        """In order."""
        return _entries(await self._unit.rows(AFTER, after, limit))

    async def of_subject(self, subject: str, *, limit: int) -> list[Entry]:
        """Newest first."""
        return _entries(await self._unit.rows(OF_SUBJECT, subject, limit))

    def append(self, entry: Entry) -> None:
        """Hold the new rows; the primary key refuses a number that was given."""
        self._unit.hold(
            INSERT, entry.number, entry.id, entry.at, entry.actor, entry.action,
            msgspec.json.encode(entry.subjects).decode(), entry.commitment, entry.previous, entry.hash,
        )  # fmt: skip
        body = msgspec.json.encode(entry.details).decode()
        self._unit.hold(INSERT_DETAILS, entry.number, entry.salt, body)
        for subject in dict.fromkeys(entry.subjects):
            self._unit.hold(INSERT_SUBJECT, subject, entry.number)

    def forget(self, subjects: list[str]) -> None:
        """Hold the removal of details."""
        self._unit.hold_for_all(FORGET, subjects)


def _entries(rows: Sequence[Row]) -> list[Entry]:
    return [_entry(row) for row in rows]


def _entry(row: Row) -> Entry:
    """The entry, also where somebody has put something unreadable into the table: verification has to say so."""
    app_id, number, id, at, actor, action, subjects, commitment, previous, hash, salt, body = row
    try:
        about = msgspec.json.decode(subjects, type=tuple[str, ...])
    except msgspec.DecodeError:
        about = (str(subjects),)
    try:
        details = None if body is None else msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        details = {"unreadable": str(body)}
    return Entry(
        app_id, number, id, at, actor, action, about, commitment, previous, hash, salt, details,
    )  # fmt: skip
