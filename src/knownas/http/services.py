"""What endpoints are given: the database, the tokens verified so far, and how this server is reached."""

from collections.abc import Callable

from msgspec import Struct, field

from knownas.attachments import Files
from knownas.database import Database
from knownas.http.metrics import Metrics
from knownas.http.multipart import Uploads
from knownas.http.request_info import Surroundings
from knownas.keys.tokens import ServerClaims, UserClaims
from knownas.keys.verified import VerifiedTokens


class Services(Struct):
    """Put together in main.py, once per process."""

    database: Database
    tokens: VerifiedTokens
    metrics: Metrics
    clock: Callable[[], float]
    """Seconds since 1970."""
    files: Files
    """Where attached files are."""
    public_url: str | None = None
    believed: dict[bytes, tuple[int, float, ServerClaims | UserClaims]] = {}
    """Credentials lately believed, by the hash of their header (callers.py)."""
    uploads: Uploads = field(default_factory=Uploads)
    """Files that arrive at the moment."""
    surroundings: Surroundings = Surroundings()
    """By what requests are known."""
