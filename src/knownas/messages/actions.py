"""The buttons of a message (spec/sunshine-v2.yaml, `action` and `actionSubset`)."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from knownas.messages import InvalidMessage
from knownas.users.metadata import check_metadata

_SCRIPT: Final = re.compile(r"(?:javascript|vbscript|data):", re.IGNORECASE)
_INVISIBLE: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028\u2029\ufeff]+")

Uri = Annotated[str, Meta(min_length=1, max_length=2048)]
Metadata = dict[str, Any]


class MessengerOptions(Struct, omit_defaults=True, frozen=True):
    """What only Messenger understands; its names are spelled as there."""

    messenger_extensions: bool | None = None
    webview_share_button: Literal["hide"] | None = None


class ExtraChannelOptions(Struct, omit_defaults=True, frozen=True):
    """What is handed to one channel as it is."""

    messenger: MessengerOptions | None = None


class Action(Struct, rename="camel", omit_defaults=True, kw_only=True, tag_field="type"):
    """What all buttons have."""

    text: str
    metadata: Metadata | None = None


class Buy(Action, kw_only=True, tag="buy"):
    """Pay; `amount` is in the currency's smallest unit."""

    amount: Annotated[int, Meta(ge=0, le=2**53)]
    currency: Annotated[str, Meta(pattern="^[A-Za-z]{3}$")] | None = None


class Link(Action, kw_only=True, tag="link"):
    """Open an address."""

    uri: Uri
    default: bool | None = None
    extra_channel_options: ExtraChannelOptions | None = None


class LocationRequest(Action, kw_only=True, tag="locationRequest"):
    """Ask for where the user is."""


class Postback(Action, kw_only=True, tag="postback"):
    """Tell the business that it was pressed."""

    payload: str


class Reply(Action, kw_only=True, tag="reply"):
    """Answer with the button's text."""

    payload: str
    icon_url: Annotated[str, Meta(max_length=2048)] | None = None


class Webview(Action, kw_only=True, tag="webview"):
    """Open an address inside the chat, or `fallback` where that cannot be done."""

    uri: Uri
    fallback: Uri
    default: bool | None = None
    extra_channel_options: ExtraChannelOptions | None = None
    size: Literal["compact", "tall", "full"] | None = None
    open_on_receive: bool | None = None


AnyAction = Buy | Link | LocationRequest | Postback | Reply | Webview
ItemAction = Buy | Link | Postback | Webview
"""The buttons of carousels and lists: those that do not hang at the end of a conversation."""


def check_actions(actions: list[Any], where: str) -> None:
    """Raise InvalidMessage for what a button's shape alone does not show."""
    for number, action in enumerate(actions):
        at = f"{where}[{number}]"
        if action.metadata:
            check_metadata(action.metadata, subject="Action")
        if isinstance(action, Link | Webview):
            _check_uri(action.uri, f"{at}.uri")
        if isinstance(action, Webview):
            _check_uri(action.fallback, f"{at}.fallback")
        if isinstance(action, Reply) and action.icon_url:
            _check_uri(action.icon_url, f"{at}.iconUrl")


def check_one_opens(actions: list[Any]) -> None:
    """Raise InvalidMessage when more than one webview of a message wants to open by itself."""
    if sum(isinstance(action, Webview) and action.open_on_receive is True for action in actions) > 1:
        raise InvalidMessage("openOnReceive can be true for only one action of a message")


def _check_uri(uri: str, where: str) -> None:
    """A script is no address: browsers would run it in the page that shows the button."""
    if _SCRIPT.match(_INVISIBLE.sub("", uri)):
        raise InvalidMessage(f"{where} should be an address such as https://example.org, not a script")


def numbered_actions(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The buttons of stored content: the message's own, then those of its items, in an order that never changes."""
    yield from content.get("actions", ())
    for item in content.get("items", ()):
        yield from item.get("actions", ())


def action_id(message_id: str, number: int) -> str:
    """The id of a message's button of this number; it need not be stored, for it names where the button is."""
    return f"{message_id}{number:02x}"


def content_with_ids(message_id: str, content: dict[str, Any]) -> dict[str, Any]:
    """The content with `_id` on each button, as v1.1 and the SDKs know them; v2 has none (its `action` schema)."""
    number = 0

    def named(actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        nonlocal number
        shown = [{"_id": action_id(message_id, number + at), **action} for at, action in enumerate(actions)]
        number += len(actions)
        return shown

    content = dict(content)
    if "actions" in content:
        content["actions"] = named(content["actions"])
    if "items" in content:
        content["items"] = [
            {**item, "actions": named(item["actions"])} if "actions" in item else item for item in content["items"]
        ]
    return content
