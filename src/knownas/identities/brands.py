"""Identities of brand-separated users: the same external id may be another person's in each of a business's brands."""

from hashlib import sha256
from typing import Final

from knownas.identities import IdentityType, InvalidIdentity
from knownas.identities.normalise import DIGEST_PREFIX, MAX_KEY_BYTES, normalise

MAX_BRAND: Final = 24
_MARK: Final = "\x02"  # no normal form holds a control character, so no unbranded key looks like a branded one


def check_brand(brand_id: str) -> str:
    """The brand's id, 1 to 24 characters that can be seen. Raises InvalidIdentity."""
    if not 1 <= len(brand_id) <= MAX_BRAND or not brand_id.isprintable():
        raise InvalidIdentity(f"A brand id has 1 to {MAX_BRAND} characters, none of them a control character")
    return brand_id


def branded(type: IdentityType, value: str, brand_id: str | None) -> str:
    """The normal form of `value` within a brand: one index guards the identities of all brands and of none (R1).

    Without a brand it is `normalise`. Raises InvalidIdentity.
    """
    key = normalise(type, value)
    if brand_id is None:
        return key
    key = f"{_MARK}{check_brand(brand_id)}{_MARK}{key}"
    return key if len(key.encode()) <= MAX_KEY_BYTES else DIGEST_PREFIX + sha256(key.encode()).hexdigest()
