"""App users, clients and settings as SDKs spell them (facts on the SDK protocol, sections 1.3 to 1.5)."""

from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from knownas.devices import Device, DeviceInfo
from knownas.http.wire import Metadata, Timestamp, email_label, iso, to_ms
from knownas.sessions import Access
from knownas.users import User, UserChanges

Guid = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]
Short = Annotated[str, Meta(max_length=128)]
INFO_ENTRIES: Final = 50
INFO_CHARACTERS: Final = 1024


class ClientBody(Struct, rename="camel"):
    """`client`: the device that calls."""

    id: Guid
    platform: Literal["web", "ios", "android"] = "web"
    integration_id: Short | None = None
    info: dict[str, Any] | None = None
    app_version: Short | None = None
    push_notification_token: Annotated[str, Meta(max_length=4096)] | None = None

    def device(self) -> DeviceInfo:
        """The device it describes. A page's address may be of any length, so what is long is cut and not refused."""
        return DeviceInfo(
            self.id, self.platform, self.integration_id, cut(self.info), self.app_version, self.push_notification_token
        )


class ProfileBody(Struct, rename="camel"):
    """What an SDK says about its user. It sends an empty text for what the user left empty."""

    given_name: Short | None | UnsetType = UNSET
    surname: Short | None | UnsetType = UNSET
    email: Short | None | UnsetType = UNSET
    avatar_url: Annotated[str, Meta(max_length=2048, pattern="^(https?://|$)")] | None | UnsetType = UNSET
    locale: Annotated[str, Meta(max_length=64)] | None | UnsetType = UNSET
    signed_up_at: Timestamp | None | UnsetType = UNSET
    properties: Metadata | None | UnsetType = UNSET

    def changes(self) -> UserChanges:
        """The same for the core."""
        return UserChanges(
            given_name=_or_none(self.given_name),
            surname=_or_none(self.surname),
            email=email_label(_or_none(self.email), "email"),
            avatar_url=_or_none(self.avatar_url),
            locale=_or_none(self.locale),
            metadata=self.properties,
            signed_up_at=to_ms(self.signed_up_at, "signedUpAt"),
        )


class CreateBody(ProfileBody, rename="camel"):
    """The body of `POST appusers`."""

    user_id: str | None = None
    client: ClientBody | None = None
    conversation: Any = None


class LoginBody(ProfileBody, rename="camel"):
    """The body of `login`: `userId` is the external id, `appUserId` and `sessionToken` prove the anonymous user."""

    user_id: str | None = None
    app_user_id: str | None = None
    session_token: str | None = None
    client: ClientBody | None = None


class ClientReference(Struct):
    """The client of a log-out, of which only the id is sent by some."""

    id: Guid | None = None


class LogoutBody(Struct):
    """The body of `logout`."""

    client: ClientReference = field(default_factory=ClientReference)


def _or_none(text: str | None | UnsetType) -> str | None | UnsetType:
    return None if text == "" else text


def cut(info: dict[str, Any] | None) -> dict[str, Any] | None:
    """Flat, short and bounded: the entries that are plain values, and of long texts the beginning."""
    if info is None:
        return None
    short: dict[str, Any] = {}
    for name, value in info.items():
        if isinstance(value, str):
            short[name[:64]] = value[:INFO_CHARACTERS]
        elif isinstance(value, (int, float)):
            short[name[:64]] = value
        else:
            continue
        if len(short) == INFO_ENTRIES:
            break
    return short


class Client(Struct, rename="camel"):
    """One of the user's devices, as `clients` lists them. Push tokens stay on the server."""

    id: str
    platform: str
    integration_id: str | None
    status: str
    active: bool
    last_seen: str
    linked_at: str
    info: dict[str, Any]
    app_version: str | None


def client(device: Device) -> Client:
    """The device on the wire."""
    return Client(
        device.guid, device.platform, device.integration_id, device.status, device.status == "active",
        iso(device.last_seen), iso(device.created_at), device.info or {}, device.app_version,
    )  # fmt: skip


class AppUser(Struct, rename="camel", omit_defaults=True):
    """`appUser`. An unknown field is left out; `userId` is the external id."""

    id: str = field(name="_id")
    clients: list[Client]
    properties: dict[str, Any]
    conversation_started: bool
    has_payment_info: bool
    pending_clients: tuple[Client, ...]
    user_id: str | None = None
    given_name: str | None = None
    surname: str | None = None
    email: str | None = None
    avatar_url: str | None = None
    locale: str | None = None
    signed_up_at: str | None = None


def app_user(user: User, devices: list[Device]) -> AppUser:
    """The user on the wire, with her devices as the clients that they are to SDKs."""
    signed_up_at = None if user.signed_up_at is None else iso(user.signed_up_at)
    return AppUser(
        user.id, [client(device) for device in devices], user.metadata, False, False, (), user.external_id,
        user.given_name, user.surname, user.email, user.avatar_url, user.locale, signed_up_at,
    )  # fmt: skip


def state(user: User, devices: list[Device]) -> dict[str, Any]:
    """What every answer about a user holds."""
    return {
        "appUser": app_user(user, devices),
        "conversations": [],
        "conversationsPagination": {"hasMore": False},
        "settings": SETTINGS,
    }


def access(access: Access) -> dict[str, Any]:
    """The state of a user who signed in, with the session token of an anonymous one."""
    body = state(access.user, access.devices)
    if access.session_token is not None:
        body["sessionToken"] = access.session_token
    return body


REALTIME: Final = {"enabled": False, "retryInterval": 15, "maxConnectionAttempts": 3, "connectionDelay": 10}
PROFILE: Final = {"enabled": True, "uploadInterval": 60}
SETTINGS: Final = {"realtime": REALTIME, "profile": PROFILE, "typing": {"enabled": True}}
"""How often to send the profile, and whether to connect for realtime events."""
