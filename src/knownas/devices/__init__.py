"""A device: one browser or one installed app in which a user meets the business.

All devices of a user form her one client of type `sdk`, which is therefore not stored but read off them
(docs/decisions/0004-one-sdk-client-per-user.md).
"""

from typing import Any, Literal, Protocol

from msgspec import Struct

from knownas.errors import DomainError
from knownas.users import User

DeviceStatus = Literal["active", "inactive"]


class DeviceInfo(Struct, frozen=True):
    """What a device says about itself. `guid` is made by its SDK once per install and kept across log-outs."""

    guid: str
    platform: str
    integration_id: str | None = None
    info: dict[str, Any] | None = None
    app_version: str | None = None
    push_token: str | None = None


class Device(Struct, frozen=True):
    """One device as stored; it belongs to exactly one user. Times are in milliseconds."""

    id: str
    guid: str
    user_id: str
    platform: str
    integration_id: str | None
    status: DeviceStatus
    last_seen: int
    push_token: str | None
    info: dict[str, Any] | None
    app_version: str | None
    created_at: int


class SdkClient(Struct, frozen=True):
    """A user's devices taken together. Times are in milliseconds."""

    id: str
    active: bool
    last_seen: int
    linked_at: int


class DeviceSignedIn(Struct, frozen=True, tag_field="event", tag="device.signed_in"):
    """The device now belongs to this user: it is new, came back, or was somebody else's.

    `user` and `device` are given where it is her first, so that her client of type `sdk` came into being with it.
    """

    user_id: str
    device_id: str
    user: User | None = None
    device: Device | None = None


class DeviceSignedOut(Struct, frozen=True, tag_field="event", tag="device.signed_out"):
    """The device no longer acts for this user: she logged out on it, or somebody else logged in."""

    user_id: str
    device_id: str


class DeviceNotFound(DomainError):
    """This user has no such device."""

    kind = "not_found"
    code = "device_not_found"

    def __init__(self) -> None:
        super().__init__("Device not found")


class ClientNotFound(DomainError):
    """This user has no such client."""

    kind = "not_found"
    code = "client_not_found"

    def __init__(self) -> None:
        super().__init__("Client not found")


class SdkClientStays(DomainError):
    """The client of type `sdk` is the sum of a user's devices and cannot be removed by itself."""

    kind = "invalid"
    code = "bad_request"

    def __init__(self) -> None:
        super().__init__("Cannot remove a client of type 'sdk'")


class Devices(Protocol):
    """What verbs ask of the app's stored devices."""

    async def by_guid(self, guid: str) -> Device | None:
        """The device, whomever it belongs to, or None."""
        ...

    async def of_users(self, members: list[str]) -> list[Device]:
        """The devices of these users, last seen first, at most 100."""
        ...

    def add(self, device: Device) -> None:
        """Hold the new device for writing."""
        ...

    def update(self, before: Device, after: Device) -> None:
        """Hold the device's new state, its user included; loses its race when it is no longer `before`'s user's."""
        ...

    def seen(self, device: Device, now: int) -> None:
        """Hold the time at which the device was last seen."""
        ...

    def clear_details(self, members: list[str]) -> None:
        """Hold the clearing of what the users' devices say about themselves."""
        ...
