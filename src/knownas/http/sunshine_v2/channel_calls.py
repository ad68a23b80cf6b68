"""Operations that a third party's channel has to carry out: checked as far as we can, then 501.

Knownas connects no such channel yet, and does not answer 200 without doing the work.
"""

from typing import Any

from msgspec import Struct

from knownas.conversations import Conversation, ConversationNotFound, NotAMember
from knownas.errors import DomainError
from knownas.http.call import Answer, Call
from knownas.http.decode import InvalidBody
from knownas.http.sunshine_v2.scope import INTEGRATION, acting_on_app
from knownas.ids import is_id
from knownas.transaction import Transaction
from knownas.users.find import get_user


class ChannelNotConnected(DomainError):
    """What is asked needs a channel that Knownas does not connect."""

    kind = "not_implemented"
    code = "not_implemented"


class InteractiveDataRef(Struct):
    """`apple.interactiveDataRef`."""

    url: str
    bid: str
    key: str
    signature: str
    owner: str


class AppleRef(Struct, rename="camel"):
    """`apple`."""

    interactive_data_ref: InteractiveDataRef


class DownloadBody(Struct, rename="camel"):
    """`downloadMessageRefBody`."""

    user_id: str
    apple: AppleRef | None = None


class MetaPayload(Struct):
    """`metaConversionEvent.payload`."""

    data: list[dict[str, Any]]


class MetaEvents(Struct):
    """`metaConversionEvent`."""

    payload: MetaPayload


class ConversionEventsBody(Struct):
    """`conversionEventsBody`: one of the three."""

    messenger: MetaEvents | None = None
    instagram: MetaEvents | None = None
    whatsapp: MetaEvents | None = None


async def download(call: Call) -> Answer:
    """POST …/conversations/{c}/download: 501 for a reference that is well formed, of a user who takes part."""
    app, _ = await acting_on_app(call, INTEGRATION)
    body = await call.json(DownloadBody)
    await call.services.database.read(app, _participant, call.params["conversation"], body.user_id)
    raise ChannelNotConnected(
        "Message references cannot be downloaded: they come from Apple Messages for Business, a channel that this "
        "server does not connect"
    )


async def conversion_events(call: Call) -> Answer:
    """POST …/conversations/{c}/conversionEvents: 501 for events that are well formed."""
    app, _ = await acting_on_app(call, INTEGRATION)
    body = await call.json(ConversionEventsBody)
    channels = [name for name in ConversionEventsBody.__struct_fields__ if getattr(body, name) is not None]
    if len(channels) != 1:
        raise InvalidBody("The body should have one of the properties 'messenger', 'instagram' and 'whatsapp'")
    await call.services.database.read(app, _conversation, call.params["conversation"])
    raise ChannelNotConnected(
        f"Conversion events cannot be passed on: {channels[0]} is a channel that this server does not connect"
    )


async def _conversation(tx: Transaction, conversation_id: str) -> Conversation:
    found = await tx.conversations.by_id(conversation_id) if is_id(conversation_id) else None
    if found is None:
        raise ConversationNotFound
    return found


async def _participant(tx: Transaction, conversation_id: str, user_id: str) -> None:
    found = await tx.conversations.with_participants(conversation_id) if is_id(conversation_id) else None
    if found is None:
        raise ConversationNotFound
    user = await get_user(tx, user_id)
    if user.id not in {participant.user_id for participant in found[1]}:
        raise NotAMember
