"""What a message can say (spec/sunshine-v2.yaml, `content`): shapes, and the fields that are filled in.

The shapes double as wire types: they are spelled as every facade spells them. Fields that are not in them are dropped,
among them the vendor's read-only ones, and null is the same as absent.
"""

from posixpath import basename
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Meta, Struct

from knownas.messages import InvalidMessage
from knownas.messages.actions import AnyAction, ItemAction, Metadata, check_actions, check_one_opens
from knownas.messages.rich_text import html_of, text_of
from knownas.users.metadata import check_metadata

TEXT_AT_MOST: Final = 4096
DEPTH_AT_MOST: Final = 32

Text = Annotated[str, Meta(max_length=TEXT_AT_MOST)]
MediaUrl = Annotated[str, Meta(min_length=1, max_length=2048, pattern=r"^https?://[^\x00-\x1f\x7f]+\Z")]
Short = Annotated[str, Meta(max_length=128)]
Label = Annotated[str, Meta(min_length=1, max_length=128)]
Size = Annotated[int, Meta(ge=1, le=256)]


class Content(Struct, rename="camel", omit_defaults=True, kw_only=True, tag_field="type"):
    """What all content has."""

    block_chat_input: bool | None = None


class TextContent(Content, kw_only=True, tag="text"):
    """Words, plain or rich, with buttons. `payload` is that of the reply button which it answers."""

    text: Text | None = None
    html_text: Text | None = None
    markdown_text: Text | None = None
    actions: list[AnyAction] | None = None
    payload: str | None = None


class ImageContent(Content, kw_only=True, tag="image"):
    """A picture by its address."""

    media_url: MediaUrl
    alt_text: Short | None = None
    text: Text | None = None
    html_text: Text | None = None
    markdown_text: Text | None = None
    actions: list[AnyAction] | None = None
    attachment_id: Short | None = None


class FileContent(Content, kw_only=True, tag="file"):
    """Any other file by its address."""

    media_url: MediaUrl
    alt_text: Short | None = None
    text: Text | None = None
    html_text: Text | None = None
    markdown_text: Text | None = None
    attachment_id: Short | None = None


class Item(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """One card of a carousel or a list."""

    title: Label
    description: Short | None = None
    media_url: MediaUrl | None = None
    media_type: Short | None = None
    alt_text: Short | None = None
    size: Literal["compact", "large"] | None = None
    actions: Annotated[list[ItemAction], Meta(min_length=1, max_length=3)]
    metadata: Metadata | None = None


Items = Annotated[list[Item], Meta(min_length=1, max_length=10)]


class DisplaySettings(Struct, rename="camel", omit_defaults=True):
    """How a carousel is laid out."""

    image_aspect_ratio: Literal["horizontal", "square"] | None = None


class CarouselContent(Content, kw_only=True, tag="carousel"):
    """Cards side by side."""

    items: Items
    display_settings: DisplaySettings | None = None


class ListContent(Content, kw_only=True, tag="list"):
    """Cards below each other."""

    items: Items
    actions: Annotated[list[ItemAction], Meta(min_length=1, max_length=10)] | None = None


class Coordinates(Struct):
    """A place on earth, in degrees."""

    lat: Annotated[float, Meta(ge=-90, le=90)]
    long: Annotated[float, Meta(ge=-180, le=180)]


class Place(Struct, omit_defaults=True):
    """What people call the place."""

    address: Text | None = None
    name: Text | None = None


class LocationContent(Content, kw_only=True, tag="location"):
    """Where somebody or something is."""

    coordinates: Coordinates
    location: Place | None = None


class Option(Struct):
    """One choice of a field of type select."""

    name: Label
    label: Label


class Field(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """One question of a form, or its answer."""

    type: Literal["email", "select", "text"]
    name: Label
    label: Label
    text: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    email: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    select: Annotated[list[Option], Meta(max_length=200)] | None = None
    format: Literal["integer", "decimal"] | None = None
    placeholder: Label | None = None
    min_size: Size | None = None
    max_size: Size | None = None
    options: Annotated[list[Option], Meta(max_length=200)] | None = None


Fields = Annotated[list[Field], Meta(min_length=1, max_length=20)]


class FormContent(Content, kw_only=True, tag="form"):
    """Questions to the user."""

    fields: Fields
    text: Text | None = None


class FormResponseContent(Content, kw_only=True, tag="formResponse"):
    """Her answers; only SDKs send them."""

    fields: Fields


class TemplateContent(Content, kw_only=True, tag="template"):
    """A channel's own template, handed on as it is."""

    template: dict[str, Any]


AnyContent = (
    TextContent
    | ImageContent
    | FileContent
    | CarouselContent
    | ListContent
    | LocationContent
    | FormContent
    | FormResponseContent
    | TemplateContent
)


def complete(content: AnyContent) -> dict[str, Any]:
    """The content as it is stored and shown: checked, with the fields that the vendor fills in. Pure.

    Markdown becomes HTML; HTML without a text beside it gets one; carousels, lists and locations get their fallback
    text. What lies behind an address is not fetched, so `mediaType` is told by the name of the file alone and
    `mediaSize` is left out. Raises InvalidMessage, InvalidMetadata.
    """
    if isinstance(content, TextContent | ImageContent | FileContent):
        _complete_text(content)
    check_one_opens(_check_buttons(content))
    if isinstance(content, FormContent | FormResponseContent):
        _check_fields(content)
    if isinstance(content, TemplateContent):
        check_depth(content.template, "content.template")
    return {**msgspec.to_builtins(content), **_filled_in(content)}


def _complete_text(content: TextContent | ImageContent | FileContent) -> None:
    if content.html_text is not None and content.markdown_text is not None:
        raise InvalidMessage("content should have either htmlText or markdownText, not both")
    if isinstance(content, TextContent) and not (
        content.text or content.html_text or content.markdown_text or content.actions
    ):
        raise InvalidMessage("content should have required property 'text', 'htmlText', 'markdownText' or 'actions'")
    if content.markdown_text is not None:
        content.html_text, content.markdown_text = html_of(content.markdown_text), None
        if len(content.html_text) > TEXT_AT_MOST:
            raise InvalidMessage(f"content.markdownText as HTML should NOT be longer than {TEXT_AT_MOST} characters")
    if content.text is None and content.html_text:
        content.text = text_of(content.html_text)[:TEXT_AT_MOST]


def _check_buttons(content: AnyContent) -> list[Any]:
    """All buttons of the content, checked."""
    found: list[Any] = []
    for number, item in enumerate(getattr(content, "items", None) or ()):
        if item.metadata:
            check_metadata(item.metadata, subject="Item")
        check_actions(item.actions, f"content.items[{number}].actions")
        found += item.actions
    own: list[Any] = getattr(content, "actions", None) or []
    check_actions(own, "content.actions")
    return own + found


def _check_fields(content: FormContent | FormResponseContent) -> None:
    seen: set[str] = set()
    for number, field in enumerate(content.fields):
        at = f"content.fields[{number}]"
        if field.name in seen:
            raise InvalidMessage(f"{at}.name should be unique in its form")
        seen.add(field.name)
        for kind in ("text", "email", "select"):
            if kind != field.type and getattr(field, kind) is not None:
                raise InvalidMessage(f"{at}.{kind} is only for fields of type {kind}")
        if isinstance(content, FormResponseContent):
            if getattr(field, field.type) is None:
                raise InvalidMessage(f"{at} should have required property '{field.type}'")
        else:
            _check_question(field, at)


def _check_question(field: Field, at: str) -> None:
    if field.type == "text":
        field.min_size, field.max_size = field.min_size or 1, field.max_size or max(128, field.min_size or 1)
        if field.min_size > field.max_size:
            raise InvalidMessage(f"{at}.minSize should not be more than maxSize")
    elif field.min_size is not None or field.max_size is not None or field.format is not None:
        raise InvalidMessage(f"{at}: minSize, maxSize and format are only for fields of type text")
    if field.type == "select":
        names = [option.name for option in field.options or ()]
        if not names:
            raise InvalidMessage(f"{at} should have required property 'options'")
        if len(set(names)) < len(names):
            raise InvalidMessage(f"{at}.options should have unique names")
    elif field.options is not None:
        raise InvalidMessage(f"{at}.options is only for fields of type select")


def check_depth(value: object, where: str) -> None:
    """Raise InvalidMessage when free-form JSON is nested so deeply that others would choke on it."""
    level: list[object] = [value]
    for _ in range(DEPTH_AT_MOST):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise InvalidMessage(f"{where} is nested too deeply: {DEPTH_AT_MOST} levels at most")


def _filled_in(content: AnyContent) -> dict[str, Any]:
    """The vendor's read-only fields, as far as the content alone tells them."""
    match content:
        case ImageContent() | FileContent():
            return _media(content)
        case CarouselContent():
            return {"text": _cards(content.items), "items": [_item(item) for item in content.items]}
        case ListContent():
            return {"text": _cards(content.items), "items": [_item(item) for item in content.items]}
        case LocationContent():
            at = content.coordinates
            return {"text": f"Location shared:\nhttps://maps.google.com/maps?q={at.lat:.12g},{at.long:.12g}"}
        case FormContent():
            return {"submitted": False}
        case FormResponseContent():
            return {"textFallback": "\n".join(f"{field.label}: {_answer(field)}" for field in content.fields)}
    return {}


def _answer(field: Field) -> str:
    if field.type == "select":
        return ", ".join(option.label for option in field.select or ())
    return (field.text if field.type == "text" else field.email) or ""


def _cards(items: list[Item]) -> str:
    """Cards as plain text: numbered, with the addresses of their links; a button that needs pressing is left out."""
    blocks = []
    for number, item in enumerate(items, start=1):
        lines = [f"{number}. {item.title}"]
        if item.description:
            lines.append(item.description)
        lines += [f"{action.text}: {action.uri}" for action in item.actions if hasattr(action, "uri")]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)[:TEXT_AT_MOST]


def _item(item: Item) -> dict[str, Any]:
    return {**msgspec.to_builtins(item), **(_media(item) if item.media_url else {})}


def _media(content: ImageContent | FileContent | Item) -> dict[str, Any]:
    """`altText` (the file's name unless given) and `mediaType` (by its ending), where they can be told."""
    try:
        path = urlsplit(content.media_url or "").path
    except ValueError:
        raise InvalidMessage('mediaUrl should match format "uri"') from None
    name = "".join(character for character in unquote(basename(path)) if character.isprintable())
    _, dot, ending = name.rpartition(".")
    told = {
        "altText": name[:128] if content.alt_text is None else content.alt_text,
        "mediaType": getattr(content, "media_type", None) or _MEDIA_TYPES.get(ending.lower() if dot else ""),
    }
    return {field: value for field, value in told.items() if value}


_MEDIA_TYPES: Final = {
    "aac": "audio/aac", "avi": "video/x-msvideo", "avif": "image/avif", "bmp": "image/bmp", "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "gif": "image/gif", "heic": "image/heic", "htm": "text/html", "html": "text/html", "ics": "text/calendar",
    "jpeg": "image/jpeg", "jpg": "image/jpeg", "json": "application/json", "m4a": "audio/mp4", "md": "text/markdown",
    "mov": "video/quicktime", "mp3": "audio/mpeg", "mp4": "video/mp4", "mpeg": "video/mpeg",
    "odt": "application/vnd.oasis.opendocument.text", "ogg": "audio/ogg", "pdf": "application/pdf", "png": "image/png",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "rtf": "application/rtf", "svg": "image/svg+xml", "tif": "image/tiff", "tiff": "image/tiff", "txt": "text/plain",
    "vcf": "text/vcard", "wav": "audio/wav", "webm": "video/webm", "webp": "image/webp",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "application/xml", "zip": "application/zip",
}  # fmt: skip
