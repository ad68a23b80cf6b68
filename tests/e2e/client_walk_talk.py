"""The walk: conversations, participants, messages, activities and control."""

from tests.e2e.client_walk_models import inner
from tests.e2e.client_walk_world import NOTHING, World, chapter, refused


@chapter
def conversations(world: World) -> None:
    conversations = world.api("ConversationsApi")
    ada, ben = world.user(externalId="ada"), world.user()
    made = world.conversation(ada)
    assert (made.type, made.is_default) == ("personal", True)
    assert made.created_at
    group = conversations.create_conversation(
        world.app,
        world.model(
            "ConversationCreateBody",
            type="sdkGroup",
            displayName="Planning",
            metadata={"topic": "tea"},
            participants=[
                {"userExternalId": "ada", "subscribeSDKClient": False},
                {"userId": ben.id, "subscribeSDKClient": False},
            ],
        ),
    ).conversation
    assert (group.type, group.display_name, group.metadata) == ("sdkGroup", "Planning", {"topic": "tea"})
    assert not group.is_default
    assert conversations.get_conversation(world.app, group.id).conversation == group
    for owner in ({"userId": ada.id}, {"userExternalId": "ada"}):
        asked = world.model("ConversationListFilter", **owner)
        listed = conversations.list_conversations(world.app, asked)
        assert {one.id for one in listed.conversations} == {made.id, group.id}
        first = conversations.list_conversations(world.app, asked, page=world.model("Page", size=1))
        assert (len(first.conversations), first.meta.has_more) == (1, True)
        rest = conversations.list_conversations(
            world.app, asked, page=world.model("Page", after=first.meta.after_cursor)
        )
        assert {first.conversations[0].id, rest.conversations[0].id} == {made.id, group.id}
    changed = conversations.update_conversation(
        world.app, group.id, world.model("ConversationUpdateBody", displayName="Plans", metadata={"urgent": True})
    ).conversation
    assert (changed.display_name, changed.metadata) == ("Plans", {"topic": "tea", "urgent": True})
    conversations.delete_conversation(world.app, group.id)
    with refused(404, "conversation_not_found"):
        conversations.get_conversation(world.app, group.id)
    with refused(400, "bad_request", f"Conversation {made.id} cannot be deleted because it is the default."):
        conversations.delete_conversation(world.app, made.id)
    with refused(404, "user_not_found"):
        conversations.list_conversations(world.app, world.model("ConversationListFilter", userId=NOTHING))


@chapter
def what_only_a_channel_could_do(world: World) -> None:
    """Both are checked and then refused with 501: nothing answers 200 without doing the work."""
    conversations = world.api("ConversationsApi")
    user = world.user()
    conversation = world.conversation(user)
    reference = {"url": "https://example.org/1", "bid": "b", "key": "k", "signature": "s", "owner": "o"}
    download = world.model("DownloadMessageRefBody", userId=user.id, apple={"interactiveDataRef": reference})
    event = {"data": [{"event_name": "Purchase", "event_time": 1735689600, "action_source": "business_messaging"}]}
    events = world.model("ConversionEventsBody", messenger={"payload": event})
    with refused(501, "not_implemented"):
        conversations.download_message_ref(world.app, conversation.id, download)
    with refused(501, "not_implemented"):
        conversations.post_conversion_events(world.app, conversation.id, events)
    with refused(404, "conversation_not_found"):
        conversations.download_message_ref(world.app, NOTHING, download)


@chapter
def participants(world: World) -> None:
    participants = world.api("ParticipantsApi")
    ada, ben, eve = world.user(externalId="ada"), world.user(externalId="ben"), world.user()
    group = world.conversation(ada, type="sdkGroup")
    joined = participants.join_conversation(
        world.app, group.id, world.model("ParticipantJoinBody", userId=ben.id, subscribeSDKClient=True)
    ).participant
    assert (joined.user_id, joined.user_external_id, joined.unread_count) == (ben.id, "ben", 0)
    assert [one.type for one in joined.client_associations] == ["sdk"]
    participants.join_conversation(
        world.app, group.id, world.model("ParticipantJoinBody", userId=eve.id, subscribeSDKClient=False)
    )
    listed = participants.list_participants(world.app, group.id).participants
    assert [one.user_id for one in listed] == [ada.id, ben.id, eve.id]
    first = participants.list_participants(world.app, group.id, page=world.model("Page", size=2))
    assert (len(first.participants), first.meta.has_more) == (2, True)
    for body in ({"participantId": listed[0].id}, {"userExternalId": "ben"}, {"userId": eve.id}):
        participants.leave_conversation(world.app, group.id, world.model("ParticipantLeaveBody", **body))
    assert participants.list_participants(world.app, group.id).participants == []
    with refused(404, "not_found", "User is not a member of the conversation"):
        participants.leave_conversation(world.app, group.id, world.model("ParticipantLeaveBody", userId=ada.id))
    with refused(400, "bad_request"):
        personal = world.conversation(eve)
        body = world.model("ParticipantJoinBody", userId=ben.id, subscribeSDKClient=True)
        participants.join_conversation(world.app, personal.id, body)


CONTENTS = (
    {"type": "text", "text": "Hello", "actions": [
        {"type": "link", "text": "Site", "uri": "https://example.org"},
        {"type": "postback", "text": "Yes", "payload": "YES"}]},
    {"type": "text", "text": "Pick", "actions": [{"type": "reply", "text": "Tea", "payload": "TEA"}]},
    {"type": "image", "mediaUrl": "https://example.org/a.png", "altText": "a"},
    {"type": "file", "mediaUrl": "https://example.org/a.pdf"},
    {"type": "carousel", "items": [
        {"title": "One", "actions": [{"type": "link", "text": "Go", "uri": "https://example.org"}]}]},
    {"type": "list", "items": [
        {"title": "One", "actions": [{"type": "postback", "text": "Go", "payload": "GO"}]}]},
    {"type": "location", "coordinates": {"lat": 45.5, "long": -73.5}, "location": {"name": "Here"}},
    {"type": "form", "fields": [{"type": "text", "name": "n", "label": "Name"}]},
)  # fmt: skip


@chapter
def messages(world: World) -> None:
    messages = world.api("MessagesApi")
    ada = world.user(profile={"givenName": "Ada"})
    conversation = world.conversation(ada)
    hello = world.say(conversation, "Hello!", metadata={"lang": "en"})
    assert (inner(hello.content).text, hello.author.type, hello.source.type) == (
        "Hello!",
        "business",
        "api:conversations",
    )
    assert hello.metadata == {"lang": "en"}
    answer = world.say(conversation, "Hi", ada)
    assert (answer.author.type, answer.author.user_id, answer.author.display_name) == ("user", ada.id, "Ada")
    for content in CONTENTS:
        body = world.model("MessagePost", author={"type": "business", "displayName": "Bot"}, content=content)
        [posted] = messages.post_message(world.app, conversation.id, body).messages
        assert inner(posted.content).type == content["type"]
        assert posted.author.display_name == "Bot"
    listed = messages.list_messages(world.app, conversation.id)
    assert len(listed.messages) == 2 + len(CONTENTS)
    assert listed.messages[0] == hello
    assert [one.id for one in listed.messages] == sorted(one.id for one in listed.messages)
    assert listed.meta.has_more is False
    actions = [inner(action) for action in inner(listed.messages[2].content).actions]
    assert [(action.type, action.text) for action in actions] == [("link", "Site"), ("postback", "Yes")]
    earlier = messages.list_messages(world.app, conversation.id, page=world.model("Page", before=answer.id))
    assert [one.id for one in earlier.messages] == [hello.id]
    later = messages.list_messages(world.app, conversation.id, page=world.model("Page", after=answer.id))
    assert len(later.messages) == len(CONTENTS)

    messages.delete_message(world.app, conversation.id, hello.id)
    assert messages.list_messages(world.app, conversation.id).messages[0].id == answer.id
    messages.delete_all_messages(world.app, conversation.id)
    assert messages.list_messages(world.app, conversation.id).messages == []
    with refused(404, "conversation_not_found"):
        messages.delete_all_messages(world.app, NOTHING)
    with refused(404, "not_found"):
        messages.list_messages(world.app, NOTHING)


@chapter
def a_hundred_messages_to_a_page(world: World) -> None:
    messages = world.api("MessagesApi")
    conversation = world.conversation(world.user())
    said = [world.say(conversation, f"number {number}").id for number in range(103)]
    last = messages.list_messages(world.app, conversation.id, page=world.model("Page", size=5))
    assert [one.id for one in last.messages] == said[3:]
    assert last.meta.has_more is True
    first = messages.list_messages(world.app, conversation.id, page=world.model("Page", before=last.meta.before_cursor))
    assert [one.id for one in first.messages] == said[:3]
    assert first.meta.has_more is False


@chapter
def activities(world: World) -> None:
    activities = world.api("ActivitiesApi")
    ada = world.user(externalId="ada")
    conversation = world.conversation(ada)
    world.say(conversation, "one")
    world.say(conversation, "two")

    def unread() -> int:
        [participant] = world.api("ParticipantsApi").list_participants(world.app, conversation.id).participants
        return int(participant.unread_count)

    assert unread() == 2
    for author, kind in (
        ({"type": "business"}, "typing:start"),
        ({"type": "business"}, "typing:stop"),
        ({"type": "business"}, "conversation:read"),
    ):
        activities.post_activity(world.app, conversation.id, world.model("ActivityPost", author=author, type=kind))
    assert unread() == 2, "what the business has read is not what the user has read"
    assert world.api("ConversationsApi").get_conversation(world.app, conversation.id).conversation.business_last_read
    by_user = {"type": "user", "userExternalId": "ada"}
    activities.post_activity(
        world.app, conversation.id, world.model("ActivityPost", author=by_user, type="conversation:read")
    )
    assert unread() == 0
    with refused(400, "bad_request"):
        activities.post_activity(
            world.app, conversation.id, world.model("ActivityPost", author=by_user, type="typing:start")
        )
    with refused(404, "conversation_not_found"):
        activities.post_activity(
            world.app, NOTHING, world.model("ActivityPost", author={"type": "business"}, type="typing:start")
        )


@chapter
def switchboard_actions(world: World) -> None:
    actions = world.api("SwitchboardActionsApi")
    bot, desk = world.custom_integration("Answers"), world.custom_integration("Desk")
    boards, links = world.api("SwitchboardsApi"), world.api("SwitchboardIntegrationsApi")
    board = boards.create_switchboard(world.app).switchboard
    linked = [
        links.create_switchboard_integration(
            world.app,
            board.id,
            world.model("SwitchboardIntegrationCreateBody", name=name, integrationId=integration.id),
        ).switchboard_integration
        for name, integration in (("bot", bot), ("desk", desk))
    ]
    links.update_switchboard_integration(
        world.app,
        board.id,
        linked[0].id,
        world.model("SwitchboardIntegrationUpdateBody", nextSwitchboardIntegrationId=linked[1].id),
    )
    boards.update_switchboard(
        world.app,
        board.id,
        world.model("SwitchboardUpdateBody", enabled=True, defaultSwitchboardIntegrationId=linked[0].id),
    )
    conversation = world.conversation(world.user())

    def held() -> tuple[str | None, str | None]:
        """Who has control, and whom it is offered to."""
        found = world.api("ConversationsApi").get_conversation(world.app, conversation.id).conversation
        holders = (found.active_switchboard_integration, found.pending_switchboard_integration)
        active, pending = (holder.name if holder else None for holder in holders)
        return active, pending

    assert held() == ("bot", None)
    actions.pass_control(
        world.app, conversation.id, world.model("PassControlBody", switchboardIntegration="next", metadata={"why": "x"})
    )
    assert held() == ("desk", None)
    actions.offer_control(world.app, conversation.id, world.model("OfferControlBody", switchboardIntegration="bot"))
    assert held() == ("desk", "bot")
    as_desk = world.api("SwitchboardActionsApi", world.client(**world.connector(desk)))
    with refused(403, "forbidden", "Forbidden"):
        as_desk.accept_control(world.app, conversation.id, world.model("AcceptControlBody", metadata={"n": 1}))
    as_bot = world.api("SwitchboardActionsApi", world.client(**world.connector(bot)))
    as_bot.accept_control(world.app, conversation.id, world.model("AcceptControlBody", metadata={"n": 1}))
    assert held() == ("bot", None)
    with refused(403, "forbidden", "Forbidden"):
        as_desk.release_control(world.app, conversation.id)
    as_bot.release_control(
        world.app, conversation.id, release_control_body=world.model("ReleaseControlBody", metadata={"n": 2})
    )
    assert held() == (None, None)
    with refused(404, "conversation_not_found"):
        actions.release_control(world.app, NOTHING)
