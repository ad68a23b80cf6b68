"""Attachments: upload and remove."""

import logging

from msgspec import Struct

from knownas.apps import App
from knownas.attachments import Attachment, AttachmentNotFound, InvalidAttachment, named_by
from knownas.attachments.create import create_attachment
from knownas.attachments.delete import delete_attachment, forget_attachments
from knownas.conversations.find import get_conversation
from knownas.errors import Unavailable
from knownas.http.call import Answer, Call, json_answer
from knownas.http.decode import InvalidBody, shown
from knownas.http.multipart import read_file
from knownas.http.sunshine_v2.scope import INTEGRATION, acting_on_app
from knownas.http.wire import media_url

_log = logging.getLogger(__name__)


class AttachmentDeleteBody(Struct, rename="camel"):
    """`attachmentDeleteBody`."""

    media_url: str


class Wanted(Struct):
    """What the query says of an upload."""

    for_message: bool
    conversation_id: str | None


async def upload(call: Call) -> Answer:
    """POST …/attachments?access=public: 201. Whatever can be refused without the body is refused before it is read."""
    app, _ = await acting_on_app(call, INTEGRATION)
    wanted = _wanted(call)
    services = call.services
    if wanted.conversation_id is not None:
        await services.database.read(app, get_conversation, wanted.conversation_id)
    with services.uploads.turn(app.id):
        received = await read_file(call, services.files)
        try:
            name = await services.files.keep(app.id, received.incoming)
        finally:
            await received.incoming.discard()
    attachment = Attachment(
        name, received.filename, received.media_type, received.incoming.size, int(services.clock() * 1000),
        wanted.for_message, wanted.conversation_id,
    )  # fmt: skip
    await services.database.write(app, create_attachment, attachment)
    url = media_url(call, app.id, attachment.name, attachment.filename)
    return json_answer({"attachment": {"mediaUrl": url, "mediaType": attachment.media_type}}, 201)


async def remove(call: Call) -> Answer:
    """POST …/attachments/remove: 200 and an empty object; the file is no longer served."""
    app, _ = await acting_on_app(call, INTEGRATION)
    body = await call.json(AttachmentDeleteBody)
    app_id, name = _named(call, body.media_url)
    if app_id != app.id:
        raise AttachmentNotFound
    await call.services.database.write(app, delete_attachment, name)
    await _remove_file(call, app, name)
    return json_answer({})


def _wanted(call: Call) -> Wanted:
    query = call.query()
    access, container, conversation_id = query.get("access"), query.get("for"), query.get("conversationId")
    if access is None:
        raise InvalidBody("The query should have required property 'access'")
    if access != "public":
        raise InvalidBody("access should be public: private attachments are not supported")
    if container not in (None, "message"):
        raise InvalidBody("for should be message: nothing else can contain an attachment")
    if conversation_id is not None and not isinstance(conversation_id, str):
        raise InvalidBody("conversationId should be the id of a conversation")
    return Wanted(container == "message", conversation_id)


def _named(call: Call, url: str) -> tuple[str, str]:
    """The app and the name in an address of ours, under either of the origins by which this server is known."""
    media = named_by(url)
    origins = (call.origin, call.host_origin)
    if media is None or not url.startswith(tuple(f"{origin}/attachments/{media[0]}/{media[1]}/" for origin in origins)):
        raise InvalidAttachment(f"Unsupported media URL for attachment deletion: {shown(url)}")
    return media


async def _remove_file(call: Call, app: App, name: str) -> None:
    """Remove the file too. Where it cannot be removed now, the sweep does it later."""
    try:
        await call.services.files.remove(app.id, name)
        await call.services.database.write(app, forget_attachments, [name])
    except Unavailable:
        _log.warning("the file of a removed attachment stays until it is swept")
