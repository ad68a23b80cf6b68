"""Leave a device, and only this device."""

from msgspec import structs

from knownas.devices import DeviceSignedOut
from knownas.keys.tokens import UserClaims
from knownas.sessions import AnonymousProof
from knownas.sessions.reach import reach
from knownas.transaction import Transaction


async def log_out(tx: Transaction, caller: UserClaims | AnonymousProof, reference: str, guid: str | None) -> None:
    """Detach the device from the caller's own user; her other devices stay. Twice is as once.

    For an anonymous user this forgets the browser: the session she shows ends, and it was the only way back.
    Raises NotThisUser and InvalidSession. Emits device.signed_out.
    """
    if isinstance(caller, UserClaims) and await tx.users.by_external_id(caller.external_id) is None:
        return
    user = await reach(tx, caller, reference)
    members = await tx.users.members(user)
    device = await tx.devices.by_guid(guid) if guid else None
    if isinstance(caller, AnonymousProof):
        tx.sessions.end(caller)
    if device is None or device.status == "inactive" or device.user_id not in members:
        return
    tx.users.rely_on(user)
    tx.devices.update(device, structs.replace(device, status="inactive", push_token=None, last_seen=tx.now))
    tx.sessions.end_on(device, user.id)
    tx.emit(DeviceSignedOut(user.id, device.id))
