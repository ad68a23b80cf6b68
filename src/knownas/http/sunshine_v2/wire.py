"""Users, clients, devices, apps and keys as this API spells them (components.schemas of spec/sunshine-v2.yaml)."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from knownas.apps import App
from knownas.clients import Client, LinkedClient
from knownas.devices import Device
from knownas.http.wire import Locale, Metadata, Name, Timestamp, Url, email_label, iso, to_ms
from knownas.keys import Key
from knownas.users import User, UserChanges

DisplayName = Annotated[str, Meta(min_length=1, max_length=100)]
ExternalId = Annotated[str, Meta(min_length=1, max_length=1024)]
BrandId = Annotated[str, Meta(min_length=1, max_length=24)]


class Profile(Struct, rename="camel"):
    """`profile` as it is sent."""

    given_name: Name | None | UnsetType = UNSET
    surname: Name | None | UnsetType = UNSET
    email: Name | None | UnsetType = UNSET
    avatar_url: Url | None | UnsetType = UNSET
    locale: Locale | None | UnsetType = UNSET


class UserBody(Struct, rename="camel"):
    """`userCreateBody` and `userUpdateBody`: the latter may name the external id of a user who has none yet."""

    external_id: ExternalId | None = None
    brand_id: BrandId | None = None
    signed_up_at: Timestamp | None | UnsetType = UNSET
    to_be_retained: bool | UnsetType = UNSET
    profile: Profile | None = None
    metadata: Metadata | None | UnsetType = UNSET

    def changes(self) -> UserChanges:
        """What the body says about the user, external id aside."""
        profile = self.profile or Profile()
        return UserChanges(
            given_name=profile.given_name,
            surname=profile.surname,
            email=email_label(profile.email, "profile.email"),
            avatar_url=profile.avatar_url,
            locale=profile.locale,
            metadata=self.metadata,
            signed_up_at=to_ms(self.signed_up_at, "signedUpAt"),
            to_be_retained=self.to_be_retained,
        )


class AppSettingsBody(Struct, rename="camel", forbid_unknown_fields=True):
    """`appSettings` as it is sent."""

    conversation_retention_seconds: Annotated[int, Meta(ge=0)] | None | UnsetType = UNSET
    mask_credit_card_numbers: bool | UnsetType = UNSET
    use_animal_names: bool | UnsetType = UNSET
    echo_postback: bool | UnsetType = UNSET
    ignore_auto_conversation_start: bool | UnsetType = UNSET
    multi_convo_enabled: bool | UnsetType = UNSET
    app_localization_enabled: bool | UnsetType = UNSET
    end_session_enabled: bool | UnsetType = UNSET
    disable_conversation_reopen: bool | UnsetType = UNSET
    require_token_expiry: bool | UnsetType = UNSET


class AppCreateBody(Struct, rename="camel"):
    """`appCreateBody`."""

    display_name: DisplayName
    settings: AppSettingsBody | None = None
    metadata: Metadata | None = None


class AppUpdateBody(Struct, rename="camel"):
    """`appUpdateBody`."""

    display_name: DisplayName | None = None
    settings: AppSettingsBody | None = None
    metadata: Metadata | None | UnsetType = UNSET


class KeyCreateBody(Struct, rename="camel"):
    """The body that makes a key; `publicKey` (PEM) is Knownas's own addition."""

    display_name: DisplayName
    public_key: Annotated[str, Meta(max_length=8192)] | None = None


def user(user: User) -> dict[str, Any]:
    """`user`. Fields without a value are left out, except `externalId`, which the vendor's schema has as nullable."""
    profile = {
        name: value
        for name, value in (
            ("givenName", user.given_name),
            ("surname", user.surname),
            ("email", user.email),
            ("avatarUrl", user.avatar_url),
            ("locale", user.locale),
        )
        if value
    }
    body: dict[str, Any] = {
        "id": user.id,
        "externalId": user.external_id,
        "authenticated": user.authenticated,
        "profile": profile,
        "metadata": user.metadata,
        "identities": [
            {"type": identity.type, "value": identity.value, "verification": identity.verification}
            for identity in user.identities
        ],
    }
    if user.zendesk_id is not None:
        body["zendeskId"] = user.zendesk_id
    if user.brand_id is not None:
        body["brandId"] = user.brand_id
    if user.signed_up_at is not None:
        body["signedUpAt"] = iso(user.signed_up_at)
    if user.to_be_retained is not None:
        body["toBeRetained"] = user.to_be_retained
    return body


def client(client: Client) -> dict[str, Any]:
    """`client`. Web, ios and android together are of type `sdk`; a linked one shows what is known of it so far."""
    if isinstance(client, LinkedClient):
        return _linked_client(client)
    return {
        "id": client.id,
        "type": "sdk",
        "status": "active" if client.active else "inactive",
        "lastSeen": iso(client.last_seen),
        "linkedAt": iso(client.linked_at),
    }


def _linked_client(client: LinkedClient) -> dict[str, Any]:
    profile = client.profile
    shown: dict[str, Any] = {
        "id": client.id,
        "type": client.link.type,
        "status": client.status,
        "integrationId": client.link.integration_id,
        "externalId": profile.external_id,
        "lastSeen": None if client.last_seen is None else iso(client.last_seen),
        "linkedAt": None if client.linked_at is None else iso(client.linked_at),
        "displayName": profile.display_name,
        "avatarUrl": profile.avatar_url,
        "info": profile.info,
        "raw": profile.raw,
    }
    return {name: value for name, value in shown.items() if value is not None}


def device(device: Device, client_id: str) -> dict[str, Any]:
    """`device`; `client_id` is the client that it is a part of."""
    body: dict[str, Any] = {
        "id": device.id,
        "type": device.platform,
        "guid": device.guid,
        "clientId": client_id,
        "status": device.status,
        "lastSeen": iso(device.last_seen),
    }
    optional = {
        "integrationId": device.integration_id,
        "pushNotificationToken": device.push_token,
        "info": device.info,
        "appVersion": device.app_version,
    }
    return body | {name: value for name, value in optional.items() if value is not None}


def app(app: App) -> dict[str, Any]:
    """`app`, its settings with their defaults spelled out."""
    settings = app.settings
    shown: dict[str, Any] = {
        "conversationRetentionSeconds": settings.conversation_retention_seconds or 0,
        "maskCreditCardNumbers": settings.mask_credit_card_numbers,
        "useAnimalNames": settings.use_animal_names,
        "echoPostback": settings.echo_postback,
        "ignoreAutoConversationStart": settings.ignore_auto_conversation_start,
        "multiConvoEnabled": settings.multi_convo_enabled,
        "appLocalizationEnabled": settings.app_localization_enabled,
        "endSessionEnabled": settings.end_session_enabled,
        "disableConversationReopen": settings.disable_conversation_reopen,
        "requireTokenExpiry": settings.require_token_expiry,
    }
    return {"id": app.id, "displayName": app.display_name, "settings": shown, "metadata": app.metadata}


def key(key: Key, *, secret: bool = False) -> dict[str, Any]:
    """`appKey`. The secret is shown in the answer that makes it and never again; a public key has none."""
    body: dict[str, Any] = {"id": key.id, "displayName": key.display_name}
    if secret and key.secret is not None:
        body["secret"] = key.secret
    return body
