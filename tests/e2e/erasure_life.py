"""Somebody's whole life in an app: every field that the API offers, filled with marks, and other people around her."""

from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from knownas.http.sdk.wire import ClientBody, CreateBody, LoginBody, ProfileBody
from knownas.http.sunshine_v2.clients import ClientCreateBody, MatchCriteria
from knownas.http.sunshine_v2.connectors import EndedBody, MatchedBody
from knownas.http.sunshine_v2.sync import SyncProfile, SyncUserBody
from knownas.http.sunshine_v2.wire import Profile, UserBody
from knownas.http.sunshine_v2.wire_conversations import ConversationCreateBody, DetailsBody
from knownas.http.sunshine_v2.wire_messages import AuthorBody, MessageBody
from knownas.http.sunshine_v2.wire_switchboards import MetadataBody, TargetBody
from knownas.messages.content import FileContent, ImageContent, Item, LocationContent, Place, TextContent
from knownas.webhooks.triggers import TRIGGERS
from tests.e2e.acme import Acme, new_guid
from tests.e2e.marks import Marks
from tests.e2e.uploads import attach
from tests.receivers import Receiver

FILLED: set[type[Struct]] = {
    ClientBody, CreateBody, LoginBody, ProfileBody, ClientCreateBody, EndedBody, MatchedBody, SyncUserBody, UserBody,
    ConversationCreateBody, DetailsBody, AuthorBody, MessageBody, MetadataBody, TargetBody,
}  # fmt: skip
NOT_OF_USERS = {
    "ActivityBody", "AppCreateBody", "AppSettingsBody", "AppUpdateBody", "AttachmentDeleteBody", "AuthorBody",
    "ConfirmationBody", "ConversionEventsBody", "DestinationBody", "DownloadBody", "KeyCreateBody", "LeaveBody",
    "LinkBody", "LinkCreateBody", "LogoutBody", "ParticipantBody", "ReferenceBody", "RotateBody",
    "SwitchboardUpdateBody", "TypeBody", "WebhookCreateBody", "WebhookUpdateBody",
}  # fmt: skip
"""Bodies of which no field says anything of a user but her id, or that are filled as parts of others."""


@dataclass
class Life:
    """Somebody whose every field is filled, in an app with webhooks and other people."""

    acme: Acme
    receiver: Receiver
    marks: Marks = field(default_factory=Marks)
    others: Marks = field(default_factory=Marks)
    user_id: str = ""
    visitor_id: str = ""

    def v2(self, method: str, path: str, body: Any = None, status: int = 201, **headers: str) -> Any:
        reply = self.acme.v2(method, path, body, **headers)
        assert reply.status == status, (path, reply.body)
        return reply.json

    def client(self, guid: str | None = None) -> dict[str, Any]:
        """A device, which she keeps, with details, which she does not."""
        guid = guid or self.marks.mark("ClientBody.id", kept=True)
        return self.marks.fill(ClientBody, id=guid, platform="web", integrationId=None)

    def say(self, conversation: str, her: dict[str, str], content: dict[str, Any]) -> str:
        """One message of hers, under a name of its own; its id."""
        author = self.marks.fill(
            AuthorBody, type="user", userId=her["userId"], userExternalId=None, brandId=None, subtypes=None
        )
        body = self.marks.fill(
            MessageBody, kept=True, author=author, content=content, destination=None, quotedMessage=None, schema=None,
            override={"whatsapp": {"payload": {"text": self.marks.mark("override", kept=True)}}},
            references=[{"uri": f"https://example.com/{self.marks.mark('reference', kept=True)}"}],
        )  # fmt: skip
        made = self.v2(
            "POST", f"/conversations/{conversation}/messages", body, idempotency_key=self.marks.mark("key", kept=True)
        )
        return str(made["messages"][0]["id"])

    def claim(self, external_id: str, email: str, marks: Marks, client: dict[str, Any] | None = None) -> None:
        """A login whose e-mail is somebody else's, with all that it says of itself."""
        token = self.acme.token(external_id, email, name=marks.mark("token.name"))
        body = {"client": client} if client else {}
        agent = marks.mark("User-Agent")
        reply = self.acme.sdk("POST", "/login", body, f"Bearer {token}", user_agent=f"{agent} Firefox/130.0")
        assert reply.status == 409, reply.body


def set_up(life: Life) -> str:
    """Webhooks that are told of everything but removals, one of which fails, and a switchboard; the id of a channel."""
    told = [trigger for trigger in TRIGGERS if trigger != "user:remove"]
    board = life.v2("POST", "/switchboards", {})["switchboard"]["id"]
    links = []
    for name, path in (("bot", "/ok"), ("spare", "/500")):
        hook = {"target": life.receiver.url(path), "triggers": told, "includeFullUser": True}
        made = life.v2("POST", "/integrations", {"type": "custom", "displayName": path, "webhooks": [hook]})
        link = {"name": name, "integrationId": made["integration"]["id"]}
        made = life.v2("POST", f"/switchboards/{board}/switchboardIntegrations", link)
        links.append(made["switchboardIntegration"]["id"])
    on = {"enabled": True, "defaultSwitchboardIntegrationId": links[0]}
    life.v2("PATCH", f"/switchboards/{board}", on, 200)
    channel = {"type": "twilio", "accountSid": "sid", "authToken": "token", "phoneNumberSid": "number"}
    made = life.acme.v2("POST", "/integrations", channel)
    assert made.status == 201, made.body
    return str(made.json["integration"]["id"])


def live(life: Life, channel: str) -> None:
    """Fill everything: as a visitor, as who she is, on channels, in conversations and in conflicts."""
    marks = life.marks
    external_id, email = marks.mark("external id", kept=True), marks.email("e-mail")
    body = marks.fill(UserBody, externalId=external_id, brandId=None, profile=marks.fill(Profile))
    life.user_id = life.v2("POST", "/users", body)["user"]["id"]
    visit = marks.fill(CreateBody, userId=None, conversation=None, client=(phone := life.client()))
    visitor = life.acme.sdk("POST", "/appusers", visit)
    assert visitor.status == 201, visitor.body
    proof = {"appUserId": visitor.json["appUser"]["_id"], "sessionToken": visitor.json["sessionToken"]}
    life.visitor_id = visitor.json["appUser"]["_id"]
    profile = marks.fill(ProfileBody)
    login = marks.fill(LoginBody, userId=None, client=life.client(phone["id"]), **proof, properties=None)
    token = life.acme.token(external_id, email, name=marks.mark("token.name"))
    entered = life.acme.sdk("POST", "/login", login, f"Bearer {token}")
    assert entered.status == 200, entered.body
    assert entered.json["appUser"]["_id"] == life.user_id, "the visitor was merged into her"
    changed = life.acme.sdk("PUT", f"/appusers/{life.user_id}", profile, f"Bearer {token}")
    assert changed.status == 200, changed.body
    synced = marks.fill(
        SyncUserBody,
        survivingZendeskId=None,
        userId=life.user_id,
        externalId=external_id,
        profile=marks.fill(SyncProfile),
    )
    life.v2("POST", f"/users/{marks.mark('zendesk id')}/sync", synced, 200)
    mine = talk(life)
    hand_on(life, mine)
    reach_on(life, channel, mine)
    claim_each_others(life, external_id, email)


def talk(life: Life) -> str:
    """Conversations, alone and in groups, with messages of every kind that she can send; the one that is hers alone."""
    marks, user_id = life.marks, life.user_id
    her = {"userId": user_id}
    body = marks.fill(
        ConversationCreateBody, kept=True, type="personal", participants=[her | {"subscribeSDKClient": True}]
    )
    mine = str(life.v2("POST", "/conversations", body)["conversation"]["id"])
    life.v2("PATCH", f"/conversations/{mine}", marks.fill(DetailsBody, kept=True), 200)
    filename, inside = marks.mark("file name", kept=True), marks.mark("file", kept=True)
    query = f"?access=public&for=message&conversationId={mine}"
    url = attach(life.acme, inside.encode(), f"{filename}.txt", "text/plain", query=query)
    others = marks.mark("unused file name", kept=True), marks.mark("unused file", kept=True)
    attach(
        life.acme, others[1].encode(), f"{others[0]}.txt", "text/plain", query=f"?access=public&conversationId={mine}"
    )
    mate = {"userId": life.v2("POST", "/users", life.others.fill(UserBody, brandId=None, profile=None))["user"]["id"]}
    seats = [one | {"subscribeSDKClient": True} for one in (her, mate)]
    group = {"type": "sdkGroup", "participants": seats}
    stays, leaves = (life.v2("POST", "/conversations", group)["conversation"]["id"] for _ in range(2))
    for conversation in (mine, stays, leaves):
        plain = {"htmlText": None, "markdownText": None, "blockChatInput": None}
        where = {"coordinates": {"lat": 1.5, "long": 2.5}, "location": marks.fill(Place, kept=True)}
        said = [
            marks.fill(TextContent, kept=True, actions=None, payload=None, **plain),
            marks.fill(ImageContent, kept=True, mediaUrl=url, actions=None, **plain),
            marks.fill(FileContent, kept=True, mediaUrl=url, **plain),
            marks.fill(LocationContent, kept=True, blockChatInput=None, **where),
        ]
        for content in said:
            life.say(conversation, her, content)
        quoted = life.say(conversation, her, said[0])
        life.v2(
            "POST",
            f"/conversations/{conversation}/activity",
            {"author": her | {"type": "user"}, "type": "conversation:read"},
            200,
        )
        if conversation != mine:
            answer: dict[str, Any] = {
                "author": mate | {"type": "user"},
                "content": {"type": "text", "text": life.others.mark("answer")},
            }
            answer["quotedMessage"] = {"type": "message", "message": {"id": quoted}}
            life.v2("POST", f"/conversations/{conversation}/messages", answer)
    gone = life.say(stays, her, {"type": "text", "text": marks.mark("a message that was deleted")})
    life.v2("DELETE", f"/conversations/{stays}/messages/{gone}", None, 200)
    life.v2("POST", f"/conversations/{leaves}/leave", her, 200)
    form = {"type": "form", "fields": [{"type": "text", "name": "n", "label": marks.mark("form", kept=True)}]}
    button = {"type": "postback", "text": marks.mark("button", kept=True), "payload": marks.mark("payload", kept=True)}
    item = marks.fill(Item, kept=True, mediaUrl=None, mediaType=None, size=None, actions=[button])
    shown: list[dict[str, Any]] = [form, {"type": "carousel", "items": [item]}, {"type": "list", "items": [item]}]
    for content in shown:
        life.v2("POST", f"/conversations/{mine}/messages", {"author": {"type": "business"}, "content": content})
    return mine


def hand_on(life: Life, conversation: str) -> None:
    """Control of her conversation, from one integration to the other and back, with what is said of her meanwhile."""
    for step, body in (
        ("passControl", life.marks.fill(TargetBody, switchboardIntegration="spare")),
        ("offerControl", life.marks.fill(TargetBody, switchboardIntegration="bot")),
        ("acceptControl", life.marks.fill(MetadataBody)),
        ("releaseControl", life.marks.fill(MetadataBody)),
    ):
        life.v2("POST", f"/conversations/{conversation}/{step}", body, 200)


def reach_on(life: Life, channel: str, conversation: str) -> None:
    """Links to channels: one that her channel confirmed, one that waits, one that failed."""
    marks, path = life.marks, f"/users/{life.user_id}/clients"
    linked = []
    for _ in range(3):
        criteria = marks.fill(
            MatchCriteria,
            type="twilio",
            integrationId=channel,
            phoneNumber=marks.phone("phone"),
            address=None,
            subject=None,
        )
        hello = {"author": {"type": "business"}, "content": {"type": "text", "text": marks.mark("prompt")}}
        body = marks.fill(
            ClientCreateBody, matchCriteria=criteria, confirmation={"type": "userActivity", "message": hello},
            target={"conversationId": conversation},
        )  # fmt: skip
        linked.append(life.v2("POST", path, body)["client"]["id"])
    life.v2("POST", f"/clients/{linked[0]}/matched", marks.fill(MatchedBody), 200)
    life.v2("POST", f"/clients/{linked[0]}/confirmed", None, 200)
    life.v2("POST", f"/clients/{linked[1]}/matched", marks.fill(MatchedBody), 200)
    life.v2("POST", f"/clients/{linked[2]}/failed", marks.fill(EndedBody), 200)


def claim_each_others(life: Life, external_id: str, email: str) -> None:
    """Conflicts: hers is claimed by somebody who is nobody yet, and she claims somebody's."""
    eve, owned = life.others.mark("external id"), life.others.email("e-mail")
    entered = life.acme.log_in(life.acme.token(eve, owned), new_guid())
    assert entered.status == 200, entered.body
    life.claim(life.others.mark("external id"), email, Marks())
    life.claim(eve, email, Marks())
    life.claim(external_id, owned, life.marks, life.client())
