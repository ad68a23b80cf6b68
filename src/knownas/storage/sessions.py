"""Stored sessions, and the one question that a login asks."""

from typing import Any, Final

import msgspec

from knownas.conflicts import Standing
from knownas.devices import Device
from knownas.identities import Holder
from knownas.identities.normalise import normalise
from knownas.sessions import AnonymousProof, Session, Situation
from knownas.storage.conflicts import CASE_COLUMNS, case_of
from knownas.storage.devices import DEVICE_COLUMNS, DEVICE_WIDTH, LISTED_AT_MOST, DeviceRows, device_of
from knownas.storage.unit import Row, Unit
from knownas.storage.users import HOLDERS_OF, USER_COLUMNS, USER_WIDTH, UserRows, shown_identities, user_of
from knownas.users import User

# One row: the user with this external id (or nulls), her devices as one JSON text, the device with this guid whoever
# has it, the owner of the e-mail, and whether others claim it. An owner who is somebody else comes along whole, with
# the case of this claim and her identities as JSON texts, so that a refusal needs no further question.
SITUATION: Final = f"""
    SELECT {USER_COLUMNS}, {DEVICE_COLUMNS.replace("d.", "g.")}, e.user_id,
        EXISTS (SELECT 1 FROM identities c WHERE c.app_id = $1 AND c.type = 'email' AND c.key = $3 AND c.owned = 0),
        CASE WHEN e.user_id <> COALESCE(x.user_id, '') THEN (
            SELECT json_build_array({USER_COLUMNS.replace("u.", "o.")}, {CASE_COLUMNS}) FROM users o
            LEFT JOIN conflicts k ON k.app_id = $1 AND k.type = 'email' AND k.key = $3 AND k.claimant = $5
            WHERE o.app_id = $1 AND o.id = e.user_id
        ) END,
        CASE WHEN e.user_id <> COALESCE(x.user_id, '') THEN (
            SELECT json_agg(json_build_array(s.type, s.value, s.verification, s.key, s.created_at)) FROM identities s
            WHERE s.app_id = $1 AND s.user_id = e.user_id AND s.type <> 'external_id' AND s.owned = 1
        ) END,
        (SELECT json_agg(json_build_array({DEVICE_COLUMNS})) FROM (
            SELECT * FROM devices WHERE app_id = $1 AND user_id = u.id LIMIT {LISTED_AT_MOST}
        ) d)
    FROM (SELECT 1) AS one
    LEFT JOIN identities x ON x.app_id = $1 AND x.type = 'external_id' AND x.key = $2 AND x.owned = 1
    LEFT JOIN users u ON u.app_id = $1 AND u.id = x.user_id
    LEFT JOIN devices g ON g.app_id = $1 AND g.guid = $4
    LEFT JOIN identities e ON e.app_id = $1 AND e.type = 'email' AND e.key = $3 AND e.owned = 1"""  # noqa: S608
VISITOR: Final = f"""
    SELECT {USER_COLUMNS}
    FROM sessions s JOIN users u ON u.app_id = s.app_id AND u.id = s.user_id
    WHERE s.app_id = $1 AND s.token_hash = $2"""  # noqa: S608
# Who owns the identity in the end, as one question with the revision that a decision about her relies on.
OWNER: Final = """
    WITH RECURSIVE up(id, merged_into, revision) AS (
        SELECT u.id, u.merged_into, u.revision
        FROM identities e JOIN users u ON u.app_id = $1 AND u.id = e.user_id
        WHERE e.app_id = $1 AND e.type = $2 AND e.key = $3 AND e.owned = 1
        UNION
        SELECT u.id, u.merged_into, u.revision FROM up JOIN users u ON u.app_id = $1 AND u.id = up.merged_into
    )
    SELECT id, revision FROM up WHERE merged_into IS NULL"""
MERGED_INTO: Final = "SELECT id FROM users WHERE app_id = $1 AND id = $2 AND merged_into IS NOT NULL"
INSERT_SESSION: Final = """
    INSERT INTO sessions (app_id, token_hash, user_id, device_guid, created_at) VALUES ($1, $2, $3, $4, $5)"""
END: Final = "DELETE FROM sessions WHERE app_id = $1 AND token_hash = $2"
END_ON_DEVICE: Final = "DELETE FROM sessions WHERE app_id = $1 AND user_id = $2 AND device_guid = $3"

_GUID_AT: Final = USER_WIDTH
_OWNER_AT: Final = _GUID_AT + DEVICE_WIDTH
_CONTEST_AT: Final = _OWNER_AT + 2
_DEVICES_AT: Final = _CONTEST_AT + 2
_decode_rows: Final = msgspec.json.Decoder(list[list[Any]]).decode
_decode_row: Final = msgspec.json.Decoder(list[Any]).decode


class SessionRows:
    """Sessions (knownas.sessions.Sessions) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def situation(
        self, external_id: str, email_key: str | None, guid: str | None, proof: AnonymousProof | None
    ) -> Situation:
        """All that a login has to know: one question in the common case, more where users were merged."""
        key = normalise("external_id", external_id)
        first = await self._unit.sole_row(SITUATION, key, email_key, guid, external_id)
        visitor = await self.visitor(proof) if proof else None
        device = device_of(first, _GUID_AT) if first[_GUID_AT] is not None else None
        known, devices = await self._known(first)
        owner, claimed, contest, identities = first[_OWNER_AT:_DEVICES_AT]
        row = first if contest is None else _decode_row(contest)  # her own, or somebody else's
        merged, standing = row[USER_WIDTH - 1], None
        revision = None if owner is None else row[USER_WIDTH - 3]
        if claimed or (owner is not None and merged is not None):
            holders, revision = await self._holders(email_key)
        else:
            holders = [] if owner is None else [Holder(owner, owned=True)]
            standing = None if contest is None else _standing_of(row, identities)
        return Situation(known, devices, device, holders, visitor, revision, standing)

    async def _known(self, row: Row) -> tuple[User | None, list[Device]]:
        """The user with the external id and her devices; for a merged one, the survivor and all of theirs."""
        if row[0] is None:
            return None, []
        if row[USER_WIDTH - 1] is None and not row[USER_WIDTH - 2]:
            devices = _decode_rows(row[_DEVICES_AT]) if row[_DEVICES_AT] else []
            return user_of(row), [device_of(device) for device in devices]
        users = UserRows(self._unit)
        user = await users.by_id(row[0])
        if user is None:
            return None, []
        return user, await DeviceRows(self._unit).of_users(await users.members(user))

    async def _holders(self, key: str | None) -> tuple[list[Holder], int | None]:
        """Who has the e-mail, with survivors in the place of those who were merged into them; the owner's revision."""
        users = UserRows(self._unit)
        owner = await self._unit.row(OWNER, "email", key)
        holders = [Holder(owner[0], owned=True)] if owner else []
        for user_id, owned in await self._unit.rows(HOLDERS_OF, "email", key):
            if owned == 1:
                continue
            merged = await self._unit.row(MERGED_INTO, user_id)
            survivor = await users.by_id(user_id) if merged else None
            holders.append(Holder(survivor.id if survivor else user_id, owned=False))
        return holders, owner[1] if owner else None

    async def visitor(self, proof: AnonymousProof) -> User | None:
        """The anonymous user whose session this is."""
        row = await self._unit.row(VISITOR, proof.token_hash)
        if row is None or row[0] != proof.user_id or row[1] is not None or row[USER_WIDTH - 1] is not None:
            return None
        return user_of(row)

    def add(self, session: Session) -> None:
        """Hold the new session."""
        self._unit.hold(INSERT_SESSION, session.token_hash, session.user_id, session.device_guid, session.created_at)

    def end(self, proof: AnonymousProof) -> None:
        """Hold the end of one session."""
        self._unit.hold(END, proof.token_hash)

    def end_all(self, members: list[str]) -> None:
        """Hold the end of all sessions of these users."""
        self._unit.hold_for_all("DELETE FROM sessions WHERE app_id = $1 AND user_id IN {ids}", members)

    def end_on(self, device: Device, user_id: str) -> None:
        """Hold the end of this user's sessions on one device."""
        self._unit.hold(END_ON_DEVICE, user_id, device.guid)


def _standing_of(row: Row, identities: str | None) -> Standing | None:
    """What stands against a claim; None where others were merged into the owner, whose identities are hers too."""
    shown = [(*row[:USER_WIDTH], *identity) for identity in _decode_rows(identities or "[]")]
    owner = user_of(row, shown_identities(shown) if shown else ())
    if owner.absorbed:
        return None
    return Standing(owner, case_of(row[USER_WIDTH:]) if row[USER_WIDTH] is not None else None)
