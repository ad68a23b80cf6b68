"""How webhooks of FusionAuth's format are called, and what is secret of it: values only, which show no secret."""

from typing import Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType

SigningAlgorithm = Literal["HS256", "RS256", "ES256", "EdDSA"]

CONNECT_TIMEOUT_MS: Final = 1_000  # what FusionAuth's own screens begin with, and so for the next one
READ_TIMEOUT_MS: Final = 2_000


class SigningKey(Struct, frozen=True):
    """What `X-FusionAuth-Signature-JWT` is signed with. `private` is a PEM, or the secret of HS256.

    `public` is the key's public half as a JWK (RFC 7517); a secret has none.
    """

    id: str
    algorithm: SigningAlgorithm
    private: str
    public: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return f"SigningKey(id={self.id!r}, algorithm={self.algorithm!r})"


class PublicKey(Struct, frozen=True):
    """A key that receivers may still need, as a JWK; after `until` (milliseconds) it is not published any more."""

    jwk: dict[str, Any]
    until: int | None = None


class CallOptions(Struct, frozen=True):
    """How a webhook of FusionAuth's format is called. Kept sealed as a whole, since much of it may be secret."""

    connect_timeout_ms: int
    read_timeout_ms: int
    headers: dict[str, str]
    http_username: str | None
    http_password: str | None
    description: str
    signing_key: SigningKey | None = None

    def __repr__(self) -> str:
        return "CallOptions(…)"


class EventWebhookOptions(Struct, frozen=True):
    """What one chooses for a webhook of FusionAuth's format. `events_enabled` are FusionAuth's names."""

    url: str
    events_enabled: tuple[str, ...]
    connect_timeout_ms: int = CONNECT_TIMEOUT_MS
    read_timeout_ms: int = READ_TIMEOUT_MS
    headers: dict[str, str] = {}
    http_username: str | None = None
    http_password: str | None = None
    description: str = ""

    def __repr__(self) -> str:
        return "EventWebhookOptions(…)"


class EventWebhookChanges(Struct, frozen=True):
    """What to change; `UNSET` leaves it. Without a user name there is no password either."""

    url: str | UnsetType = UNSET
    events_enabled: tuple[str, ...] | UnsetType = UNSET
    connect_timeout_ms: int | UnsetType = UNSET
    read_timeout_ms: int | UnsetType = UNSET
    headers: dict[str, str] | UnsetType = UNSET
    http_username: str | None | UnsetType = UNSET
    http_password: str | None | UnsetType = UNSET
    description: str | UnsetType = UNSET

    def __repr__(self) -> str:
        return "EventWebhookChanges(…)"
