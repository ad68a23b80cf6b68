"""Stored switchboards. Whatever changes one of its integrations changes the switchboard's revision too."""

from typing import Final

from knownas.storage.unit import Row, Unit
from knownas.switchboards import Switchboard, SwitchboardIntegration, Wiring

WIRING: Final = """
    SELECT s.id, s.enabled, s.default_integration, s.created_at, s.revision,
        i.id, i.name, i.integration_id, i.integration_type, i.deliver_standby_events, i.next_integration,
        i.message_history_count, i.created_at
    FROM switchboards s
    LEFT JOIN switchboard_integrations i ON i.app_id = s.app_id AND i.switchboard_id = s.id
    WHERE s.app_id = $1 ORDER BY i.id LIMIT 100"""
INSERT: Final = """
    INSERT INTO switchboards (app_id, id, enabled, default_integration, created_at, revision)
    VALUES ($1, $2, $3, $4, $5, $6)"""
UPDATE: Final = """
    UPDATE switchboards SET enabled = $3, default_integration = $4, revision = revision + 1
    WHERE app_id = $1 AND id = $2 AND revision = $5"""
REMOVE: Final = "DELETE FROM switchboards WHERE app_id = $1 AND id = $2 AND revision = $3"
REMOVE_INTEGRATIONS: Final = "DELETE FROM switchboard_integrations WHERE app_id = $1 AND switchboard_id = $2"
INSERT_INTEGRATION: Final = """
    INSERT INTO switchboard_integrations (app_id, id, switchboard_id, name, integration_id, integration_type,
        deliver_standby_events, next_integration, message_history_count, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"""
UPDATE_INTEGRATION: Final = """
    UPDATE switchboard_integrations SET name = $3, integration_id = $4, integration_type = $5,
        deliver_standby_events = $6, next_integration = $7, message_history_count = $8
    WHERE app_id = $1 AND id = $2"""
REMOVE_INTEGRATION: Final = "DELETE FROM switchboard_integrations WHERE app_id = $1 AND id = $2"


class SwitchboardRows:
    """Switchboards (knownas.switchboards.Switchboards) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def wiring(self) -> Wiring:
        """The switchboard and its integrations, in one question."""
        rows = await self._unit.rows(WIRING)
        if not rows:
            return Wiring(None)
        first = rows[0]
        board = Switchboard(first[0], first[1] == 1, first[2], first[3], first[4])
        return Wiring(board, tuple(_integration_of(row) for row in rows if row[5] is not None))

    def add(self, board: Switchboard) -> None:
        """Hold the new row; a unique index keeps it the only one."""
        self._unit.hold(
            INSERT, board.id, int(board.enabled), board.default_integration, board.created_at, board.revision
        )

    def update(self, board: Switchboard) -> None:
        """Hold the new state, guarded."""
        self._unit.hold(UPDATE, board.id, int(board.enabled), board.default_integration, board.revision, must=True)

    def remove(self, board: Switchboard) -> None:
        """Hold the removal, guarded."""
        self._unit.hold(REMOVE, board.id, board.revision, must=True)
        self._unit.hold(REMOVE_INTEGRATIONS, board.id)

    def add_integration(self, one: SwitchboardIntegration) -> None:
        """Hold the new row."""
        self._unit.hold(
            INSERT_INTEGRATION, one.id, one.switchboard_id, one.name, one.integration_id, one.integration_type,
            int(one.deliver_standby_events), one.next_integration, one.message_history_count, one.created_at,
        )  # fmt: skip

    def update_integration(self, one: SwitchboardIntegration) -> None:
        """Hold the new state."""
        self._unit.hold(
            UPDATE_INTEGRATION, one.id, one.name, one.integration_id, one.integration_type,
            int(one.deliver_standby_events), one.next_integration, one.message_history_count,
        )  # fmt: skip

    def remove_integration(self, one: SwitchboardIntegration) -> None:
        """Hold the removal."""
        self._unit.hold(REMOVE_INTEGRATION, one.id)


def _integration_of(row: Row) -> SwitchboardIntegration:
    return SwitchboardIntegration(
        id=row[5], switchboard_id=row[0], name=row[6], integration_id=row[7], integration_type=row[8],
        deliver_standby_events=row[9] == 1, next_integration=row[10], message_history_count=row[11],
        created_at=row[12],
    )  # fmt: skip
