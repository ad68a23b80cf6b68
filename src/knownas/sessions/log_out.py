"""Leave a device, and only this device."""

from msgspec import structs

from knownas.devices import DeviceSignedOut
from knownas.transaction import Transaction
from knownas.users import User


async def log_out(tx: Transaction, user: User, guid: str | None) -> None:
    """Detach the device from the user; her other devices stay. Twice is as once. Emits device.signed_out.

    For an anonymous user this forgets the browser: her session on it ends, since it was the only way back.
    """
    device = await tx.devices.by_guid(guid) if guid else None
    if device is None or device.status == "inactive" or device.user_id not in await tx.users.members(user):
        return
    tx.devices.update(structs.replace(device, status="inactive", push_token=None, last_seen=tx.now))
    tx.sessions.end_on(device, user.id)
    tx.emit(DeviceSignedOut(user.id, device.id))
