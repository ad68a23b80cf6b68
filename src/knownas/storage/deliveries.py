"""Stored deliveries and the log of attempts. Many rows travel as one JSON text, so that a batch is one statement."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from knownas.deliveries import Attempt, Cursor, Delivery, Health, Queue, Recorded, Settled, Wanted
from knownas.storage.parameters import chunks, id_list
from knownas.storage.unit import Row, Unit
from knownas.storage.vault import Vault
from knownas.storage.webhooks import ANY_LIVE, BY_ID, LIVE_OF, webhook_of
from knownas.webhooks import Webhook

_INSERT: Final = """
    INSERT INTO deliveries (app_id, webhook_id, event_id, stream, seq, include_full_user, include_full_source,
        attempts, due_at, created_at)
    SELECT value->>0, value->>1, value->>2, value->>3, CAST(value->>4 AS BIGINT), CAST(value->>5 AS SMALLINT),
        CAST(value->>6 AS SMALLINT), 0, CAST($2 AS BIGINT), CAST($2 AS BIGINT)
    FROM json_array_elements($1) WHERE 1 = 1
    ON CONFLICT (app_id, webhook_id, event_id)"""
INSERT: Final = f"{_INSERT} DO NOTHING"
# What is due already may be on its way at this moment.
INSERT_AGAIN: Final = f"""{_INSERT} DO UPDATE SET attempts = 0, due_at = excluded.due_at,
        include_full_user = excluded.include_full_user, include_full_source = excluded.include_full_source
    WHERE deliveries.due_at IS NULL OR deliveries.due_at > excluded.due_at"""
NEXT_QUEUE: Final = """
    SELECT app_id, webhook_id, due_at FROM deliveries
    WHERE due_at IS NOT NULL AND (app_id, webhook_id) > (CAST($1 AS TEXT), CAST($2 AS TEXT))
    ORDER BY app_id, webhook_id, due_at LIMIT 1"""
DUE: Final = """
    SELECT d.event_id, d.stream, d.seq, d.include_full_user, d.include_full_source, d.attempts, d.due_at,
        e.type, e.body, e.created_at
    FROM deliveries d LEFT JOIN events e ON e.app_id = d.app_id AND e.stream = d.stream AND e.seq = d.seq
    WHERE d.app_id = $1 AND d.webhook_id = $2 AND d.due_at <= $3 ORDER BY d.due_at, d.seq LIMIT $4"""
DONE: Final = """
    DELETE FROM deliveries WHERE (app_id, webhook_id, event_id) IN (
        SELECT value->>0, value->>1, value->>2 FROM json_array_elements($1))"""
NOT_DONE: Final = """
    UPDATE deliveries SET attempts = CAST(value->>3 AS BIGINT), due_at = CAST(value->>4 AS BIGINT)
    FROM json_array_elements($1)
    WHERE app_id = value->>0 AND webhook_id = value->>1 AND event_id = value->>2"""
LOG: Final = """
    INSERT INTO attempts (app_id, webhook_id, id, event_id, number, status, error, took_ms, created_at)
    SELECT value->>0, value->>1, value->>2, value->>3, CAST(value->>4 AS BIGINT), CAST(value->>5 AS BIGINT), value->>6,
        CAST(value->>7 AS BIGINT), CAST(value->>8 AS BIGINT)
    FROM json_array_elements($1)"""
HEALTH: Final = """
    UPDATE webhooks SET failing_since = CAST(value->>2 AS BIGINT) FROM json_array_elements($1)
    WHERE app_id = value->>0 AND webhooks.id = value->>1"""
_SOME: Final = """(app_id, webhook_id, event_id) IN (
        SELECT app_id, webhook_id, event_id FROM deliveries
        WHERE app_id = $1 AND webhook_id = $2 AND due_at IS NOT NULL ORDER BY due_at LIMIT $3)"""
GIVE_UP: Final = f"UPDATE deliveries SET due_at = NULL WHERE {_SOME}"  # noqa: S608
DROP: Final = f"DELETE FROM deliveries WHERE {_SOME}"  # noqa: S608
_ATTEMPT_COLUMNS: Final = "event_id, number, status, error, took_ms, created_at"
ATTEMPTS: Final = f"""
    SELECT {_ATTEMPT_COLUMNS} FROM attempts WHERE app_id = $1 AND webhook_id = $2
    ORDER BY id DESC LIMIT $3"""  # noqa: S608
# Ids begin with their time, so what is older has a lower id.
TABLES: Final = {"attempts": "id", "deliveries": "event_id"}
NEXT_WEBHOOK: Final = """
    SELECT app_id, webhook_id FROM {table} WHERE (app_id, webhook_id) > (CAST($1 AS TEXT), CAST($2 AS TEXT))
    ORDER BY app_id, webhook_id LIMIT 1"""
OLD: Final = """
    SELECT {id} FROM {table} WHERE app_id = $1 AND webhook_id = $2 AND {id} < $3 ORDER BY {id} LIMIT $4"""
FORGET: Final = "DELETE FROM {table} WHERE app_id = $1 AND webhook_id = $2 AND {id} <= $3"


class DeliveryRows:
    """All apps' deliveries (knownas.deliveries.Deliveries) as rows."""

    __slots__ = ("_unit", "_vault")

    def __init__(self, unit: Unit, vault: Vault) -> None:
        self._unit = unit
        self._vault = vault

    async def live_webhooks(self, app_ids: list[str]) -> list[Webhook]:
        """Those of these apps that are switched on."""
        return [
            webhook_of(row, self._vault)
            for some in chunks(app_ids)
            for row in await self._unit.rows(LIVE_OF + id_list(some), *some)
        ]

    async def any_live_webhook(self) -> bool:
        """Whether there is one at all."""
        return await self._unit.directory_row(ANY_LIVE) is not None

    async def webhook(self, app_id: str, webhook_id: str) -> Webhook | None:
        """The webhook, or None."""
        row = await self._unit.directory_row(BY_ID, app_id, webhook_id)
        return webhook_of(row, self._vault) if row else None

    async def queues(self) -> list[Queue]:
        """One step along the index for each webhook, however much waits for it."""
        found: list[Queue] = []
        place = ("", "")
        while row := await self._unit.directory_row(NEXT_QUEUE, *place):
            found.append(Queue(row[0], row[1], row[2]))
            place = (row[0], row[1])
        return found

    async def due(self, app_id: str, webhook_id: str, now: int, limit: int) -> list[Delivery]:
        """What is due, with its events."""
        rows = await self._unit.directory_rows(DUE, app_id, webhook_id, now, limit)
        return [_delivery(app_id, webhook_id, row) for row in rows]

    def add(self, wanted: list[Wanted], due_at: int, *, again: bool = False) -> None:
        """Hold new rows; what is there already stays as it is, unless it is to be delivered again."""
        rows = [
            (
                one.event.app_id, one.webhook.id, one.event.id, one.event.stream, one.event.seq,
                int(one.webhook.include_full_user), int(one.webhook.include_full_source),
            )
            for one in wanted
        ]  # fmt: skip
        self._unit.hold_outside(INSERT_AGAIN if again else INSERT, _json(rows), due_at)

    def settle(self, settled: list[Settled], now: int) -> None:
        """Hold what came of attempts."""
        done, not_done, log = [], [], []
        for one in settled:
            delivery, attempt = one.delivery, one.attempt
            key = (delivery.app_id, delivery.webhook_id, delivery.event_id)
            if one.told or attempt is None:
                done.append(key)
            else:
                not_done.append((*key, attempt.number, one.due_at))
            if attempt is not None:
                log.append(
                    (
                        delivery.app_id, delivery.webhook_id, self._unit.new_id(), delivery.event_id, attempt.number,
                        attempt.status, attempt.error, attempt.took_ms, attempt.created_at,
                    )
                )  # fmt: skip
        for sql, rows in ((DONE, done), (NOT_DONE, not_done), (LOG, log)):
            if rows:
                self._unit.hold_outside(sql, _json(rows))

    def set_health(self, health: list[Health]) -> None:
        """Hold it; the webhook's revision stays, since nobody relies on this."""
        rows = [(one.app_id, one.webhook_id, one.failing_since) for one in health]
        self._unit.hold_outside(HEALTH, _json(rows))

    def give_up(self, app_id: str, webhook_id: str, limit: int) -> None:
        """Hold that the rows are not due any more."""
        self._unit.hold_outside(GIVE_UP, app_id, webhook_id, limit)

    def drop(self, app_id: str, webhook_id: str, limit: int) -> None:
        """Hold the removal."""
        self._unit.hold_outside(DROP, app_id, webhook_id, limit)

    async def attempts(self, webhook_id: str, limit: int) -> list[Attempt]:
        """The newest first."""
        rows = await self._unit.rows(ATTEMPTS, webhook_id, limit)
        return [Attempt(self._unit.app_id, webhook_id, *row) for row in rows]

    async def logged(self) -> list[tuple[str, str]]:
        """One step along each key for each webhook."""
        found: set[tuple[str, str]] = set()
        for table in TABLES:
            place = ("", "")
            while row := await self._unit.directory_row(NEXT_WEBHOOK.format(table=table), *place):
                place = (row[0], row[1])
                found.add(place)
        return sorted(found)

    async def forget_before(self, app_id: str, webhook_id: str, time: int, limit: int) -> int:
        """Hold the removal of the oldest rows of both tables."""
        found: list[tuple[str, str, int]] = []
        for table, column in TABLES.items():
            sql = OLD.format(table=table, id=column)
            ids = await self._unit.directory_rows(sql, app_id, webhook_id, f"{time:012x}", limit)
            if ids:
                found.append((FORGET.format(table=table, id=column), ids[-1][0], len(ids)))
        for sql, last, _ in found:
            self._unit.hold_outside(sql, app_id, webhook_id, last)
        return sum(count for _, _, count in found)


def _delivery(app_id: str, webhook_id: str, row: Row) -> Delivery:
    event_id, stream, seq, full_user, full_source, attempts, due_at, type_, body, created_at = row
    event = None
    if body is not None:
        event = Recorded(Cursor(0, 0), app_id, stream, seq, event_id, type_, body, created_at)
    return Delivery(
        app_id, webhook_id, event_id, stream, seq, full_user == 1, full_source == 1, attempts, due_at, event
    )


def _json(rows: Sequence[tuple[Any, ...]]) -> str:
    return msgspec.json.encode(rows).decode()
