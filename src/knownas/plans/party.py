"""A user as a preview shows her, and as a plan relies on her."""

from hashlib import sha256

import msgspec
from msgspec import structs

from knownas.plans import Party
from knownas.transaction import Transaction
from knownas.users import User
from knownas.users.names import display_name


async def party(tx: Transaction, user: User, role: str, *, stays: bool = True) -> Party:
    """The user with what stands under all of her ids."""
    holdings = await tx.users.holdings(await tx.users.members(user))
    return Party(
        role=role,
        user_id=user.id,
        external_id=user.external_id,
        display_name=display_name(user, animal_names=tx.settings.use_animal_names),
        identities=tuple((one.type, one.value) for one in user.identities),
        conversations=holdings.conversations,
        messages=holdings.messages,
        devices=holdings.devices,
        clients=holdings.clients,
        metadata_keys=len(user.metadata),
        stays=stays,
    )


def stranger(external_id: str, role: str) -> Party:
    """Somebody who has been refused so far, so that there is nothing of her. Pure."""
    return Party(role, None, external_id, "", (), 0, 0, 0, 0, 0)


def state_of(user: User) -> str:
    """What of the user a plan relies on: all but how often her row was written, as what she says counts there. Pure."""
    identities = tuple(sorted(user.identities, key=lambda one: (one.type, one.key)))
    seen = structs.replace(user, revision=0, identities=identities)
    return sha256(msgspec.json.encode(seen, order="sorted")).hexdigest()


def named(user: User) -> str:
    """The user in a sentence. Pure."""
    return f"user {user.id}" + (f" (external id {user.external_id})" if user.external_id else " (anonymous)")


def sentence(text: str) -> str:
    """The text with a capital at its beginning, and every name in it as it is written. Pure."""
    return text[:1].upper() + text[1:]
