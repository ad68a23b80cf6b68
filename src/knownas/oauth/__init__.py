"""OAuth: another company's program acts on one of a business's apps, because an operator of the business agreed.

RFC 6749 with authorization codes, and PKCE (RFC 7636) for who wants it. Of secrets, tickets, codes and tokens only
hashes are stored; each is 256 random bits, so that there is nothing to guess.
"""

from typing import Final, Protocol

from msgspec import Struct

from knownas.errors import DomainError

CODE_MS: Final = 10 * 60 * 1000  # RFC 6749, 4.1.2: at most ten minutes
USED_CODE_MS: Final = 24 * 60 * 60 * 1000
TOKENS_AT_MOST: Final = 10
"""Live tokens of one client in one app; the oldest goes for the eleventh."""
CLIENTS_AT_MOST: Final = 1000
TOKEN_PREFIX: Final = "oat_"
"""What access tokens begin with, so that they are told from signed tokens at a glance."""


class OAuthClient(Struct, frozen=True):
    """A program that is registered here. `redirect_uris` are compared exactly; `created_at` is in milliseconds."""

    id: str
    display_name: str
    secret_hash: str
    redirect_uris: tuple[str, ...]
    created_at: int


class AuthorizationRequest(Struct, frozen=True):
    """What a client asks an operator for. `redirect_uri` is one of the client's; `challenge` is PKCE's, by S256."""

    client_id: str
    redirect_uri: str
    state: str | None = None
    challenge: str | None = None


class Consent(Struct, frozen=True):
    """An operator who showed a key and has not said yes or no yet. `app_id` is None for an account's key."""

    ticket_hash: str
    account_id: str
    app_id: str | None
    key_id: str
    request: AuthorizationRequest
    expires_at: int


class Code(Struct, frozen=True):
    """An authorization code. Times are in milliseconds; a used one is kept, to notice who shows it again."""

    code_hash: str
    client_id: str
    app_id: str
    redirect_uri: str
    challenge: str | None
    granted_by: str
    expires_at: int
    used_at: int | None = None


class AccessToken(Struct, frozen=True):
    """What lets a client act as its integration in an app."""

    token_hash: str
    client_id: str
    integration_id: str
    code_hash: str
    created_at: int


class AccessGranted(Struct, frozen=True, tag_field="event", tag="oauth.granted"):
    """A client may act on the app as this integration, because the holder of a key agreed."""

    client_id: str
    integration_id: str
    granted_by: str


class OAuthRefusal(DomainError):
    """A refusal with one of RFC 6749's codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class InvalidClient(OAuthRefusal):
    """Nobody is registered like this, or with another secret."""

    kind = "unauthenticated"

    def __init__(self) -> None:
        super().__init__("invalid_client", "Unknown client, or wrong client secret")


class InvalidGrant(OAuthRefusal):
    """The code cannot be exchanged; the text says why."""

    def __init__(self, message: str = "The authorization code is unknown, expired, or another client's") -> None:
        super().__init__("invalid_grant", message)


class CodeReplayed(InvalidGrant):
    """The code came a second time: somebody has it who should not, so what it was exchanged for ends as well."""

    keeps_trace = True

    def __init__(self) -> None:
        super().__init__("The authorization code was used before; the token that it was exchanged for is revoked")


class NoConsent(DomainError):
    """The page that asked for consent is too old, or was answered already."""

    kind = "invalid"
    code = "bad_request"

    def __init__(self) -> None:
        super().__init__("This page has expired or was answered already. Go back to the program and start again")


class InvalidRedirect(DomainError):
    """Not an address to which an answer may be sent; the text says why."""

    kind = "invalid"
    code = "bad_request"


class OAuthClientNotFound(DomainError):
    """No such client is registered."""

    kind = "not_found"
    code = "not_found"

    def __init__(self) -> None:
        super().__init__("No such OAuth client is registered here")


class OAuth(Protocol):
    """What verbs ask of what is stored for OAuth."""

    async def client(self, client_id: str) -> OAuthClient | None:
        """The registered client, or None."""
        ...

    async def clients(self) -> list[OAuthClient]:
        """All of them, oldest first; at most CLIENTS_AT_MOST."""
        ...

    def add_client(self, client: OAuthClient) -> None:
        """Hold the new client for writing."""
        ...

    def remove_client(self, client_id: str) -> None:
        """Hold its removal; its tokens die with it."""
        ...

    async def consent(self, ticket_hash: str) -> Consent | None:
        """The consent that is asked for under this ticket, or None."""
        ...

    def add_consent(self, consent: Consent) -> None:
        """Hold the new one for writing, and the removal of those that are too old."""
        ...

    def end_consent(self, consent: Consent) -> None:
        """Hold that it was answered; loses its race when it was already."""
        ...

    async def code(self, code_hash: str) -> Code | None:
        """The code, of whichever app and used or not, or None."""
        ...

    def add_code(self, code: Code) -> None:
        """Hold the new code for writing, and the removal of those that are too old to be noticed again."""
        ...

    def use_code(self, code: Code) -> None:
        """Hold that the code is used; loses its race when it was already."""
        ...

    async def integration_of(self, client_id: str) -> str | None:
        """The id of the integration that stood for the client in this app, gone by now or not, or None."""
        ...

    def set_integration(self, client_id: str, former: str | None, integration_id: str) -> None:
        """Hold the integration that stands for the client instead of the former one."""
        ...

    async def tokens(self, integration_id: str) -> list[AccessToken]:
        """The integration's live tokens, oldest first."""
        ...

    def add_token(self, token: AccessToken) -> None:
        """Hold the new token for writing."""
        ...

    def remove_token(self, token: AccessToken) -> None:
        """Hold its end."""
        ...

    def remove_tokens_of(self, code: Code) -> None:
        """Hold the end of what this code was exchanged for."""
        ...

    def remove_of_integration(self, integration_id: str) -> None:
        """Hold the end of the integration's tokens."""
        ...
