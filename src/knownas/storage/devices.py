"""Stored devices."""

from typing import Any, Final

import msgspec

from knownas.devices import Device
from knownas.storage.parameters import chunks, id_list
from knownas.storage.unit import Row, Unit

DEVICE_COLUMNS: Final = """d.id, d.guid, d.user_id, d.platform, d.integration_id, d.status, d.last_seen, d.push_token,
    d.info, d.app_version, d.created_at"""
DEVICE_WIDTH: Final = 11

BY_GUID: Final = f"SELECT {DEVICE_COLUMNS} FROM devices d WHERE d.app_id = $1 AND d.guid = $2"  # noqa: S608
OF_USERS: Final = f"SELECT {DEVICE_COLUMNS} FROM devices d WHERE d.app_id = $1 AND d.user_id IN "  # noqa: S608
INSERT_DEVICE: Final = """
    INSERT INTO devices (app_id, guid, id, user_id, platform, integration_id, status, last_seen, push_token, info,
        app_version, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"""
UPDATE_DEVICE: Final = """
    UPDATE devices SET user_id = $3, platform = $4, integration_id = $5, status = $6, last_seen = $7, push_token = $8,
        info = $9, app_version = $10
    WHERE app_id = $1 AND guid = $2 AND user_id = $11 AND status = $12"""
CLEAR_DETAILS: Final = """
    UPDATE devices SET info = NULL, push_token = NULL, app_version = NULL WHERE app_id = $1 AND user_id IN {ids}"""
SEEN: Final = "UPDATE devices SET last_seen = $3 WHERE app_id = $1 AND guid = $2 AND last_seen < $3"

LISTED_AT_MOST: Final = 100


class DeviceRows:
    """Devices (knownas.devices.Devices) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def by_guid(self, guid: str) -> Device | None:
        """The device, or None."""
        row = await self._unit.row(BY_GUID, guid)
        return device_of(row) if row else None

    async def of_users(self, members: list[str]) -> list[Device]:
        """Last seen first, at most 100."""
        found: list[Device] = []
        for some in chunks(members):
            sql = f"{OF_USERS}{id_list(some)} ORDER BY d.last_seen DESC, d.id LIMIT {LISTED_AT_MOST}"
            found += [device_of(row) for row in await self._unit.rows(sql, *some)]
        return sorted(found, key=lambda device: (-device.last_seen, device.id))[:LISTED_AT_MOST]

    def add(self, device: Device) -> None:
        """Hold the new row; loses its race when the guid has been taken."""
        self._unit.hold(
            INSERT_DEVICE, device.guid, device.id, device.user_id, device.platform, device.integration_id,
            device.status, device.last_seen, device.push_token, _json(device.info), device.app_version,
            device.created_at,
        )  # fmt: skip

    def update(self, before: Device, after: Device) -> None:
        """Hold the device's new state, guarded by whose it was."""
        device = after
        self._unit.hold(
            UPDATE_DEVICE, device.guid, device.user_id, device.platform, device.integration_id, device.status,
            device.last_seen, device.push_token, _json(device.info), device.app_version,
            before.user_id, before.status, must=True,
        )  # fmt: skip

    def seen(self, device: Device, now: int) -> None:
        """Hold the time; of two at once the later stays."""
        self._unit.hold(SEEN, device.guid, now, slight=True)

    def clear_details(self, members: list[str]) -> None:
        """Hold the clearing of what the users' devices say about themselves."""
        self._unit.hold_for_all(CLEAR_DETAILS, members)


def _json(info: dict[str, Any] | None) -> str | None:
    return None if info is None else msgspec.json.encode(info).decode()


_decode_info: Final = msgspec.json.Decoder(dict[str, Any]).decode


def device_of(row: Row, at: int = 0) -> Device:
    """The device in DEVICE_COLUMNS from column `at` on."""
    info = row[at + 8]
    return Device(
        row[at], row[at + 1], row[at + 2], row[at + 3], row[at + 4], row[at + 5], row[at + 6], row[at + 7],
        None if info is None else _decode_info(info), row[at + 9], row[at + 10],
    )  # fmt: skip
