"""What a link may ask for, and what happens when its channel knows the person already. Pure."""

from typing import Any, Final, Literal

import msgspec

from knownas.clients import InvalidLink, Link, Profile
from knownas.identities import InvalidIdentity
from knownas.identities.normalise import normalise
from knownas.users import User

PHONE_TYPES: Final = ("messagebird", "twilio", "whatsapp")
LINK_TYPES: Final = ("mailgun", *PHONE_TYPES)
SMS_TYPES: Final = ("messagebird", "twilio")
MAX_CHANNEL_ID: Final = 256
MAX_DETAILS_BYTES: Final = 8192

Outcome = Literal["activate", "keep_former", "merge", "steal"]


def check_link(link: Link) -> str:
    """The address in its normal form, when the link keeps the rules of its channel and its confirmation.

    A phone number is given with + and country code. `userActivity` needs a message, since there is nothing else that
    she could react to; `prompt` has words of its own, and only SMS can show it. Raises InvalidLink.
    """
    if link.type not in LINK_TYPES:
        raise InvalidLink(f"matchCriteria.type should be equal to one of the allowed values: {', '.join(LINK_TYPES)}")
    where = "address" if link.type == "mailgun" else "phoneNumber"
    try:
        address = normalise("email" if link.type == "mailgun" else "phone", link.address)
    except InvalidIdentity as wrong:
        raise InvalidLink(f"matchCriteria.{where} cannot be used: {wrong}") from None
    if link.confirmation == "userActivity" and link.message is None:
        raise InvalidLink("confirmation should have required property 'message' when its type is userActivity")
    if link.confirmation == "prompt" and link.message is not None:
        raise InvalidLink("confirmation.message cannot be given when its type is prompt, which has words of its own")
    if link.confirmation == "prompt" and link.type not in SMS_TYPES:
        raise InvalidLink(f"confirmation.type prompt is for SMS only: {' and '.join(SMS_TYPES)}")
    if link.message is not None:
        _check_message(link.message)
    return address


def _check_message(message: dict[str, Any]) -> None:
    content = message.get("content")
    if not isinstance(content, dict):
        raise InvalidLink("confirmation.message should have required property 'content'")
    needs = {"text": "text", "image": "mediaUrl"}.get(content.get("type", ""))
    if needs is None:
        raise InvalidLink("confirmation.message.content.type should be text or image")
    value = content.get(needs)
    if not isinstance(value, str) or not 1 <= len(value) <= 4096:
        raise InvalidLink(f"confirmation.message.content.{needs} should be a string of 1 to 4096 characters")
    author = message.get("author")
    if author is not None and (not isinstance(author, dict) or author.get("type") != "business"):
        raise InvalidLink("confirmation.message.author.type should be business")
    actions = content.get("actions", [])
    if not isinstance(actions, list) or not all(isinstance(a, dict) and a.get("type") == "link" for a in actions):
        raise InvalidLink("confirmation.message.content.actions should be a list of actions of type link")


def check_profile(profile: Profile) -> Profile:
    """The same, when it is small enough to be kept and told. Raises InvalidLink."""
    external_id = profile.external_id
    if external_id is not None and (not 1 <= len(external_id) <= MAX_CHANNEL_ID or not external_id.isprintable()):
        raise InvalidLink(f"externalId should have 1 to {MAX_CHANNEL_ID} characters, none of them a control character")
    for name, details in (("info", profile.info), ("raw", profile.raw)):
        if details is not None and len(msgspec.json.encode(details)) > MAX_DETAILS_BYTES:
            raise InvalidLink(f"{name} is limited to {MAX_DETAILS_BYTES} bytes in size.")
    return profile


def decide_owner(user: User, former: User | None) -> Outcome:
    """What confirming a link does, when `former` has a client for the same person on the same channel.

    Her own client is kept. Two whom nobody knows are one person, since they hold the same account, and are merged. Of
    anybody else the channel is taken, and nothing more: two identified users never merge by themselves (R7).
    """
    if former is None:
        return "activate"
    if former.id == user.id:
        return "keep_former"
    return "merge" if user.anonymous and former.anonymous else "steal"
