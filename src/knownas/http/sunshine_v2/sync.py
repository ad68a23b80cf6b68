"""Synchronize a user with the record that Zendesk Support, or the business itself, keeps of her."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from knownas.http.call import Answer, Call, json_answer
from knownas.http.decode import InvalidBody
from knownas.http.sunshine_v2 import wire
from knownas.http.sunshine_v2.scope import INTEGRATION, acting_on_app
from knownas.http.sunshine_v2.wire import ExternalId
from knownas.http.wire import Name
from knownas.users.sync import CoreRecord, sync_user

MAX_ZENDESK_ID = 64
ZendeskId = Annotated[str, Meta(min_length=1, max_length=MAX_ZENDESK_ID)]


class SyncProfile(Struct, rename="camel"):
    """The names that the record has."""

    given_name: Name | None | UnsetType = UNSET
    surname: Name | None | UnsetType = UNSET


class SyncUserBody(Struct, rename="camel"):
    """`syncUserBody`. All but `survivingZendeskId` is Knownas's own: what the record says, as nothing else tells it."""

    surviving_zendesk_id: ZendeskId | None = None
    user_id: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    external_id: ExternalId | None = None
    email: Name | None = None
    profile: SyncProfile | None = None


async def sync(call: Call) -> Answer:
    """POST …/users/{zendeskId}/sync: 200 and the user; conflicts are resolved by merging, else by moving."""
    app, caller = await acting_on_app(call, INTEGRATION)
    body = await call.json(SyncUserBody, optional=True)
    zendesk_id = call.params["user"]
    if not 1 <= len(zendesk_id) <= MAX_ZENDESK_ID:
        raise InvalidBody(f"zendeskId should have 1 to {MAX_ZENDESK_ID} characters")
    if body == SyncUserBody():
        raise InvalidBody(
            "There is no Zendesk Support behind this server to read from: send what its record of the user says, any of"
            " externalId, email and profile, or survivingZendeskId"
        )
    profile = body.profile or SyncProfile()
    record = CoreRecord(
        zendesk_id,
        body.surviving_zendesk_id,
        body.user_id,
        body.external_id,
        body.email,
        profile.given_name,
        profile.surname,
    )
    user = await call.services.database.write(app, sync_user, record, caller.key_id)
    return json_answer({"user": wire.user(user)})
