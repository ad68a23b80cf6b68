"""Integrations as this API spells them: a body for each type, the same for making and for changing one.

Every option may be null or absent: null clears it in a change, and the core knows what cannot be absent or changed.
What only the server says (`status`, `defaultResponder` and the like) is not read: what was got can be sent back.
Source: the schemas of the types in spec/sunshine-v2.yaml.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from knownas.http.decode import InvalidBody
from knownas.http.sunshine_v2.webhooks import WebhookCreateBody, webhook_body
from knownas.http.sunshine_v2.wire import DisplayName
from knownas.http.sunshine_v2.wire_switchboards import responder
from knownas.http.wire import Url
from knownas.integrations.create import NewWebhook
from knownas.integrations.find import Described

Text = Annotated[str, Meta(min_length=1, max_length=8192)] | None | UnsetType
Certificate = Annotated[str, Meta(min_length=1, max_length=100_000)] | None | UnsetType
Password = Annotated[str, Meta(max_length=8192)] | None | UnsetType
Flag = bool | None | UnsetType
Link = Url | None | UnsetType
Color = Annotated[str, Meta(pattern=r"^[0-9a-fA-F]{3}(?:[0-9a-fA-F]{3})?$")] | None | UnsetType
Pixels = Annotated[str, Meta(pattern=r"^[0-9]{1,4}$")] | None | UnsetType
Id = Annotated[str, Meta(min_length=1, max_length=128)]
Origin = Annotated[
    str, Meta(max_length=300, pattern=r"^https?://(?:\[[0-9a-fA-F:.]+\]|[^\s/?#@:\[\]]+)(?::[0-9]{1,5})?$")
]
Label = Annotated[str, Meta(min_length=1, max_length=128)]
Size = Annotated[int, Meta(ge=1, le=256)]


class TypeBody(Struct):
    """What says which of the bodies below it is."""

    type: str


class _Named(Struct, rename="camel", kw_only=True):
    display_name: DisplayName | None | UnsetType = UNSET


class _Routed(_Named, rename="camel", kw_only=True):
    default_responder_id: Id | None | UnsetType = UNSET
    show_ai_disclaimer: Flag = field(default=UNSET, name="showAIDisclaimer")


class _Sdk(_Routed, rename="camel", kw_only=True):
    can_user_see_conversation_list: Flag = UNSET
    can_user_create_more_conversations: Flag = UNSET


class Custom(_Named, rename="camel", kw_only=True):
    """`custom`. Its webhooks are made with it and changed on their own."""

    webhooks: Annotated[list[WebhookCreateBody], Meta(min_length=1, max_length=1)] | UnsetType = UNSET


class CustomUpdate(_Named, rename="camel", kw_only=True):
    """`customUpdate`, and the webhooks as they may be sent back."""

    webhooks: Any | UnsetType = UNSET


class Android(_Sdk, rename="camel", kw_only=True):
    """`android`, with what it takes to push to Firebase."""

    project_id: Text = UNSET
    client_email: Text = UNSET
    private_key: Text = UNSET
    server_key: Text = UNSET
    sender_id: Text = UNSET


class Ios(_Sdk, rename="camel", kw_only=True):
    """`ios`, with what it takes to push to Apple."""

    certificate: Certificate = UNSET
    password: Password = UNSET
    production: Flag = UNSET
    auto_update_badge: Flag = UNSET


class Unity(_Sdk, rename="camel", kw_only=True):
    """`unity`."""


class PrechatOption(Struct, rename="camel", kw_only=True):
    """What one may choose from in a field of type select."""

    name: Label
    label: Label


class PrechatField(Struct, rename="camel", kw_only=True):
    """`field` of the form that is shown before the first message."""

    type: Literal["email", "select", "text"]
    name: Label
    label: Label
    placeholder: Label | UnsetType = UNSET
    min_size: Size | UnsetType = UNSET
    max_size: Size | UnsetType = UNSET
    format: Literal["integer", "decimal"] | UnsetType = UNSET
    options: Annotated[list[PrechatOption], Meta(max_length=200)] | UnsetType = UNSET


class PrechatCapture(Struct, rename="camel", kw_only=True):
    """`prechatCapture`: in a change, what is absent stays."""

    avatar_url: Link = UNSET
    enabled: Flag = UNSET
    enable_email_linking: Flag = UNSET
    fields: Annotated[list[PrechatField], Meta(max_length=20)] | None | UnsetType = UNSET

    def __post_init__(self) -> None:
        names = [one.name for one in self.fields or []]
        if len(set(names)) < len(names):
            raise ValueError("names of prechatCapture.fields should be unique")
        if any(one.type == "select" and not one.options for one in self.fields or []):
            raise ValueError("a field of type select in prechatCapture.fields should have options")


class Web(_Sdk, rename="camel", kw_only=True):
    """`web`: how the messenger looks, and where it may be embedded."""

    brand_color: Color = UNSET
    fixed_intro_pane: Flag = UNSET
    conversation_color: Color = UNSET
    action_color: Color = UNSET
    display_style: Literal["button", "tab"] | None | UnsetType = UNSET
    button_icon_url: Link = UNSET
    button_width: Pixels = UNSET
    button_height: Pixels = UNSET
    integration_order: Annotated[list[Id], Meta(max_length=100)] | None | UnsetType = UNSET
    business_name: Annotated[str, Meta(max_length=256)] | None | UnsetType = UNSET
    business_icon_url: Link = UNSET
    background_image_url: Link = UNSET
    origin_whitelist: Annotated[list[Origin], Meta(max_length=100)] | None | UnsetType = UNSET
    prechat_capture: PrechatCapture | None | UnsetType = UNSET


class Apple(_Routed, rename="camel", kw_only=True):
    """`apple`."""

    business_id: Text = UNSET
    api_secret: Text = UNSET
    msp_id: Text = UNSET
    authentication_message_secret: Annotated[str, Meta(min_length=88, max_length=8192)] | None | UnsetType = UNSET


class Instagram(_Routed, rename="camel", kw_only=True):
    """`instagram`."""

    page_access_token: Text = UNSET
    app_id: Text = UNSET
    app_secret: Text = UNSET
    story_replies_enabled: Flag = UNSET
    story_mentions_enabled: Flag = UNSET


class Line(_Routed, rename="camel", kw_only=True):
    """`line`."""

    channel_id: Text = UNSET
    channel_secret: Text = UNSET
    channel_access_token: Text = UNSET
    service_code: Text = UNSET
    switcher_secret: Text = UNSET
    qr_code_url: Link = UNSET


class Mailgun(_Routed, rename="camel", kw_only=True):
    """`mailgun`."""

    api_key: Text = UNSET
    signing_key: Text = UNSET
    domain: Text = UNSET
    incoming_address: Text = UNSET
    hide_unsubscribe_link: Flag = UNSET
    from_address: Text = UNSET


class Messagebird(_Routed, rename="camel", kw_only=True):
    """`messagebird`."""

    access_key: Text = UNSET
    signing_key: Text = UNSET
    originator: Text = UNSET


class Messenger(_Routed, rename="camel", kw_only=True):
    """`messenger`. The schema has `pageId` as a number and its example as a string."""

    page_access_token: Text = UNSET
    app_id: Text = UNSET
    app_secret: Text = UNSET
    page_id: int | Annotated[str, Meta(max_length=128)] | None | UnsetType = UNSET
    page_name: Text = UNSET


class Telegram(_Routed, rename="camel", kw_only=True):
    """`telegram`, and `viber`, which has the same."""

    token: Text = UNSET


class Twilio(_Routed, rename="camel", kw_only=True):
    """`twilio`."""

    account_sid: Text = UNSET
    auth_token: Text = UNSET
    phone_number_sid: Text = UNSET
    messaging_service_sid: Text = UNSET


class Twitter(_Routed, rename="camel", kw_only=True):
    """`twitter`."""

    tier: Literal["enterprise"] | None | UnsetType = UNSET
    consumer_key: Text = UNSET
    consumer_secret: Text = UNSET
    access_token_key: Text = UNSET
    access_token_secret: Text = UNSET


class Whatsapp(_Routed, rename="camel", kw_only=True):
    """`whatsapp`."""

    hsm_fallback_language: Annotated[str, Meta(min_length=1, max_length=64)] | None | UnsetType = UNSET
    account_id: Text = UNSET
    account_management_access_token: Text = UNSET


_BODIES: Final[dict[str, type[_Named]]] = {
    "android": Android, "apple": Apple, "custom": Custom, "instagram": Instagram, "ios": Ios, "line": Line,
    "mailgun": Mailgun, "messagebird": Messagebird, "messenger": Messenger, "telegram": Telegram, "twilio": Twilio,
    "twitter": Twitter, "unity": Unity, "viber": Telegram, "web": Web, "whatsapp": Whatsapp,
}  # fmt: skip


def create_body(type: str) -> type[_Named]:
    """The body that makes an integration of this type. Raises InvalidBody with the vendor's words."""
    body = _BODIES.get(type)
    if body is None:
        raise InvalidBody("Invalid integration type")
    return body


def update_body(type: str) -> type[_Named]:
    """The body that changes an integration of this type."""
    return CustomUpdate if type == "custom" else _BODIES.get(type, _Named)


def given(body: _Named) -> dict[str, Any]:
    """The options that were sent, by their wire names; name and webhooks are no options."""
    sent: dict[str, Any] = msgspec.to_builtins(body)
    return {name: value for name, value in sent.items() if name not in ("displayName", "webhooks")}


def new_webhooks(body: _Named) -> list[NewWebhook]:
    """The webhooks of a custom integration that is to be made. Raises InvalidBody where it has none."""
    if not isinstance(body, Custom):
        return []
    if body.webhooks is UNSET:
        raise InvalidBody("should have required property 'webhooks'")
    return [
        NewWebhook(one.target, tuple(one.triggers), one.include_full_user, one.include_full_source)
        for one in body.webhooks
    ]


def refuse_changed_webhooks(body: _Named, before: Described) -> None:
    """Refuse webhooks in a change, unless they are sent back as they were got. Raises InvalidBody."""
    if isinstance(body, CustomUpdate) and body.webhooks is not UNSET:
        shown = [webhook | {"triggers": [*webhook["triggers"]]} for webhook in _webhooks(before)]
        if body.webhooks != shown:
            raise InvalidBody("webhooks cannot be changed here: use the integration's webhooks endpoints")


def integration(described: Described) -> dict[str, Any]:
    """`integration`: never what the schema calls write-only. `active` is only what works here."""
    one = described.integration
    body: dict[str, Any] = {
        "id": one.id,
        "type": one.type,
        "status": "active" if one.connected else "inactive",
        "displayName": one.display_name,
        **one.shown,
    }
    if one.type == "custom" or one.of_oauth_client:
        body["webhooks"] = _webhooks(described)
    if described.responder is not None:
        body["defaultResponder"] = responder(described.responder, inherited=described.inherited)
    return body


def _webhooks(described: Described) -> list[dict[str, Any]]:
    """The oldest webhook: the schema has one at most, and the vendor's client cannot read a list with two."""
    return [webhook_body(webhook) for webhook in described.webhooks[:1]]
