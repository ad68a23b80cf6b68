"""Make a device a user's own and nobody else's (R6.6)."""

from msgspec import structs

from knownas.devices import Device, DeviceInfo, DeviceSignedIn, DeviceSignedOut
from knownas.transaction import Transaction
from knownas.users import User


def attach(
    tx: Transaction, user: User, info: DeviceInfo, device: Device | None, former: User | None, *, first: bool = False
) -> Device:
    """Hold the device for `user`, as it now describes itself.

    `device` is what was stored under its guid, `former` the user whom it belonged to if that was somebody else:
    her session on it ends. A device that was the user's already is only seen again, and stays under whichever of her
    ids it was: so it goes back with whom a merge's undoing gives back. `first` says that she had none.
    Emits device.signed_in, and device.signed_out for the former user.
    """
    if device is None:
        device = Device(
            tx.new_id(), info.guid, user.id, info.platform, info.integration_id, "active",
            tx.now, info.push_token, info.info, info.app_version, tx.now,
        )  # fmt: skip
        tx.devices.add(device)
        tx.emit(_signed_in(user, device, first))
        return device
    current = structs.replace(
        device,
        user_id=user.id if former is not None else device.user_id,
        platform=info.platform,
        integration_id=info.integration_id or device.integration_id,
        status="active",
        push_token=info.push_token or device.push_token,
        info=info.info if info.info is not None else device.info,
        app_version=info.app_version or device.app_version,
    )
    if current == device:
        tx.devices.seen(device, tx.now)
        return device
    current = structs.replace(current, last_seen=tx.now)
    tx.devices.update(device, current)
    if former is not None:
        tx.users.rely_on(former)
        tx.sessions.end_on(device, former.id)
        if device.status == "active":
            tx.emit(DeviceSignedOut(former.id, device.id))
    if former is not None or device.status == "inactive":
        tx.emit(_signed_in(user, current, first))
    return current


def _signed_in(user: User, device: Device, first: bool) -> DeviceSignedIn:
    return DeviceSignedIn(user.id, device.id, user, device) if first else DeviceSignedIn(user.id, device.id)
