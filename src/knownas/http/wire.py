"""Pieces of wire formats that several facades share."""

from datetime import UTC, datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from knownas.http.decode import InvalidBody
from knownas.identities import InvalidIdentity
from knownas.identities.normalise import normalise

Name = Annotated[str, Meta(min_length=1, max_length=128)]
Url = Annotated[str, Meta(min_length=1, max_length=2048, pattern="^https?://")]
Locale = Annotated[str, Meta(min_length=1, max_length=64)]
Timestamp = Annotated[datetime, Meta(tz=True)]
Metadata = dict[str, Any]


def iso(milliseconds: int) -> str:
    """A time as `2020-05-21T15:53:30.197Z`."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_ms(time: datetime | None | UnsetType) -> int | None | UnsetType:
    """A time of the wire as milliseconds; None and UNSET stay what they are."""
    return round(time.timestamp() * 1000) if isinstance(time, datetime) else time


def email_label(email: str | None | UnsetType, where: str) -> str | None | UnsetType:
    """An e-mail that somebody typed, when it could be one. It stays a label and keeps its spelling (R2)."""
    if email is None or email is UNSET:
        return email
    try:
        normalise("email", email)
    except InvalidIdentity as wrong:
        raise InvalidBody(f'{where} should match format "email": {wrong}') from None
    return email
