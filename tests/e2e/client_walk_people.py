"""The walk: users, their clients and devices, and attachments."""

import uuid

from tests.e2e.client_walk_models import OLDER, inner
from tests.e2e.client_walk_world import NOTHING, World, chapter, refused


@chapter
def users(world: World) -> None:
    users = world.api("UsersApi")
    external_id = f"customer {uuid.uuid4().hex}/é"
    body = world.model(
        "UserCreateBody", externalId=external_id, profile={"givenName": "Ada"}, metadata={"plan": "pro", "n": 1}
    )
    made = users.create_user(world.app, body).user
    assert (made.external_id, made.authenticated, made.profile.given_name) == (external_id, False, "Ada")
    with refused(409, "conflict", "User already exists"):
        users.create_user(world.app, body)
    for reference in (made.id, external_id):
        assert users.get_user(world.app, reference).user == made
    changed = users.update_user(
        world.app, external_id, world.model("UserUpdateBody", profile={"surname": "Lovelace"}, metadata={"n": 2})
    ).user
    assert (changed.profile.given_name, changed.profile.surname) == ("Ada", "Lovelace")
    assert changed.metadata == {"plan": "pro", "n": 2}
    erased = users.delete_user_personal_information(world.app, made.id).user
    assert (erased.id, erased.external_id, erased.metadata) == (made.id, external_id, {})
    assert (erased.profile.given_name, erased.profile.surname) == (None, None)
    users.delete_user(world.app, external_id)
    with refused(404, "user_not_found", "User not found"):
        users.get_user(world.app, made.id)


@chapter
def users_who_are_synchronized(world: World) -> None:
    """What the client can say is that two records became one; who they are is said with Knownas's own fields."""
    users = world.api("UsersApi")
    ada, again = world.user(externalId="ada"), world.user(externalId="ada-again")
    conversation = world.conversation(again)
    for zendesk_id, user in (("1001", ada), ("1002", again)):
        basic = world.of_app.configuration.get_basic_auth_token()
        linked = world.send("POST", f"/v2/apps/{world.app}/users/{zendesk_id}/sync", {"userId": user.id}, basic)
        assert (linked.status, linked.json["user"]["id"]) == (200, user.id), linked.body
    one = users.sync_user(world.app, "1002", sync_user_body=world.model("SyncUserBody", survivingZendeskId="1001")).user
    assert (one.id, one.external_id, one.zendesk_id) == (ada.id, "ada", "1001")
    assert users.get_user(world.app, again.id).user.id == ada.id, "a former id keeps finding the survivor"
    listed = world.api("ConversationsApi").list_conversations(
        world.app, world.model("ConversationListFilter", userId=ada.id)
    )
    assert [found.id for found in listed.conversations] == [conversation.id]
    with refused(400, "bad_request"):
        users.sync_user(world.app, "1001")
    with refused(404, "user_not_found"):
        users.sync_user(world.app, "9", sync_user_body=world.model("SyncUserBody", survivingZendeskId="8"))


@chapter
def clients(world: World) -> None:
    clients = world.api("ClientsApi")
    user = world.user(externalId="ada")
    conversation = world.conversation(user)
    channel = world.api("IntegrationsApi").create_integration(
        world.app,
        world.model(
            "Integration", type="twilio", accountSid="AC1", authToken="t", phoneNumberSid="PN1", displayName="SMS"
        ),
    ).integration  # fmt: skip
    criteria = {"type": "twilio", "integrationId": channel.id, "phoneNumber": "+15149999999"}
    body = world.model(
        "ClientCreate",
        matchCriteria=criteria,
        confirmation={"type": "immediate"},
        target={"conversationId": conversation.id},
    )
    made = clients.create_client(world.app, "ada", body).client
    assert (made.type, made.status, made.integration_id) == ("twilio", "pending", channel.id)
    assert [one.id for one in clients.list_clients(world.app, user.id).clients] == [made.id]
    page = world.model("Page", after=made.id)
    assert clients.list_clients(world.app, user.id, page=page).clients == []
    clients.remove_client(world.app, user.id, made.id)
    assert clients.list_clients(world.app, user.id).clients == []
    with refused(404, "client_not_found"):
        clients.remove_client(world.app, user.id, made.id)
    with refused(404, "user_not_found"):
        clients.list_clients(world.app, NOTHING)


@chapter
def devices(world: World) -> None:
    devices, clients = world.api("DevicesApi"), world.api("ClientsApi")
    user = world.user(externalId="ada")
    assert devices.list_devices(world.app, "ada").devices == []
    phone, tablet = uuid.uuid4().hex, uuid.uuid4().hex
    for guid in (phone, tablet):
        world.log_in("ada", guid)
    listed = devices.list_devices(world.app, user.id).devices
    assert {(one.guid, one.type, one.status) for one in listed} == {(g, "ios", "active") for g in (phone, tablet)}
    assert devices.get_device(world.app, "ada", listed[1].id).device == listed[1]
    [sdk] = clients.list_clients(world.app, "ada").clients
    assert (sdk.type, sdk.id) == ("sdk", listed[0].client_id)
    with refused(400, "bad_request", "Cannot remove a client of type 'sdk'"):
        clients.remove_client(world.app, "ada", sdk.id)
    with refused(404, "device_not_found"):
        devices.get_device(world.app, "ada", NOTHING)


@chapter
def attachments(world: World) -> None:
    attachments = world.api("AttachmentsApi")
    conversation = world.conversation(world.user())
    picture = b"\x89PNG\r\n\x1a\n" + b"\0" * 64
    source = world.file("sketch.png", picture) if OLDER else ("sketch.png", picture)
    how = {"conversation_id": conversation.id, ("_for" if OLDER else "var_for"): "message"}
    made = attachments.upload_attachment(world.app, "public", source, **how).attachment
    assert made.media_type == "image/png"
    assert made.media_url.startswith(world.host)
    assert world.fetch(made.media_url) == picture
    body = world.model(
        "MessagePost", author={"type": "business"}, content={"type": "image", "mediaUrl": made.media_url}
    )
    posted = world.api("MessagesApi").post_message(world.app, conversation.id, body).messages[0]
    assert inner(posted.content).media_url == made.media_url
    attachments.delete_attachment(world.app, world.model("AttachmentDeleteBody", mediaUrl=made.media_url))
    assert world.fetch(made.media_url) is None
    with refused(404, "not_found", "Attachment not found"):
        attachments.delete_attachment(world.app, world.model("AttachmentDeleteBody", mediaUrl=made.media_url))
    with refused(400, "bad_request"):
        attachments.delete_attachment(
            world.app, world.model("AttachmentDeleteBody", mediaUrl="https://example.org/elsewhere.png")
        )
    with refused(400, "bad_request"):
        attachments.upload_attachment(world.app, "private", source)
