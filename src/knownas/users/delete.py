"""Remove a user, or only what is personal about her (R10)."""

from typing import Any

from msgspec import structs

from knownas.transaction import Transaction
from knownas.users import User, UserErased, UserRemoved


async def delete_user(tx: Transaction, user: User) -> None:
    """Remove the user with her devices, sessions, identities, history and everyone merged into her.

    Her personal conversations go; groups stay to the others, without her and what she said in them.
    Frees her identities at once; the next login with her external id makes a new user. Emits user.removed, which
    names her external id only where a webhook asks to be told of it: the receiver may know her by nothing else.
    """
    members = await tx.users.members(user)
    asked = any(webhook.wants("user:remove") for webhook in await tx.webhooks.of_app())
    tx.attachments.remove_of_users(members)
    tx.conversations.remove_of_users(members)
    tx.users.remove(user, members)
    tx.conflicts.forget(members, user.external_id)
    tx.emit(UserRemoved(user.id, user.external_id if asked else None, user.authenticated))


async def erase_personal_information(tx: Transaction, user: User) -> User:
    """Clear profile, metadata, client details and identities except the external id; keep user and conversations.

    What the outbox and the merge journal said about her goes too. Frees the e-mail at once. Emits user.erased.
    """
    members = await tx.users.members(user)
    nothing: dict[str, Any] = dict.fromkeys(("given_name", "surname", "email", "avatar_url", "locale"))
    tx.users.change(user, **nothing, metadata={})
    tx.identities.remove_all(members)
    tx.devices.clear_details(members)
    tx.clients.clear_details(members)
    tx.conflicts.forget(members, user.external_id)
    tx.users.forget_events(members)
    tx.conversations.forget_users(members)
    tx.emit(UserErased(user.id))
    return structs.replace(user, **nothing, metadata={}, identities=())
