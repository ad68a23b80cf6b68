"""Stored identities."""

from typing import Final

from knownas.identities import Identity, IdentityType
from knownas.storage.parameters import chunks, id_list
from knownas.storage.unit import Row, Unit

INSERT_OWNED: Final = """
    INSERT INTO identities (app_id, type, key, user_id, value, owned, verification, asserted_by, created_at)
    VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8)"""
INSERT_CLAIM: Final = """
    INSERT INTO identities (app_id, type, key, user_id, value, owned, verification, asserted_by, created_at)
    VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8)
    ON CONFLICT DO NOTHING"""
_COLUMNS: Final = "user_id, type, value, key, owned, verification, asserted_by, created_at"
OWNED: Final = f"SELECT {_COLUMNS} FROM identities WHERE app_id = $1 AND type = $2 AND key = $3 AND owned = 1"  # noqa: S608
OF_USERS: Final = f"SELECT {_COLUMNS} FROM identities WHERE app_id = $1 AND owned = 1 AND user_id IN "  # noqa: S608
MOVE: Final = """
    UPDATE identities SET user_id = $4, value = $5, verification = $6, asserted_by = $7, created_at = $8
    WHERE app_id = $1 AND type = $2 AND key = $3 AND owned = 1"""
RELEASE: Final = "DELETE FROM identities WHERE app_id = $1 AND type = $2 AND key = $3 AND owned = 1"
DROP_CLAIMS: Final = "DELETE FROM identities WHERE app_id = $1 AND type = $2 AND key = $3 AND owned = 0"


class IdentityRows:
    """Identities (knownas.identities.Identities) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def owned(self, type: IdentityType, key: str) -> Identity | None:
        """The owner's row, or None."""
        row = await self._unit.row(OWNED, type, key)
        return _identity_of(row) if row else None

    async def of_users(self, members: list[str]) -> list[Identity]:
        """All that they own."""
        rows = [row for some in chunks(members) for row in await self._unit.rows(OF_USERS + id_list(some), *some)]
        return sorted(map(_identity_of, rows), key=lambda identity: (identity.created_at, identity.type, identity.key))

    def add(self, identity: Identity) -> None:
        """Hold the new identity; an owned one loses its race when somebody owns it already (R1)."""
        self._unit.hold(
            INSERT_OWNED if identity.owned else INSERT_CLAIM,
            identity.type, identity.key, identity.user_id, identity.value, identity.verification,
            identity.asserted_by, identity.created_at,
        )  # fmt: skip

    def move(self, identity: Identity) -> None:
        """Hold the owner's row as another user's."""
        self._unit.hold(
            MOVE, identity.type, identity.key, identity.user_id, identity.value, identity.verification,
            identity.asserted_by, identity.created_at, must=True,
        )  # fmt: skip

    def release(self, type: IdentityType, key: str) -> None:
        """Hold the removal of the owner's row."""
        self._unit.hold(RELEASE, type, key)

    def drop_claims(self, type: IdentityType, key: str) -> None:
        """Hold the end of all claims to an identity that nobody vouched for (R2)."""
        self._unit.hold(DROP_CLAIMS, type, key)

    def remove_all(self, members: list[str]) -> None:
        """Hold the removal of all identities of these users except external ids."""
        self._unit.hold_for_all(
            "DELETE FROM identities WHERE app_id = $1 AND type <> 'external_id' AND user_id IN {ids}", members
        )


def _identity_of(row: Row) -> Identity:
    return Identity(row[0], row[1], row[2], row[3], row[4] == 1, row[5], row[6], row[7])
