"""The client of type `sdk`: all of a user's devices as the one channel that they are."""

from knownas.devices import Device, DeviceNotFound, SdkClient
from knownas.transaction import Transaction
from knownas.users import User


async def list_devices(tx: Transaction, user: User) -> list[Device]:
    """The user's devices, those of users merged into her included, last seen first; at most 100."""
    return await tx.devices.of_users(await tx.users.members(user))


async def get_device(tx: Transaction, user: User, device_id: str) -> Device:
    """The user's device. Raises DeviceNotFound."""
    for device in await list_devices(tx, user):
        if device.id == device_id:
            return device
    raise DeviceNotFound


def sdk_client(user: User, devices: list[Device]) -> SdkClient | None:
    """The client that these devices of `user` form, or None when there are none."""
    if not devices:
        return None
    return SdkClient(
        id=user.client_id,
        active=any(device.status == "active" for device in devices),
        last_seen=max(device.last_seen for device in devices),
        linked_at=min(device.created_at for device in devices),
    )
