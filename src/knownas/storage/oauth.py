"""What is stored for OAuth. Nearly all of it lies above the apps: a code is looked up before its app is known."""

from typing import Final

import msgspec

from knownas.oauth import (
    CLIENTS_AT_MOST,
    USED_CODE_MS,
    AccessToken,
    AuthorizationRequest,
    Code,
    Consent,
    OAuthClient,
)
from knownas.storage.unit import Row, Unit

_CLIENT: Final = "SELECT id, display_name, secret_hash, redirect_uris, created_at FROM oauth_clients"
CLIENT: Final = f"{_CLIENT} WHERE id = $1"
CLIENTS: Final = f"{_CLIENT} ORDER BY id LIMIT {CLIENTS_AT_MOST}"
INSERT_CLIENT: Final = """
    INSERT INTO oauth_clients (id, display_name, secret_hash, redirect_uris, created_at) VALUES ($1, $2, $3, $4, $5)"""
CONSENT: Final = """
    SELECT ticket_hash, account_id, app_id, key_id, request, expires_at FROM oauth_consents WHERE ticket_hash = $1"""
INSERT_CONSENT: Final = """
    INSERT INTO oauth_consents (ticket_hash, account_id, app_id, key_id, request, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6)"""
CODE: Final = """
    SELECT code_hash, client_id, app_id, redirect_uri, challenge, granted_by, expires_at, used_at
    FROM oauth_codes WHERE code_hash = $1"""
INSERT_CODE: Final = """
    INSERT INTO oauth_codes (code_hash, client_id, app_id, redirect_uri, challenge, granted_by, expires_at, used_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, NULL)"""
USE_CODE: Final = "UPDATE oauth_codes SET used_at = $2 WHERE code_hash = $1 AND used_at IS NULL"
INTEGRATION: Final = "SELECT integration_id FROM oauth_grants WHERE app_id = $1 AND client_id = $2"
INSERT_GRANT: Final = "INSERT INTO oauth_grants (app_id, client_id, integration_id) VALUES ($1, $2, $3)"
REPLACE_GRANT: Final = """
    UPDATE oauth_grants SET integration_id = $3 WHERE app_id = $1 AND client_id = $2 AND integration_id = $4"""
TOKENS: Final = """
    SELECT token_hash, client_id, integration_id, code_hash, created_at FROM oauth_tokens
    WHERE app_id = $1 AND integration_id = $2 ORDER BY created_at, token_hash"""
INSERT_TOKEN: Final = """
    INSERT INTO oauth_tokens (app_id, token_hash, client_id, integration_id, code_hash, created_at)
    VALUES ($1, $2, $3, $4, $5, $6)"""
# Nobody, once the client, the integration or the app is gone.
HOLDER: Final = """
    SELECT t.client_id, t.app_id, t.integration_id, a.account_id
    FROM oauth_tokens t
    JOIN oauth_clients c ON c.id = t.client_id
    JOIN integrations i ON i.app_id = t.app_id AND i.id = t.integration_id
    JOIN apps a ON a.id = t.app_id
    WHERE t.token_hash = $1"""


class OAuthRows:
    """What OAuth needs (knownas.oauth.OAuth) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def client(self, client_id: str) -> OAuthClient | None:
        """The client, or None."""
        row = await self._unit.directory_row(CLIENT, client_id)
        return _client_of(row) if row else None

    async def clients(self) -> list[OAuthClient]:
        """All clients."""
        return [_client_of(row) for row in await self._unit.directory_rows(CLIENTS)]

    def add_client(self, client: OAuthClient) -> None:
        """Hold the new row."""
        uris = msgspec.json.encode(client.redirect_uris).decode()
        self._unit.hold_directory(
            INSERT_CLIENT, client.id, client.display_name, client.secret_hash, uris, client.created_at
        )

    def remove_client(self, client_id: str) -> None:
        """Hold the removal of the client and of all that it was given."""
        for table in ("oauth_tokens", "oauth_codes", "oauth_grants"):
            self._unit.hold_directory(f"DELETE FROM {table} WHERE client_id = $1", client_id)  # noqa: S608
        self._unit.hold_directory("DELETE FROM oauth_clients WHERE id = $1", client_id, must=True)

    async def consent(self, ticket_hash: str) -> Consent | None:
        """The consent, or None."""
        row = await self._unit.directory_row(CONSENT, ticket_hash)
        if row is None:
            return None
        return Consent(row[0], row[1], row[2], row[3], msgspec.json.decode(row[4], type=AuthorizationRequest), row[5])

    def add_consent(self, consent: Consent) -> None:
        """Hold the new row; those that nobody answered in time go."""
        request = msgspec.json.encode(consent.request).decode()
        self._hold("DELETE FROM oauth_consents WHERE expires_at < $1", self._unit.now)
        self._hold(
            INSERT_CONSENT, consent.ticket_hash, consent.account_id, consent.app_id, consent.key_id, request,
            consent.expires_at,
        )  # fmt: skip

    def end_consent(self, consent: Consent) -> None:
        """Hold the row's removal, once."""
        self._hold("DELETE FROM oauth_consents WHERE ticket_hash = $1", consent.ticket_hash, must=True)

    async def code(self, code_hash: str) -> Code | None:
        """The code, or None."""
        row = await self._unit.directory_row(CODE, code_hash)
        return Code(*row) if row else None

    def add_code(self, code: Code) -> None:
        """Hold the new row; those that are long gone go."""
        self._hold("DELETE FROM oauth_codes WHERE expires_at < $1", self._unit.now - USED_CODE_MS)
        self._hold(
            INSERT_CODE, code.code_hash, code.client_id, code.app_id, code.redirect_uri, code.challenge,
            code.granted_by, code.expires_at,
        )  # fmt: skip

    def use_code(self, code: Code) -> None:
        """Hold that it is used, guarded."""
        self._hold(USE_CODE, code.code_hash, self._unit.now, must=True)

    async def integration_of(self, client_id: str) -> str | None:
        """The integration's id, or None."""
        row = await self._unit.row(INTEGRATION, client_id)
        return row[0] if row else None

    def set_integration(self, client_id: str, former: str | None, integration_id: str) -> None:
        """Hold the new row, or the row's new value; whoever sets it at the same time loses a race."""
        if former is None:
            self._unit.hold(INSERT_GRANT, client_id, integration_id)
        else:
            self._unit.hold(REPLACE_GRANT, client_id, integration_id, former, must=True)

    async def tokens(self, integration_id: str) -> list[AccessToken]:
        """The integration's tokens."""
        return [AccessToken(*row) for row in await self._unit.rows(TOKENS, integration_id)]

    def add_token(self, token: AccessToken) -> None:
        """Hold the new row."""
        self._unit.hold(
            INSERT_TOKEN, token.token_hash, token.client_id, token.integration_id, token.code_hash, token.created_at
        )

    def remove_token(self, token: AccessToken) -> None:
        """Hold the row's removal, known here at once."""
        self._unit.hold_directory("DELETE FROM oauth_tokens WHERE token_hash = $1", token.token_hash)

    def remove_tokens_of(self, code: Code) -> None:
        """Hold the removal of the code's tokens, known here at once."""
        self._unit.hold_directory("DELETE FROM oauth_tokens WHERE code_hash = $1", code.code_hash)

    def remove_of_integration(self, integration_id: str) -> None:
        """Hold the removal of the integration's tokens, known here at once."""
        self._unit.stale = True
        self._unit.hold("DELETE FROM oauth_tokens WHERE app_id = $1 AND integration_id = $2", integration_id)

    def _hold(self, sql: str, *params: object, must: bool = False) -> None:
        """A statement that the look-up tables have nothing of, so that they stay warm."""
        stale = self._unit.stale
        self._unit.hold_directory(sql, *params, must=must)
        self._unit.stale = stale


def _client_of(row: Row) -> OAuthClient:
    return OAuthClient(row[0], row[1], row[2], tuple(msgspec.json.decode(row[3])), row[4])
