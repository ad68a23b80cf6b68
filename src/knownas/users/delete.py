"""Remove a user, or only what is personal about her (R10)."""

from typing import Any, Final

from msgspec import structs

from knownas.audit import Entry
from knownas.erasures import ErasureKind, Reach, Receipt
from knownas.erasures.give_receipt import give_receipt
from knownas.plans import Foreseen, Preview
from knownas.resolutions import By
from knownas.transaction import Transaction
from knownas.users import User, UserErased, UserRemoved

CLEARED: Final[dict[str, Any]] = {
    "given_name": None,
    "surname": None,
    "email": None,
    "avatar_url": None,
    "locale": None,
    "metadata": {},
    "signed_up_at": None,
    "zendesk_id": None,
}
"""What of a user's own row is personal, and what it is afterwards."""

_DOES: Final[dict[ErasureKind, tuple[str, ...]]] = {
    "delete": (
        "Removes the user, everyone merged into this user, devices, clients, identities and personal conversations.",
        "Removes what the user said in groups, which stay to the others.",
        "Removes what the outbox, the merge journal, conflict cases and the audit log's details say about the user.",
    ),
    "erase": (
        "Clears profile, metadata, client details and all identities but the external id.",
        "Keeps the user, the conversations and what was said in them.",
        "Removes what the outbox, the merge journal, conflict cases and the audit log's details say about the user.",
    ),
}
_WARNINGS: Final = (
    "This cannot be undone. Merges and resolutions that the user was part of cannot be undone any more either.",
    "Backups, and whatever webhooks were told already, are not reached from here.",
)


class ForeseenErasure(Foreseen, frozen=True):
    """What an erasure found before it decides. `last` is the newest audit entry; `told`, whether webhooks are."""

    kind: ErasureKind
    user: User
    reach: Reach
    last: Entry | None
    told: bool


async def delete_user(tx: Transaction, user: User, by: By) -> Receipt:
    """Remove the user with her devices, sessions, identities, history and everyone merged into her.

    Her personal conversations go; groups stay to the others, without her and what she said in them.
    Frees her identities at once; the next login with her external id makes a new user. Emits user.removed, which
    names her external id only where a webhook asks to be told of it: the receiver may know her by nothing else.
    """
    return carry_out_erasure(tx, await foresee_erasure(tx, user, "delete"), by)


async def erase_personal_information(tx: Transaction, user: User, by: By) -> tuple[User, Receipt]:
    """Clear profile, metadata, client details and identities except the external id; keep user and conversations.

    Answers what is left of her. What the outbox and the merge journal said about her goes too. Frees the e-mail at
    once. Emits user.erased.
    """
    receipt = carry_out_erasure(tx, await foresee_erasure(tx, user, "erase"), by)
    return structs.replace(user, **CLEARED, identities=()), receipt


async def foresee_erasure(tx: Transaction, user: User, kind: ErasureKind) -> ForeseenErasure:
    """Count what the erasure will remove or clear, and read what carrying it out relies on."""
    members = await tx.users.members(user)
    reach = await tx.erasures.reach(members)
    removes = await tx.erasures.extent(reach, whole=kind == "delete")
    told = kind == "delete" and any(webhook.wants("user:remove") for webhook in await tx.webhooks.of_app())
    return ForeseenErasure(
        Preview(_DOES[kind], removes=removes, warnings=_WARNINGS),
        tuple(members),
        {f"user:{user.id}": user.revision},
        kind,
        user,
        reach,
        await tx.audit.last(),
        told,
    )


def carry_out_erasure(tx: Transaction, foreseen: ForeseenErasure, by: By) -> Receipt:
    """Hold all removals, the audit entry and the receipt. Emits user.removed or user.erased.

    Loses its race when the user was written since she was read.
    """
    user, reach, whole = foreseen.user, foreseen.reach, foreseen.kind == "delete"
    if whole:
        tx.users.remove(user)
    else:
        tx.users.change(user, **CLEARED)
    tx.erasures.forget_told(reach)
    tx.erasures.forget_settled(reach)
    tx.erasures.forget_merges(reach, whole=whole)
    if whole:
        _remove(tx, foreseen)
    else:
        _clear(tx, foreseen)
    return give_receipt(tx, foreseen.last, foreseen.kind, user.id, foreseen.preview.removes, by)


def _remove(tx: Transaction, foreseen: ForeseenErasure) -> None:
    user, members = foreseen.user, foreseen.reach.members
    tx.attachments.remove_of_users(members)
    tx.conversations.remove_of_users(members)
    tx.users.remove_rows(members)
    tx.emit(UserRemoved(user.id, user.external_id if foreseen.told else None, user.authenticated))


def _clear(tx: Transaction, foreseen: ForeseenErasure) -> None:
    user, members = foreseen.user, foreseen.reach.members
    tx.identities.remove_all(members)
    tx.devices.clear_details(members)
    tx.clients.clear_details(members)
    tx.conversations.forget_names(members)
    tx.users.forget_profiles(members)
    tx.emit(UserErased(user.id))
