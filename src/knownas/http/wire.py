"""Pieces of wire formats that several facades share."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import quote

from msgspec import UNSET, Meta, UnsetType

from knownas.http.call import Call
from knownas.http.decode import InvalidBody
from knownas.identities import InvalidIdentity
from knownas.identities.normalise import normalise
from knownas.times import EPOCH as _EPOCH
from knownas.times import iso as iso

Name = Annotated[str, Meta(min_length=1, max_length=128)]
Url = Annotated[str, Meta(min_length=1, max_length=2048, pattern="^https?://")]
Locale = Annotated[str, Meta(min_length=1, max_length=64)]
Timestamp = Annotated[datetime, Meta(tz=True)]
Metadata = dict[str, Any]

_MS: Final = timedelta(milliseconds=1)
_FIRST_MS: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MS
_LAST_MS: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MS


def to_ms(time: datetime | None | UnsetType, where: str) -> int | None | UnsetType:
    """A time of the wire as whole milliseconds; None and UNSET stay what they are.

    Raises InvalidBody for one that its offset moves out of the years 1 to 9999: no answer could spell it.
    """
    if not isinstance(time, datetime):
        return time
    milliseconds = (time - _EPOCH) // _MS
    if not _FIRST_MS <= milliseconds <= _LAST_MS:
        raise InvalidBody(f"{where} should be in the years 1 to 9999 of UTC")
    return milliseconds


def media_url(call: Call, app_id: str, name: str, filename: str) -> str:
    """The address under which an attachment is served (http/files.py)."""
    return f"{call.origin}/attachments/{app_id}/{name}/{quote(filename, safe='')}"


def email_label(email: str | None | UnsetType, where: str) -> str | None | UnsetType:
    """An e-mail that somebody typed, when it could be one. It stays a label and keeps its spelling (R2)."""
    if email is None or email is UNSET:
        return email
    try:
        normalise("email", email)
    except InvalidIdentity as wrong:
        raise InvalidBody(f'{where} should match format "email": {wrong}') from None
    return email
