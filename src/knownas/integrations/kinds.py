"""What the types of integrations differ in. Options are named as all the wire formats that have them spell them.

Source: the schemas of the types in spec/sunshine-v2.yaml. What is sealed at rest is what opens something: tokens,
passwords, and all that the vendor's schema calls write-only.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct


class Kind(Struct, frozen=True):
    """One type of integration.

    `live`: it works here; otherwise it is stored and does not connect. `required`: what it cannot be made without.
    `changeable`: what may be changed later, None for everything. `sealed` is kept under the master key; `hidden` is
    never shown. `defaults` count where nothing is set. `routed`: conversations begin through it, so it may name who
    answers them first.
    """

    live: bool = False
    required: tuple[str, ...] = ()
    changeable: frozenset[str] | None = frozenset()
    sealed: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset({"defaultResponderId"})
    defaults: dict[str, Any] = {}
    routed: bool = True


_ROUTED: Final = frozenset({"defaultResponderId", "showAIDisclaimer"})
_SPOKEN: Final[dict[str, Any]] = {"showAIDisclaimer": True}
_SDK: Final[dict[str, Any]] = {**_SPOKEN, "canUserSeeConversationList": True, "attachmentsEnabled": True}
_PRECHAT: Final[dict[str, Any]] = {"enabled": False, "enableEmailLinking": False}


def _kind(
    sealed: str = "",
    shown: str = "",
    *,
    live: bool = False,
    required: str = "",
    changeable: str | None = "",
    defaults: Mapping[str, Any] = _SPOKEN,
) -> Kind:
    """A type through which users come. Of what is `sealed`, only `shown` is shown again."""
    return Kind(
        live=live,
        required=tuple(required.split()),
        changeable=None if changeable is None else _ROUTED | set(changeable.split()),
        sealed=frozenset(sealed.split()) | frozenset(shown.split()),
        hidden=frozenset(sealed.split()) | {"defaultResponderId"},
        defaults=dict(defaults),
    )


KINDS: Final[dict[str, Kind]] = {
    "android": _kind("projectId clientEmail privateKey serverKey", live=True, changeable=None, defaults=_SDK),
    "apple": _kind(
        "apiSecret",
        "authenticationMessageSecret",
        required="businessId apiSecret mspId",
        changeable="authenticationMessageSecret",
    ),
    "custom": Kind(live=True, routed=False),
    "instagram": _kind(
        "pageAccessToken appSecret",
        required="pageAccessToken appId appSecret",
        changeable="pageAccessToken storyRepliesEnabled storyMentionsEnabled",
        defaults=_SPOKEN | {"storyRepliesEnabled": True, "storyMentionsEnabled": True},
    ),
    "ios": _kind("certificate password", live=True, changeable=None, defaults=_SDK),
    "line": _kind("", "channelSecret channelAccessToken switcherSecret"),
    "mailgun": _kind(
        "apiKey", "signingKey", required="apiKey domain incomingAddress", changeable="hideUnsubscribeLink fromAddress"
    ),
    "messagebird": _kind("accessKey signingKey", "webhookSecret", required="accessKey signingKey originator"),
    "messenger": _kind(
        "appSecret", "pageAccessToken", required="pageAccessToken appId appSecret", changeable="pageAccessToken"
    ),
    "telegram": _kind("token", required="token"),
    "twilio": _kind("authToken", required="accountSid authToken"),
    "twitter": _kind(
        "consumerKey consumerSecret accessTokenKey accessTokenSecret",
        required="tier consumerKey consumerSecret accessTokenKey accessTokenSecret",
    ),
    "unity": _kind(changeable="canUserSeeConversationList canUserCreateMoreConversations", defaults=_SDK),
    "viber": _kind("token", required="token"),
    "web": _kind(
        live=True,
        changeable=None,
        defaults=_SDK
        | {
            "brandColor": "65758e",
            "fixedIntroPane": False,
            "conversationColor": "0099ff",
            "actionColor": "0099ff",
            "displayStyle": "button",
            "buttonWidth": "58",
            "buttonHeight": "58",
            "prechatCapture": _PRECHAT,
        },
    ),
    "whatsapp": _kind(
        "",
        "accountManagementAccessToken",
        changeable="hsmFallbackLanguage accountId accountManagementAccessToken",
        defaults=_SPOKEN | {"hsmFallbackLanguage": "en_US"},
    ),
}
OTHER: Final = Kind(routed=False)
"""A type that this server has no schema of."""


def missing(type: str, given: Mapping[str, Any]) -> str | None:
    """What `given` lacks to make an integration of this type, in words; None when it is complete."""
    for name in KINDS[type].required:
        if given.get(name) is None:
            return f"should have required property '{name}'"
    if type == "twilio" and given.get("phoneNumberSid") is None and given.get("messagingServiceSid") is None:
        return "should have one of the properties 'phoneNumberSid' and 'messagingServiceSid'"
    if type == "line" and (given.get("channelId") is None) != (given.get("channelSecret") is None):
        return "should have both or neither of the properties 'channelId' and 'channelSecret'"
    return None


def with_defaults(defaults: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as they count: the defaults where nothing is set, inside of an object too."""
    counting = {**defaults, **options}
    for name, default in defaults.items():
        if isinstance(default, dict):
            counting[name] = {**default, **counting[name]}
    return counting


def without_nulls(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options without those that are null, inside of an object too: null means the same as nothing."""
    return {
        name: without_nulls(value) if isinstance(value, dict) else value
        for name, value in options.items()
        if value is not None
    }
