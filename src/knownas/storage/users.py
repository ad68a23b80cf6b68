"""Stored users."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from knownas.identities import Identity
from knownas.identities.brands import branded
from knownas.identities.normalise import normalise
from knownas.storage.parameters import chunks, id_list
from knownas.storage.pointers import END, up
from knownas.storage.unit import Row, Unit
from knownas.users import Holdings, User

USER_COLUMNS: Final = """u.id, u.external_id, u.authenticated, u.given_name, u.surname, u.email, u.avatar_url, u.locale,
    u.metadata, u.signed_up_at, u.to_be_retained, u.client_id, u.created_at, u.brand_id, u.zendesk_id,
    u.revision, u.absorbed, u.merged_into"""
USER_WIDTH: Final = 18

_SHOWN: Final = f"""
    SELECT {USER_COLUMNS}, s.type, s.value, s.verification, s.key, s.created_at
    FROM users u
    LEFT JOIN identities s
        ON s.app_id = u.app_id AND s.user_id = u.id AND s.type <> 'external_id' AND s.owned = 1
    WHERE u.app_id = $1"""  # noqa: S608
BY_ID: Final = f"{_SHOWN} AND u.id = $2"
SURVIVOR: Final = f"{up('users')} {_SHOWN} AND u.id = {END}"
BY_EXTERNAL_ID: Final = f"""
    SELECT {USER_COLUMNS}, s.type, s.value, s.verification, s.key, s.created_at
    FROM identities x
    JOIN users u ON u.app_id = x.app_id AND u.id = x.user_id
    LEFT JOIN identities s
        ON s.app_id = u.app_id AND s.user_id = u.id AND s.type <> 'external_id' AND s.owned = 1
    WHERE x.app_id = $1 AND x.type = 'external_id' AND x.key = $2 AND x.owned = 1"""  # noqa: S608
BY_ZENDESK_ID: Final = f"""
    {_SHOWN} AND u.id = (SELECT user_id FROM zendesk_links WHERE app_id = $1 AND zendesk_id = $2)"""  # noqa: S608
LINK_ZENDESK: Final = "INSERT INTO zendesk_links (app_id, zendesk_id, user_id, created_at) VALUES ($1, $2, $3, $4)"
HOLDERS_OF: Final = """
    SELECT user_id, 1 AS owned FROM identities WHERE app_id = $1 AND type = $2 AND key = $3 AND owned = 1
    UNION ALL
    SELECT user_id, 0 AS owned FROM identities WHERE app_id = $1 AND type = $2 AND key = $3 AND owned = 0
    ORDER BY owned DESC LIMIT 100"""
IDENTITIES_OF: Final = """
    SELECT user_id, type, value, verification, key, created_at FROM identities
    WHERE app_id = $1 AND type <> 'external_id' AND owned = 1 AND user_id IN """
# The whole family of one user, found along the pointers from the survivor down.
MEMBERS: Final = """
    WITH RECURSIVE member(id) AS (
        SELECT CAST($2 AS TEXT)
        UNION
        SELECT u.id FROM users u JOIN member m ON u.app_id = $1 AND u.merged_into = m.id
    )
    SELECT id FROM member"""
INSERT_USER: Final = """
    INSERT INTO users (app_id, id, external_id, authenticated, given_name, surname, email, avatar_url, locale,
        metadata, signed_up_at, to_be_retained, client_id, created_at, brand_id, zendesk_id,
        revision, absorbed, merged_into, seq)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 1, 0, NULL, $17)"""

REMOVE_ROWS: Final = (
    "DELETE FROM identities WHERE app_id = $1 AND user_id IN {ids}",
    "DELETE FROM devices WHERE app_id = $1 AND user_id IN {ids}",
    "DELETE FROM sessions WHERE app_id = $1 AND user_id IN {ids}",
    "DELETE FROM clients WHERE app_id = $1 AND user_id IN {ids}",
    "DELETE FROM zendesk_links WHERE app_id = $1 AND user_id IN {ids}",
)
FORGET_PROFILES: Final = (
    """UPDATE users SET given_name = NULL, surname = NULL, email = NULL, avatar_url = NULL, locale = NULL,
        metadata = '{}', signed_up_at = NULL, zendesk_id = NULL
        WHERE app_id = $1 AND id IN {ids}""",
    "DELETE FROM zendesk_links WHERE app_id = $1 AND user_id IN {ids}",
)
REMOVE_USER: Final = "DELETE FROM users WHERE app_id = $1 AND id = $2 AND revision = $3 AND merged_into IS NULL"


POINTERS: Final = f"""{up("users")}
    SELECT u.id, u.revision, u.merged_into FROM up JOIN users u ON u.app_id = $1 AND u.id = up.id"""  # noqa: S608
UNPOINT: Final = """
    UPDATE users SET merged_into = NULL, revision = revision + 1 WHERE app_id = $1 AND id = $2 AND merged_into = $3"""
HOLDINGS: Final = (
    """SELECT count(*), CAST(coalesce(sum(message_count), 0) AS BIGINT) FROM conversations
        WHERE app_id = $1 AND merged_into IS NULL AND id IN (
            SELECT conversation_id FROM participants WHERE app_id = $1 AND user_id IN {ids})""",
    "SELECT count(*), 0 FROM devices WHERE app_id = $1 AND user_id IN {ids}",
    "SELECT count(*), 0 FROM clients WHERE app_id = $1 AND user_id IN {ids}",
)


class UserRows:
    """Users (knownas.users.Users) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def by_id(self, user_id: str) -> User | None:
        """The user or the survivor."""
        return await self._survivor(await self._unit.rows(BY_ID, user_id))

    async def led_to(self, user_id: str) -> User | None:
        """Whom the pointers of a merged user lead to: what is written on the strength of it relies on them."""
        end = user_id
        for row in await self._unit.rows(POINTERS, user_id):
            if row[2] is None:
                end = row[0]
            else:
                self._unit.follow(row[0], row[1])
        return await self.by_id(end)

    async def by_external_id(self, external_id: str, brand_id: str | None = None) -> User | None:
        """The user or the survivor."""
        key = branded("external_id", external_id, brand_id) if brand_id else normalise("external_id", external_id)
        return await self._survivor(await self._unit.rows(BY_EXTERNAL_ID, key))

    async def by_zendesk_id(self, zendesk_id: str) -> User | None:
        """The user or the survivor."""
        return await self._survivor(await self._unit.rows(BY_ZENDESK_ID, zendesk_id))

    async def by_email(self, email_key: str) -> list[User]:
        """The owner first, then the claimants."""
        found: dict[str, User] = {}
        for user_id, _owned in await self._unit.rows(HOLDERS_OF, "email", email_key):
            user = await self.by_id(user_id)
            if user is not None:
                found.setdefault(user.id, user)
        return list(found.values())

    async def members(self, user: User) -> list[str]:
        """Her own id and those merged into her; a question to the database only where there are some."""
        if not user.absorbed:
            return [user.id]
        return [row[0] for row in await self._unit.rows(MEMBERS, user.id)]

    async def stored(self, user_id: str) -> User | None:
        """As the row is, pointer or not."""
        rows = await self._unit.rows(BY_ID, user_id)
        return user_of(rows[0]) if rows else None

    async def holdings(self, members: list[str]) -> Holdings:
        """Three questions for each thousand ids."""
        conversations = messages = devices = clients = 0
        for some in chunks(members):
            found = [await self._unit.rows(sql.replace("{ids}", id_list(some)), *some) for sql in HOLDINGS]
            conversations += found[0][0][0]
            messages += found[0][0][1]
            devices += found[1][0][0]
            clients += found[2][0][0]
        return Holdings(conversations, messages, devices, clients)

    def separate(self, user: User) -> None:
        """Hold the end of the pointer, guarded by where it points."""
        self._unit.hold(UNPOINT, user.id, user.merged_into, must=True)

    def add(self, user: User) -> None:
        """Hold the new row."""
        self._unit.hold_fresh(
            user.id, INSERT_USER, self._unit.app_id, user.id, user.external_id, int(user.authenticated),
            user.given_name, user.surname, user.email, user.avatar_url, user.locale, to_json(user.metadata),
            user.signed_up_at,
            None if user.to_be_retained is None else int(user.to_be_retained), user.client_id, user.created_at,
            user.brand_id, user.zendesk_id,
        )  # fmt: skip

    def rely_on(self, user: User) -> None:
        """Guard her row by the revision that was read. One whom this unit makes needs no guard."""
        if user.id not in self._unit.fresh:
            self._unit.patch(user.id).revision = user.revision

    def read_of(self, user: User) -> None:
        """Have her row locked for reading while this is written; her revision stays."""
        self._unit.share(user.id, user.revision)

    def change(self, user: User, **columns: object) -> None:
        """Hold new values for her row, guarded."""
        self.rely_on(user)
        patch = self._unit.patch(user.id)
        for name, value in columns.items():
            if isinstance(value, dict):
                patch.columns[name] = to_json(value)
            else:
                patch.columns[name] = int(value) if isinstance(value, bool) else value

    def link_zendesk(self, user: User, zendesk_id: str) -> None:
        """Hold the link, guarded by its primary key, and what the user shows."""
        self.change(user, zendesk_id=zendesk_id)
        self._unit.hold(LINK_ZENDESK, zendesk_id, user.id, self._unit.now)

    def drop_external_id(self, members: list[str], external_id: str) -> None:
        """Hold it on the rows of those merged away, which no patch touches."""
        for some in chunks(members):
            sql = "UPDATE users SET external_id = NULL WHERE app_id = $1 AND id IN " + id_list(some)  # noqa: S608
            self._unit.hold(f"{sql} AND external_id = ${len(some) + 2}", *some, external_id)

    def remove(self, user: User) -> None:
        """Hold the removal of her row."""
        self._unit.hold(REMOVE_USER, user.id, user.revision, must=True)

    def unmake(self, user: User) -> None:
        """Hold the removal of her rows and of her stream, and that what names her as a claimant names nobody yet.

        After what is held so far: an identity may just leave her, and the same unit may write those rows.
        """
        self.remove(user)
        self.remove_rows([user.id])
        for table in ("conflicts", "resolutions"):
            claims = f"UPDATE {table} SET claimant_id = NULL WHERE app_id = $1 AND claimant_id = $2"  # noqa: S608
            self._unit.hold(claims, user.id, ordered=True)
        self._unit.hold("DELETE FROM events WHERE app_id = $1 AND stream = $2", user.id, ordered=True)

    def remove_rows(self, members: list[str]) -> None:
        """Hold the removal of the rows that carry these ids."""
        self._unit.hold_for_all("DELETE FROM users WHERE app_id = $1 AND id IN {ids}", members[1:])
        for statement in REMOVE_ROWS:
            self._unit.hold_for_all(statement, members)

    def forget_profiles(self, members: list[str]) -> None:
        """Hold the clearing; her own row is cleared by a change."""
        clear, unlink = FORGET_PROFILES
        self._unit.hold_for_all(clear, members[1:])
        self._unit.hold_for_all(unlink, members)

    async def _survivor(self, rows: Sequence[Row]) -> User | None:
        """The user of these rows, or whom she was merged into; pointers never form a circle."""
        if rows and rows[0][USER_WIDTH - 1] is not None:
            rows = await self._unit.rows(SURVIVOR, rows[0][0])
        if not rows:
            return None
        user = user_of(rows[0], shown_identities(rows))
        if not user.absorbed:
            return user
        members = await self.members(user)
        shown = [row for some in chunks(members) for row in await self._unit.rows(IDENTITIES_OF + id_list(some), *some)]
        identities = tuple(
            Identity(
                user.id, row[1], row[2], row[4], owned=True, verification=row[3], asserted_by=None, created_at=row[5]
            )
            for row in shown
        )
        return msgspec.structs.replace(user, identities=identities)


def to_json(value: object) -> str:
    """A value as the JSON text that is stored."""
    return msgspec.json.encode(value).decode() if value else "{}"


def shown_identities(rows: Sequence[Row]) -> tuple[Identity, ...]:
    """The identities joined behind the user's columns; a user without any has one row of nulls."""
    if rows[0][USER_WIDTH] is None:
        return ()
    return tuple(
        Identity(
            row[0],
            row[USER_WIDTH],
            row[USER_WIDTH + 1],
            row[USER_WIDTH + 3],
            owned=True,
            verification=row[USER_WIDTH + 2],
            asserted_by=None,
            created_at=row[USER_WIDTH + 4],
        )
        for row in rows
    )


_decode_metadata: Final = msgspec.json.Decoder(dict[str, Any]).decode


def user_of(row: Row, identities: tuple[Identity, ...] = ()) -> User:
    """The user in USER_COLUMNS, whatever follows them."""
    retained = row[10]
    return User(
        row[0], row[1], row[2] == 1, row[3], row[4], row[5], row[6], row[7],
        {} if row[8] == "{}" else _decode_metadata(row[8]), row[9], None if retained is None else retained == 1,
        row[11], row[12], row[15], row[16], row[17], identities, row[13], row[14],
    )  # fmt: skip
