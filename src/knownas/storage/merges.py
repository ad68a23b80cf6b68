"""The stored merge journal."""

from typing import Final

from knownas.merges import Merge
from knownas.storage.unit import Unit
from knownas.storage.users import to_json

INSERT_MERGE: Final = """
    INSERT INTO merges (app_id, id, surviving, discarded, reason, before, discarded_metadata, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""


class MergeRows:
    """The journal (knownas.merges.Merges) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    def add(self, merge: Merge) -> None:
        """Hold the new entry."""
        self._unit.hold(
            INSERT_MERGE, merge.id, merge.surviving, merge.discarded, merge.reason, to_json(merge.before),
            to_json(merge.discarded_metadata), merge.created_at,
        )  # fmt: skip
