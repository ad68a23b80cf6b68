"""Conversations and participants as this API spells them (components.schemas of spec/sunshine-v2.yaml)."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from knownas.conversations import (
    ActivityType,
    Conversation,
    ConversationChanges,
    ConversationType,
    Holder,
    Invitation,
    Participant,
    Reference,
)
from knownas.http.wire import Metadata, Url, iso

Label = Annotated[str, Meta(min_length=1, max_length=100)]
UserId = Annotated[str, Meta(max_length=64)]
ExternalId = Annotated[str, Meta(min_length=1, max_length=1024)]


class DetailsBody(Struct, rename="camel"):
    """`conversationUpdateBody`: what is absent stays, null clears."""

    display_name: Label | None | UnsetType = UNSET
    description: Label | None | UnsetType = UNSET
    icon_url: Url | None | UnsetType = UNSET
    metadata: Metadata | None | UnsetType = UNSET

    def changes(self) -> ConversationChanges:
        """What the body says about the conversation."""
        return ConversationChanges(self.display_name, self.description, self.icon_url, self.metadata)


class ReferenceBody(Struct, rename="camel"):
    """A user by one of her ids."""

    user_id: UserId | None = None
    user_external_id: ExternalId | None = None

    def reference(self) -> Reference:
        """Whom it names; whether it does so by exactly one id is for the verb to say."""
        return Reference(self.user_id, self.user_external_id)


class ParticipantBody(ReferenceBody):
    """`participantSubSchema` and `participantJoinBody`."""

    subscribe: bool | None = field(default=None, name="subscribeSDKClient")

    def invitation(self) -> Invitation:
        """Who is to take part, and whether her SDK client does at once."""
        return Invitation(self.reference(), self.subscribe)


class ConversationCreateBody(DetailsBody, kw_only=True):
    """`conversationCreateBody`. That a group has ten participants at most is for the verb to say."""

    type: ConversationType
    participants: Annotated[list[ParticipantBody], Meta(max_length=1000)] | None = None


class LeaveBody(ReferenceBody):
    """`participantLeaveBody`: exactly one of three."""

    participant_id: UserId | None = None


class AuthorBody(ReferenceBody, kw_only=True):
    """`author` of an activity. The ids count for a user only, as the vendor's schema says."""

    type: Literal["business", "user"]
    brand_id: Annotated[str, Meta(min_length=1, max_length=24)] | None = None

    def author(self) -> Reference | None:
        """The user, or None for the business."""
        return Reference(self.user_id, self.user_external_id, self.brand_id) if self.type == "user" else None


class ActivityBody(Struct):
    """`activityPost`."""

    author: AuthorBody
    type: ActivityType


def conversation(conversation: Conversation) -> dict[str, Any]:
    """`conversation`. Fields without a value are left out: the vendor's clients take absent, and some break on null."""
    updated_at = conversation.created_at if conversation.last_message_at is None else conversation.last_message_at
    body = truncated(conversation)
    body["isDefault"] = conversation.is_default
    for name, value in (
        ("displayName", conversation.display_name),
        ("description", conversation.description),
        ("iconUrl", conversation.icon_url),
    ):
        if value is not None:
            body[name] = value
    if conversation.business_last_read is not None:
        body["businessLastRead"] = iso(conversation.business_last_read)
    body["lastUpdatedAt"] = iso(updated_at)
    body["createdAt"] = iso(conversation.created_at)
    return body


def truncated(conversation: Conversation) -> dict[str, Any]:
    """`conversationTruncated`: what every answer and event shows of a conversation."""
    body: dict[str, Any] = {"id": conversation.id, "type": conversation.type, "metadata": conversation.metadata}
    if conversation.active is not None:
        body["activeSwitchboardIntegration"] = holder(conversation.active)
    if conversation.pending is not None:
        body["pendingSwitchboardIntegration"] = holder(conversation.pending)
    return body


def holder(holder: Holder) -> dict[str, Any]:
    """`switchboardIntegrationWebhook`."""
    body = {"id": holder.id, "name": holder.name, "integrationType": holder.integration_type}
    if holder.integration_id is not None:
        body["integrationId"] = holder.integration_id
    return body


def participant(participant: Participant) -> dict[str, Any]:
    """`participant`."""
    body: dict[str, Any] = {
        "id": participant.id,
        "userId": participant.user_id,
        "unreadCount": participant.unread_count,
        "clientAssociations": [
            {"type": association.type, "clientId": association.client_id} for association in participant.associations
        ],
    }
    if participant.external_id is not None:
        body["userExternalId"] = participant.external_id
    if participant.last_read is not None:
        body["lastRead"] = iso(participant.last_read)
    return body
