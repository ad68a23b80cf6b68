"""Exchange a code for an access token (RFC 6749, 4.1.3)."""

from knownas.integrations.create import create_integration
from knownas.oauth import (
    TOKEN_PREFIX,
    TOKENS_AT_MOST,
    AccessGranted,
    AccessToken,
    Code,
    CodeReplayed,
    InvalidClient,
    InvalidGrant,
    OAuthClient,
)
from knownas.oauth.checks import hash_of, is_client, meets
from knownas.transaction import Transaction


async def find_code(tx: Transaction, client_id: str, secret: str, code: str) -> Code:
    """The code that a client shows, and with it the app that it is for. Raises InvalidClient, InvalidGrant."""
    await _authenticated(tx, client_id, secret)
    found = await tx.oauth.code(hash_of(code))
    if found is None or found.client_id != client_id:
        raise InvalidGrant
    return found


async def exchange_code(
    tx: Transaction, client_id: str, secret: str, code: str, redirect_uri: str | None, verifier: str | None
) -> str:
    """An access token of the client's integration in this app, which is made at the first time.

    A code is good for once: shown again, it also ends what it was exchanged for. `redirect_uri` counts where it is
    given; the vendor's clients leave it out. Raises InvalidClient, InvalidGrant, CodeReplayed.
    Emits integration.created, oauth.granted.
    """
    client = await _authenticated(tx, client_id, secret)
    found = await tx.oauth.code(hash_of(code))
    if found is None or found.client_id != client_id or found.app_id != tx.app_id:
        raise InvalidGrant
    if found.used_at is not None:
        tx.oauth.remove_tokens_of(found)
        raise CodeReplayed
    _check(found, tx.now, redirect_uri, verifier)
    former = await tx.oauth.integration_of(client_id)
    integration = await tx.integrations.by_id(former) if former else None
    tokens = await tx.oauth.tokens(integration.id) if integration else []

    tx.oauth.use_code(found)
    if integration is None:
        integration = await create_integration(tx, client.id, client.display_name)
        tx.oauth.set_integration(client_id, former, integration.id)
    else:
        tx.integrations.rely_on(integration)
    for token in tokens[: max(0, len(tokens) - TOKENS_AT_MOST + 1)]:
        tx.oauth.remove_token(token)
    access = TOKEN_PREFIX + tx.new_secret()
    tx.oauth.add_token(AccessToken(hash_of(access), client_id, integration.id, found.code_hash, tx.now))
    tx.emit(AccessGranted(client_id, integration.id, found.granted_by))
    return access


def _check(code: Code, now: int, redirect_uri: str | None, verifier: str | None) -> None:
    if code.expires_at <= now:
        raise InvalidGrant
    if redirect_uri is not None and redirect_uri != code.redirect_uri:
        raise InvalidGrant("redirect_uri is not the one that the code was sent to")
    if code.challenge is None and verifier is not None:
        raise InvalidGrant("code_verifier was sent, but the code was asked for without code_challenge")
    if code.challenge is not None and (verifier is None or not meets(code.challenge, verifier)):
        raise InvalidGrant("code_verifier does not meet the code_challenge")


async def _authenticated(tx: Transaction, client_id: str, secret: str) -> OAuthClient:
    client = await tx.oauth.client(client_id)
    if not is_client(client, secret) or client is None:
        raise InvalidClient
    return client
