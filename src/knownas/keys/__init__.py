"""A key: what a business signs tokens and requests with. A key has one algorithm and never changes it."""

import re
from typing import Final, Literal, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from msgspec import Struct

from knownas.errors import DomainError

Scope = Literal["account", "app", "integration"]
Algorithm = Literal["HS256", "RS256", "ES256", "EdDSA"]

MAX_KEYS: Final = 10  # per app and per integration: the vendor's limit
MIN_SECRET_BYTES: Final = 32  # RFC 7518, section 3.2: as long as the hash
MIN_RSA_BITS: Final = 2048  # RFC 7518, section 3.3
MAX_RSA_BITS: Final = 8192  # beyond it, checking one signature becomes a way to keep the server busy
MAX_PEM_CHARACTERS: Final = 8192

_SCOPES: Final[dict[str, Scope]] = {"act_": "account", "svc_": "account", "app_": "app", "int_": "integration"}
_KEY_ID = re.compile(r"(?:act|svc|app|int)_[0-9a-f]{24}")
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")


class Key(Struct, frozen=True):
    """One live key. `secret` (HS256) is in memory only and in no text of this value; `public_key` is a PEM.

    `created_at` is in milliseconds. The prefix of `id` says what the key may do.
    """

    id: str
    account_id: str
    app_id: str | None
    integration_id: str | None
    algorithm: Algorithm
    display_name: str
    created_at: int
    public_key: str | None = None
    secret: str | None = None

    @property
    def scope(self) -> Scope:
        """What the key is for, by the prefix of its id."""
        return _SCOPES[self.id[:4]]

    def __repr__(self) -> str:
        return f"Key(id={self.id!r}, algorithm={self.algorithm!r}, display_name={self.display_name!r})"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return [("id", self.id), ("algorithm", self.algorithm), ("display_name", self.display_name)]


class KeyCreated(Struct, frozen=True, tag_field="event", tag="key.created"):
    """One more key is accepted."""

    key_id: str


class KeyDeleted(Struct, frozen=True, tag_field="event", tag="key.deleted"):
    """The key, and every token it signed, is accepted no more."""

    key_id: str


class KeyNotFound(DomainError):
    """No such key, or none that the caller may know of."""

    kind = "not_found"
    code = "not_found"

    def __init__(self) -> None:
        super().__init__("Resource not found")


class TooManyKeys(DomainError):
    """The app or integration already has as many keys as it may have."""

    kind = "invalid"
    code = "bad_request"

    def __init__(self) -> None:
        super().__init__(f"There are already {MAX_KEYS} keys; delete one first")


class WeakKey(DomainError):
    """The key does not protect what it signs; the text says why."""

    kind = "invalid"
    code = "bad_request"


class Keys(Protocol):
    """What verbs ask of stored keys. A key is found by its exact id; only live keys are found."""

    async def by_id(self, key_id: str) -> Key | None:
        """The key, secret included, or None."""
        ...

    def add(self, key: Key) -> None:
        """Hold the new key for writing, its secret sealed."""
        ...

    def remove(self, key_id: str) -> None:
        """Hold the removal of the key; its tokens die with it."""
        ...

    async def all(self, integration_id: str | None = None) -> list[Key]:
        """The app's own keys, or those of one of its integrations, oldest first; never more than MAX_KEYS."""
        ...


def is_key_id(text: str) -> bool:
    """Whether `text` has the shape of a key's id; it says nothing about existence."""
    return _KEY_ID.fullmatch(text) is not None


def check_public_key(pem: str) -> tuple[Algorithm, str]:
    """The algorithm that a PEM public key stands for, and its canonical PEM.

    RSA of 2048 to 8192 bits is RS256, P-256 is ES256, Ed25519 is EdDSA. Raises WeakKey for everything else.
    """
    text = pem.strip()
    kinds = _PEM.findall(text) if len(text) <= MAX_PEM_CHARACTERS else []
    if any("PRIVATE" in kind for kind in kinds):
        raise WeakKey("This is a private key: keep it secret, replace it, and register only its public half")
    if any("CERTIFICATE" in kind for kind in kinds):
        raise WeakKey("This is a certificate: register the public key in it (openssl x509 -pubkey -noout)")
    if len(kinds) != 1 or not text.isascii() or not text.startswith("-----BEGIN "):
        raise WeakKey("A public key is one PEM block that begins with -----BEGIN PUBLIC KEY-----")
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise WeakKey("This PEM block holds no public key that can be read") from None
    algorithm: Algorithm
    if isinstance(key, RSAPublicKey):
        if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            raise WeakKey(f"An RSA key needs {MIN_RSA_BITS} to {MAX_RSA_BITS} bits; this one has {key.key_size}")
        algorithm = "RS256"
    elif isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        algorithm = "ES256"
    elif isinstance(key, Ed25519PublicKey):
        algorithm = "EdDSA"
    else:
        raise WeakKey("Only RSA, P-256 and Ed25519 public keys are accepted")
    return algorithm, key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
