"""Stored linked clients, and their place among the ways in which participants take part."""

from typing import Any, Final

import msgspec

from knownas.clients import Link, LinkedClient, Profile
from knownas.conversations import ClientAssociation
from knownas.storage.parameters import chunks, id_list
from knownas.storage.unit import Row, Unit

_COLUMNS: Final = """id, user_id, status, type, integration_id, address, conversation_id, confirmation, subject,
    is_primary, confirmation_message, external_id, display_name, avatar_url, info, raw, created_at, matched_at,
    linked_at, last_seen, revision"""
BY_ID: Final = f"SELECT {_COLUMNS} FROM clients WHERE app_id = $1 AND id = $2"  # noqa: S608
BY_CHANNEL_ID: Final = f"""
    SELECT {_COLUMNS} FROM clients
    WHERE app_id = $1 AND integration_id = $2 AND external_id = $3 AND status <> 'pending'"""  # noqa: S608
OF_USERS: Final = f"SELECT {_COLUMNS} FROM clients WHERE app_id = $1 AND user_id IN "  # noqa: S608
WAITING: Final = "SELECT count(*) FROM clients WHERE app_id = $1 AND status = 'pending' AND user_id IN "
INSERT: Final = """
    INSERT INTO clients (app_id, id, user_id, type, integration_id, status, address, subject, is_primary, confirmation,
        confirmation_message, conversation_id, external_id, display_name, avatar_url, info, raw, created_at,
        matched_at, linked_at, last_seen, revision)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, 1)"""
UPDATE: Final = """
    UPDATE clients SET status = $3, address = $4, subject = $5, is_primary = $6, confirmation_message = $7,
        conversation_id = $8, external_id = $9, display_name = $10, avatar_url = $11, info = $12, raw = $13,
        matched_at = $14, linked_at = $15, last_seen = $16, revision = revision + 1
    WHERE app_id = $1 AND id = $2 AND revision = $17"""
MOVE: Final = """
    UPDATE clients SET conversation_id = $3, revision = revision + 1
    WHERE app_id = $1 AND id = $2 AND revision = $4"""
REMOVE: Final = "DELETE FROM clients WHERE app_id = $1 AND id = $2 AND revision = $3"
DEACTIVATE: Final = """
    UPDATE clients SET status = 'inactive', revision = revision + 1
    WHERE app_id = $1 AND integration_id = $2 AND status = 'active'"""
# A link that waits is nothing but whom to look for.
CLEAR_DETAILS: Final = (
    "DELETE FROM clients WHERE app_id = $1 AND status = 'pending' AND user_id IN {ids}",
    """UPDATE clients SET display_name = NULL, avatar_url = NULL, info = NULL, raw = NULL, subject = NULL,
        confirmation_message = NULL, address = '', external_id = NULL, revision = revision + 1
        WHERE app_id = $1 AND status <> 'pending' AND user_id IN {ids}""",
)
# `associations` is a JSON list of flat objects, each always spelled the same, so that one can be taken out as text.
UNSUBSCRIBE: Final = """
    UPDATE participants
    SET associations = replace(replace(replace(associations, $2 || ',', ''), ',' || $2, ''), $2, '')
    WHERE app_id = $1 AND associations LIKE '%' || $2 || '%' AND user_id IN """
SUBSCRIBE: Final = """
    UPDATE participants
    SET associations = CASE
        WHEN associations = '[]' THEN '[' || $2 || ']'
        WHEN CAST($3 AS BIGINT) = 1 THEN '[' || $2 || ',' || substr(associations, 2)
        ELSE substr(associations, 1, length(associations) - 1) || ',' || $2 || ']' END
    WHERE app_id = $1 AND conversation_id = $4 AND associations NOT LIKE '%' || $2 || '%' AND user_id IN """


class ClientRows:
    """Linked clients (knownas.clients.Clients) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def by_id(self, client_id: str) -> LinkedClient | None:
        """The client, or None."""
        row = await self._unit.row(BY_ID, client_id)
        return client_of(row) if row else None

    async def by_channel_id(self, integration_id: str, external_id: str) -> LinkedClient | None:
        """The one that owns it, by the unique index."""
        row = await self._unit.row(BY_CHANNEL_ID, integration_id, external_id)
        return client_of(row) if row else None

    async def of_users(
        self, members: list[str], *, after: str | None, before: str | None, limit: int
    ) -> list[LinkedClient]:
        """A page, in the order of ids."""
        found: list[LinkedClient] = []
        cursor, side, order = (before, "<", "DESC") if before is not None else (after or "", ">", "ASC")
        for some in chunks(members):
            last = len(some) + 2
            sql = f"{OF_USERS}{id_list(some)} AND id {side} ${last} ORDER BY id {order} LIMIT ${last + 1}"
            found += [client_of(row) for row in await self._unit.rows(sql, *some, cursor, limit)]
        found.sort(key=lambda client: client.id)
        return found[-limit:] if before is not None else found[:limit]

    async def waiting(self, members: list[str]) -> int:
        """The count."""
        rows = [await self._unit.row(WAITING + id_list(some), *some) for some in chunks(members)]
        return sum(row[0] for row in rows if row)

    def add(self, client: LinkedClient) -> None:
        """Hold the new row."""
        link, profile = client.link, client.profile
        self._unit.hold(
            INSERT, client.id, client.user_id, link.type, link.integration_id, client.status, link.address,
            link.subject, int(link.primary), link.confirmation, _json(link.message), link.conversation_id,
            profile.external_id, profile.display_name, profile.avatar_url, _json(profile.info), _json(profile.raw),
            client.created_at, client.matched_at, client.linked_at, client.last_seen,
        )  # fmt: skip

    def update(self, before: LinkedClient, after: LinkedClient) -> None:
        """Hold the new state, guarded; after a removal in the same unit, since both may claim one channel id."""
        link, profile = after.link, after.profile
        self._unit.hold(
            UPDATE, after.id, after.status, link.address, link.subject, int(link.primary), _json(link.message),
            link.conversation_id, profile.external_id, profile.display_name, profile.avatar_url, _json(profile.info),
            _json(profile.raw), after.matched_at, after.linked_at, after.last_seen, before.revision,
            must=True, ordered=True,
        )  # fmt: skip

    def remove(self, client: LinkedClient, members: list[str]) -> None:
        """Hold the removal, guarded, and the end of its associations."""
        self._unit.hold(REMOVE, client.id, client.revision, must=True)
        for some in chunks(members):
            self._unit.hold(UNSUBSCRIBE + id_list(some, behind=1), _association(client), *some)

    def move(self, client: LinkedClient, conversation_id: str, members: list[str]) -> None:
        """Hold the new place of the link and of its association."""
        self._unit.hold(MOVE, client.id, conversation_id, client.revision, must=True)
        for some in chunks(members):
            self._unit.hold(UNSUBSCRIBE + id_list(some, behind=1), _association(client), *some, ordered=True)

    def subscribe(self, client: LinkedClient, members: list[str]) -> None:
        """Hold the association; nothing happens where the conversation is gone."""
        link = client.link
        for some in chunks(members):
            sql = SUBSCRIBE + id_list(some, behind=3)
            self._unit.hold(sql, _association(client), int(link.primary), link.conversation_id, *some, ordered=True)

    def deactivate(self, integration_id: str) -> None:
        """Hold the state of all of its active clients."""
        self._unit.bulky = True
        self._unit.hold(DEACTIVATE, integration_id)

    def clear_details(self, members: list[str]) -> None:
        """Hold the clearing."""
        for statement in CLEAR_DETAILS:
            self._unit.hold_for_all(statement, members)


def _association(client: LinkedClient) -> str:
    """The client as it stands in a participant's list of associations."""
    return msgspec.json.encode(ClientAssociation(client.link.type, client.id)).decode()


def _json(value: object) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


def client_of(row: Row) -> LinkedClient:
    """The client in _COLUMNS."""
    message, info, raw = (None if text is None else _decode(text) for text in (row[10], row[14], row[15]))
    link = Link(row[3], row[4], row[5], row[6], row[7], row[8], row[9] == 1, message)
    profile = Profile(row[11], row[12], row[13], info, raw)
    return LinkedClient(row[0], row[1], row[2], link, profile, row[16], row[17], row[18], row[19], row[20])
