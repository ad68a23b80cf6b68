"""Messages as this API spells them (`messagePost`, `message` and `content` of spec/sunshine-v2.yaml)."""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from knownas.http.wire import Metadata, Url, iso
from knownas.messages import HER, Author, Message, Shown, StoredMessage
from knownas.messages.authors import named
from knownas.messages.content import AnyContent
from knownas.messages.draft import Destination, Draft, draft
from knownas.messages.read import Listed, with_name
from knownas.messages.stored import BY_BUSINESS, BY_USER, FIRST_FIELD_AT, KIND_AT, TIMED, message_of
from knownas.users import User

_encode: Final = msgspec.json.Encoder().encode


class AuthorBody(Struct, rename="camel"):
    """`author` as it is sent."""

    type: Literal["business", "user"]
    user_id: str | None = None
    user_external_id: str | None = None
    brand_id: Annotated[str, Meta(min_length=1, max_length=24)] | None = None
    display_name: Annotated[str, Meta(max_length=1024)] | None = None
    avatar_url: Url | None = None
    subtypes: tuple[Literal["AI", "activity", "agent", "bot"], ...] | None = None


class DestinationBody(Struct, rename="camel"):
    """`destination`."""

    integration_id: str | None = None
    integration_type: Annotated[str, Meta(max_length=64)] | None = None


class ReferenceBody(Struct, rename="camel", omit_defaults=True):
    """`reference`."""

    uri: Url
    title: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    description: Annotated[str, Meta(min_length=1, max_length=256)] | None = None


class QuotedId(Struct):
    """A message, of which only the id counts."""

    id: Annotated[str, Meta(pattern=r"^[0-9a-f]{24}\Z")]


class QuotedOurs(Struct, tag_field="type", tag="message"):
    """`quotedMessage` that is a message of this conversation."""

    message: QuotedId


class QuotedElsewhere(Struct, rename="camel", tag_field="type", tag="externalMessageId"):
    """`quotedMessage` that only a channel knows."""

    external_message_id: Annotated[str, Meta(min_length=1, max_length=1024)]


class MessageBody(Struct, rename="camel"):
    """`messagePost`, and beside it what else a `message` may carry: `quotedMessage` and `references`."""

    author: AuthorBody
    content: AnyContent
    destination: DestinationBody | None = None
    metadata: Metadata | None = None
    override: dict[str, Any] | None = None
    schema: str | None = None
    quoted_message: QuotedOurs | QuotedElsewhere | None = None
    references: Annotated[list[ReferenceBody], Meta(min_length=1, max_length=10)] | None = None

    def draft(self) -> Draft:
        """What the body asks to be said. Raises InvalidMessage, InvalidMetadata."""
        sent, quoted, to = self.author, self.quoted_message, self.destination
        return draft(
            Author(sent.type, sent.user_id, sent.display_name or None, sent.avatar_url, sent.subtypes or ()),
            self.content,
            external_id=sent.user_external_id,
            brand_id=sent.brand_id,
            metadata=self.metadata,
            quoted=quoted.message.id if isinstance(quoted, QuotedOurs) else None,
            destination=Destination(to.integration_id, to.integration_type) if to else None,
            override=self.override,
            schema=self.schema,
            references=msgspec.to_builtins(self.references),
            externalMessageId=quoted.external_message_id if isinstance(quoted, QuotedElsewhere) else None,
        )


def message(message: Message, quoted: Message | None = None) -> dict[str, Any]:
    """`message`. One that was quoted and is gone is told as `deleted`."""
    body: dict[str, Any] = {
        "id": message.id,
        "received": iso(message.received),
        "author": message.author,
        "content": message.content,
        "source": {"type": message.origin.type},
    }
    if message.origin.integration_id is not None:
        body["source"]["integrationId"] = message.origin.integration_id
    if quoted is not None:
        body["quotedMessage"] = {"type": "message", "message": _quoted(quoted)}
    elif message.quoted is not None:
        body["quotedMessage"] = {"type": "message", "message": {"id": message.quoted, "deleted": True}}
    elif external := message.extras.get("externalMessageId"):
        body["quotedMessage"] = {"type": "externalMessageId", "externalMessageId": external}
    if message.metadata:
        body["metadata"] = message.metadata
    if references := message.extras.get("references"):
        body["references"] = references
    return body


def _quoted(message_: Message) -> dict[str, Any]:
    """A quoted message without what it quotes itself."""
    return {name: value for name, value in message(message_).items() if name != "quotedMessage"}


def messages(page: Shown | Listed, *, animal_names: bool) -> Raw:
    """The page as JSON. What is stored is what is shown, so that most messages only get id and author."""
    if isinstance(page, Shown):
        text = ",".join(page.texts)
        if page.her is not None and HER in text:
            text = text.replace(HER, _author(page.her.id, page.her, animal_names=animal_names))
        return Raw(f"[{text}]".encode())
    authors = {
        author_id: _author(author_id, user, animal_names=animal_names) for author_id, user in page.authors.items()
    }
    shown = []
    for row in page.rows:
        body, author = row.body, authors.get(row.author_id or "")
        kind = body[KIND_AT] if body[FIRST_FIELD_AT] == TIMED else ""
        if kind == BY_BUSINESS:
            shown.append(f'{{"id":"{row.id}",{body[1:]}')
        elif kind == BY_USER and author is not None:
            shown.append(f'{{"id":"{row.id}","author":{author},{body[1:]}')
        else:
            shown.append(_encode(_decoded(row, page, animal_names=animal_names)).decode())
    return Raw(f"[{','.join(shown)}]".encode())


def _author(author_id: str, user: User, *, animal_names: bool) -> str:
    return _encode(named(Author("user", author_id), user, animal_names=animal_names)).decode()


def _decoded(row: StoredMessage, listed: Listed, *, animal_names: bool) -> dict[str, Any]:
    """A message that has something rare about it."""
    decoded = with_name(message_of(row), listed.authors.get(row.author_id or ""), animal_names=animal_names)
    quoted = listed.quoted.get(decoded.quoted or "")
    if quoted is not None:
        quoted = with_name(quoted, listed.authors.get(quoted.author.user_id or ""), animal_names=animal_names)
    return message(decoded, quoted)
