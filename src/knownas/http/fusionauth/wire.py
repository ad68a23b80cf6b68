"""Users and requests as FusionAuth spells them (`User`, `UserIdentity`, `EventInfo` of spec/fusionauth.yaml).

What is not there is left out; there is no null. Times are in milliseconds, as they are here.
"""

from typing import Any, Final

from knownas.conflicts import Place, RequestInfo
from knownas.identities import Identity, IdentityType
from knownas.identities.normalise import normalise
from knownas.ids import uuid_of
from knownas.users import User

Body = dict[str, Any]

LOGIN_IDS: Final[dict[IdentityType, str]] = {"email": "email", "phone": "phoneNumber", "username": "username"}
"""What FusionAuth calls the identities by which a user can be found; it has no external id."""
_REASONS: Final = {"sso": "Trusted", "api": "Administrative"}


def login_id(type: IdentityType, value: str) -> str:
    """An identity's value as FusionAuth keeps it: e-mails in lower case, phones in E.164, user names as given."""
    if type == "email":
        return value.lower()
    return normalise(type, value) if type == "phone" else value


def user(user: User, app_id: str) -> Body:
    """`User`, without anything secret, as events have it."""
    identities = [one for one in user.identities if one.type in LOGIN_IDS and one.owned]
    login_ids = {LOGIN_IDS[one.type]: login_id(one.type, one.value) for one in reversed(identities)}
    shown = [identity(one) for one in identities]
    phone = login_ids.get("phoneNumber")
    return _present(
        id=uuid_of(user.id),
        tenantId=uuid_of(app_id),
        active=True,
        **login_ids,
        mobilePhone=phone,
        usernameStatus="ACTIVE" if "username" in login_ids else None,
        firstName=user.given_name,
        lastName=user.surname,
        fullName=" ".join(part for part in (user.given_name, user.surname) if part) or None,
        imageUrl=user.avatar_url,
        preferredLanguages=[user.locale.replace("-", "_")] if user.locale else None,
        legacyIdentifier=user.external_id,
        data=user.metadata,
        insertInstant=user.created_at,
        identities=sorted(shown, key=lambda one: (one["insertInstant"], one["type"], one["value"])),
        memberships=[],
        registrations=[],
        verified=bool(shown) and all(one["verified"] for one in shown),
    )


def identity(identity: Identity) -> Body:
    """`UserIdentity`. A user name is compared without its case, and shown with it."""
    verified = identity.verification in _REASONS
    of_username = identity.type == "username"
    return _present(
        type=LOGIN_IDS[identity.type],
        value=login_id(identity.type, identity.value),
        displayValue=identity.value if of_username else None,
        moderationStatus="ACTIVE" if of_username else None,
        primary=True,
        insertInstant=identity.created_at,
        verified=verified,
        verifiedInstant=identity.created_at if verified else None,
        verifiedReason=_REASONS.get(identity.verification, "Pending"),
    )


def info(info: RequestInfo) -> Body:
    """`EventInfo`: what is known of a request."""
    named = [part for part in (info.browser, info.os) if part]
    return _present(
        ipAddress=info.address,
        userAgent=info.user_agent,
        deviceName=info.device_name,
        deviceType=info.device_type.upper() if info.device_type else None,
        deviceDescription=" on ".join(named) or None,
        os=info.os,
        location=None if info.place is None else location(info.place),
    )


def location(place: Place) -> Body:
    """`Location`."""
    return _present(
        city=place.city,
        country=place.country,
        latitude=place.latitude,
        longitude=place.longitude,
        region=place.region,
        zipcode=place.zipcode,
    )


def _present(**members: Any) -> Body:
    return {name: value for name, value in members.items() if value is not None}
