"""Create a user, as a business's server does before that user has ever been seen."""

from msgspec import UNSET

from knownas.identities import Identity
from knownas.identities.brands import branded, check_brand
from knownas.transaction import Transaction
from knownas.users import HowCreated, User, UserChanges, UserCreated, UserExists
from knownas.users.metadata import merge_metadata


def new_user(
    tx: Transaction,
    external_id: str | None,
    how: HowCreated,
    profile: UserChanges,
    *,
    authenticated: bool,
    brand_id: str | None = None,
) -> User:
    """Hold a new user, with an external id or without, for writing. Emits user.created."""
    user = user_of(tx, external_id, profile, authenticated=authenticated, brand_id=brand_id)
    tx.users.add(user)
    tx.emit(UserCreated(user.id, external_id, how))
    return user


def user_of(
    tx: Transaction, external_id: str | None, profile: UserChanges, *, authenticated: bool, brand_id: str | None = None
) -> User:
    """A user with a fresh id who has nothing but this profile. Nothing is held."""
    return User(
        id=tx.new_id(),
        external_id=external_id,
        authenticated=authenticated,
        given_name=profile.given_name or None,
        surname=profile.surname or None,
        email=profile.email or None,
        avatar_url=profile.avatar_url or None,
        locale=profile.locale or None,
        metadata=merge_metadata({}, profile.metadata or None),
        signed_up_at=None if profile.signed_up_at is UNSET else profile.signed_up_at,
        to_be_retained=None if profile.to_be_retained is UNSET else profile.to_be_retained,
        client_id=tx.new_id(),
        created_at=tx.now,
        brand_id=brand_id,
    )


def own_external_id(
    tx: Transaction,
    user_id: str,
    external_id: str,
    asserted_by: str,
    brand_id: str | None = None,
    *,
    signed: bool = False,
) -> None:
    """Hold the external id as this user's, in her brand or in none, guarded by the unique index (R1).

    `signed` says that the key signed a token that says so, and did not ask for it over the API.
    """
    key = branded("external_id", external_id, brand_id)
    tx.identities.add(
        Identity(
            user_id,
            "external_id",
            external_id,
            key,
            owned=True,
            verification="sso" if signed else "api",
            asserted_by=asserted_by,
            created_at=tx.now,
        )
    )


async def create_user(
    tx: Transaction, external_id: str | None, profile: UserChanges, asserted_by: str, brand_id: str | None = None
) -> User:
    """A new user with the profile given, of a brand or of none; `asserted_by` is the key that says so.

    Raises UserExists when the external id is taken, InvalidIdentity when it cannot be one. Emits user.created.
    """
    if brand_id is not None:
        check_brand(brand_id)
    if external_id is not None and await tx.users.by_external_id(external_id, brand_id) is not None:
        raise UserExists
    user = new_user(tx, external_id, "api", profile, authenticated=False, brand_id=brand_id)
    if external_id is not None:
        own_external_id(tx, user.id, external_id, asserted_by, brand_id)
    return user
