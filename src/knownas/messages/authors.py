"""Who may say something in a conversation, and under which name."""

from contextlib import suppress

from msgspec import structs

from knownas.conversations import Participant
from knownas.conversations.find import seat_of
from knownas.identities import InvalidIdentity
from knownas.ids import is_id
from knownas.messages import Author, InvalidMessage
from knownas.transaction import Transaction
from knownas.users import User, UserNotFound
from knownas.users.names import display_name

SENDABLE_SUBTYPES = ("AI", "activity")


def check_author(author: Author, external_id: str | None) -> None:
    """Raise InvalidMessage unless the author is one whom the API may speak for (`author` in spec/sunshine-v2.yaml)."""
    if author.type == "business":
        if author.user_id is not None or external_id is not None:
            raise InvalidMessage("author.userId and author.userExternalId are only for authors of type user")
        if len(author.subtypes) > 1:
            raise InvalidMessage("author.subtypes should NOT have more than 1 item")
        if author.subtypes and author.subtypes[0] not in SENDABLE_SUBTYPES:
            raise InvalidMessage(f"author.subtypes can be sent as {' or '.join(SENDABLE_SUBTYPES)} only")
    elif author.subtypes:
        raise InvalidMessage("author.subtypes is only for authors of type business")
    elif (author.user_id is None) == (external_id is None):
        raise InvalidMessage("author should have either userId or userExternalId, and not both, when its type is user")


async def speaking_user(
    tx: Transaction,
    author: Author,
    external_id: str | None,
    brand_id: str | None,
    conversation_id: str,
    participants: list[Participant],
) -> User:
    """The user whom the author names, who has to take part. Raises UserNotFound, NotAMember."""
    user = None
    if author.user_id is not None:
        user = await tx.users.by_id(author.user_id) if is_id(author.user_id) else None
    elif external_id is not None:
        with suppress(InvalidIdentity):
            user = await tx.users.by_external_id(external_id, brand_id)
    if user is None:
        raise UserNotFound
    await seat_of(tx, conversation_id, participants, user)
    return user


def named(author: Author, user: User | None, *, animal_names: bool) -> Author:
    """The author as others see her: what the message was given, else what is known of the user.

    A merged user goes by the survivor's id; of one who is gone only the id is left.
    """
    if user is None:
        return author
    return structs.replace(
        author,
        user_id=user.id,
        display_name=author.display_name or display_name(user, animal_names=animal_names),
        avatar_url=author.avatar_url or user.avatar_url,
    )
