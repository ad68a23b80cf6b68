"""Stored identities."""

from typing import Final

from knownas.identities import Identity, IdentityType
from knownas.storage.unit import Unit

INSERT_OWNED: Final = """
    INSERT INTO identities (app_id, type, key, user_id, value, owned, verification, asserted_by, created_at)
    VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8)"""
INSERT_CLAIM: Final = """
    INSERT INTO identities (app_id, type, key, user_id, value, owned, verification, asserted_by, created_at)
    VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8)
    ON CONFLICT DO NOTHING"""
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
