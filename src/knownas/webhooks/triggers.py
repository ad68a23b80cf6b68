"""What a webhook may ask to be told of, and where it may ask it to be sent."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from knownas.webhooks import InvalidWebhook

EVERYTHING: Final = "*"
"""All triggers. v1.1 has it; the v2 documents say nothing of it, and refusing it would help nobody."""

TRIGGERS: Final = (
    "client:add",
    "client:remove",
    "client:update",
    "conversation:create",
    "conversation:join",
    "conversation:leave",
    "conversation:message",
    "conversation:message:delivery:channel",
    "conversation:message:delivery:failure",
    "conversation:message:delivery:user",
    "conversation:postback",
    "conversation:read",
    "conversation:referral",
    "conversation:remove",
    "conversation:typing",
    "passthrough:messaging",
    "switchboard:acceptControl",
    "switchboard:acceptControl:failure",
    "switchboard:offerControl",
    "switchboard:offerControl:failure",
    "switchboard:passControl",
    "switchboard:passControl:failure",
    "switchboard:releaseControl",
    "user:merge",
    "user:remove",
    "user:update",
)
TARGET_LENGTH: Final = 2048
_KNOWN: Final = frozenset((*TRIGGERS, EVERYTHING))
_SHOWN: Final = 100


def check_triggers(triggers: Sequence[str]) -> tuple[str, ...]:
    """The triggers, each once, in the order given. They are case-sensitive. Raises InvalidWebhook."""
    if not triggers:
        raise InvalidWebhook("triggers should NOT have fewer than 1 items")
    for trigger in triggers:
        if trigger not in _KNOWN:
            known = {name.casefold(): name for name in TRIGGERS}.get(trigger.casefold())
            hint = f" Did you mean '{known}'? Triggers are case-sensitive." if known else ""
            raise InvalidWebhook(f"Unknown trigger '{_plain(trigger)}'.{hint}")
    return tuple(dict.fromkeys(triggers))


def check_target(target: str) -> str:
    """The target, when it is an address that can be called. Raises InvalidWebhook.

    Whether the address may be called, now and each time, is for delivery to ask: names move.
    """
    if len(target) > TARGET_LENGTH:
        raise InvalidWebhook(f"target should NOT be longer than {TARGET_LENGTH} characters")
    try:
        parts = urlsplit(target)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not all(character.isprintable() and character != " " for character in target):
        raise InvalidWebhook("target should be an http or https URL, such as https://example.org/webhook")
    return target


def _plain(text: str) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in text[:_SHOWN])
