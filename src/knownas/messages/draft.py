"""A message that somebody wants to say, checked as far as it can be without the database."""

from typing import Any

from msgspec import Struct

from knownas.conversations import Origin
from knownas.messages import Author, InvalidMessage
from knownas.messages.authors import check_author
from knownas.messages.content import AnyContent, FormResponseContent, TemplateContent, check_depth, complete
from knownas.users.metadata import check_metadata

CHANNELS_OVERRIDDEN = ("apple", "line", "messenger", "whatsapp")


class Destination(Struct, frozen=True):
    """The one channel that a message is for; the type `none` means none at all."""

    integration_id: str | None = None
    integration_type: str | None = None


class Draft(Struct, frozen=True):
    """What `post_message` takes. `external_id`, unique within the brand where there is one, names the
    author where `author.user_id` does not.
    """

    author: Author
    content: dict[str, Any]
    origin: Origin = Origin()
    external_id: str | None = None
    brand_id: str | None = None
    metadata: dict[str, Any] | None = None
    quoted: str | None = None
    destination: Destination | None = None
    extras: dict[str, Any] = {}


def draft(
    author: Author,
    content: AnyContent,
    *,
    external_id: str | None = None,
    brand_id: str | None = None,
    metadata: dict[str, Any] | None = None,
    quoted: str | None = None,
    destination: Destination | None = None,
    override: dict[str, Any] | None = None,
    schema: str | None = None,
    **extras: Any,
) -> Draft:
    """A draft as a business's server may post it. Pure, so it is made before the transaction.

    Raises InvalidMessage and InvalidMetadata with what is wrong.
    """
    check_author(author, external_id)
    if isinstance(content, FormResponseContent):
        raise InvalidMessage("formResponse messages cannot be sent with this API, only SDKs send them")
    if isinstance(content, TemplateContent) and schema != "whatsapp":
        raise InvalidMessage("schema should be 'whatsapp' when content.type is template")
    if schema not in (None, "whatsapp"):
        raise InvalidMessage("schema should be 'whatsapp'")
    if override is not None:
        check_override(override)
    if destination is not None:
        check_destination(author, destination)
    sent = {
        "destination": {"integrationId": destination.integration_id}
        if destination and destination.integration_id
        else {"integrationType": destination.integration_type}
        if destination
        else None,
        "override": override,
        "schema": schema,
        **extras,
    }
    return Draft(
        author,
        complete(content),
        external_id=external_id,
        brand_id=brand_id,
        metadata=check_metadata(metadata, subject="Message") if metadata else None,
        quoted=quoted,
        destination=destination,
        extras={name: value for name, value in sent.items() if value},
    )


def check_override(override: dict[str, Any]) -> None:
    """Raise InvalidMessage unless it is a payload for a channel that takes one (`messageOverride`)."""
    for channel, payload in override.items():
        if channel not in CHANNELS_OVERRIDDEN:
            raise InvalidMessage(f"override should be for one of {', '.join(CHANNELS_OVERRIDDEN)}")
        if not isinstance(payload, dict) or not isinstance(payload.get("payload", {}), dict):
            raise InvalidMessage(f"override.{channel} should be an object with the object 'payload'")
    check_depth(override, "override")


def check_destination(author: Author, destination: Destination) -> None:
    """Raise InvalidMessage for a destination that names nothing, two things, or that the author may not choose."""
    if (destination.integration_id is None) == (destination.integration_type is None):
        raise InvalidMessage("destination should have either integrationId or integrationType, and not both")
    if author.type != "business":
        raise InvalidMessage("destination is only for authors of type business")
