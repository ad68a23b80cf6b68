"""What a token says about its user beside who she is."""

from typing import Any

from msgspec import structs

from knownas.keys.tokens import UserClaims
from knownas.users import UserChanges
from knownas.users.names import MAX_NAME, split_name


def stated_profile(claims: UserClaims, typed: UserChanges) -> UserChanges:
    """What the token says about the user, over what was typed. A claim that is absent says nothing. Pure."""
    given_name, surname = split_name(claims.name)
    stated: dict[str, Any] = {"given_name": given_name, "surname": surname} if given_name else {}
    if claims.email:
        stated["email"] = claims.email[:MAX_NAME]
    return structs.replace(typed, **stated) if stated else typed
