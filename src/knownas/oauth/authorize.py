"""Ask an operator, and give the client a code when she agrees (RFC 6749, 4.1)."""

from knownas.apps import App
from knownas.keys import Key
from knownas.oauth import CODE_MS, AuthorizationRequest, Code, Consent, NoConsent, OAuthClient
from knownas.oauth.checks import hash_of
from knownas.transaction import Transaction

APPS_AT_MOST = 100


async def find_oauth_client(tx: Transaction, client_id: str) -> OAuthClient | None:
    """The registered client, or None."""
    return await tx.oauth.client(client_id)


async def ask_consent(tx: Transaction, request: AuthorizationRequest, key: Key) -> tuple[str, list[App]]:
    """A ticket for the holder of `key` to answer with, once and within ten minutes, and the apps that she may choose.

    An account's key opens the account's apps, at most 100; an app's key that app.
    """
    apps = await tx.apps.page(key.account_id, after=None, before=None, limit=APPS_AT_MOST) if not key.app_id else []
    app = await tx.apps.by_id(key.app_id) if key.app_id else None
    ticket = tx.new_secret()
    tx.oauth.add_consent(Consent(hash_of(ticket), key.account_id, key.app_id, key.id, request, tx.now + CODE_MS))
    return ticket, [app] if app else apps


async def find_consent(tx: Transaction, ticket: str) -> Consent:
    """What is asked under this ticket. Raises NoConsent."""
    consent = await tx.oauth.consent(hash_of(ticket))
    if consent is None or consent.expires_at <= tx.now:
        raise NoConsent
    return consent


async def deny(tx: Transaction, ticket: str) -> AuthorizationRequest:
    """The request that was refused; the ticket opens nothing any more. Raises NoConsent."""
    consent = await find_consent(tx, ticket)
    tx.oauth.end_consent(consent)
    return consent.request


async def grant(tx: Transaction, ticket: str) -> tuple[AuthorizationRequest, str]:
    """The request that was agreed to for this app, and a code for its client. Raises NoConsent.

    The app is the one that the transaction is bound to. A ticket, like a code, is good for once.
    """
    consent = await find_consent(tx, ticket)
    app = await tx.apps.by_id(tx.app_id)
    client = await tx.oauth.client(consent.request.client_id)
    if app is None or app.account_id != consent.account_id or consent.app_id not in (None, app.id) or client is None:
        raise NoConsent
    if consent.request.redirect_uri not in client.redirect_uris or await tx.keys.by_id(consent.key_id) is None:
        raise NoConsent
    code = tx.new_secret()
    request = consent.request
    tx.oauth.end_consent(consent)
    tx.oauth.add_code(
        Code(
            hash_of(code),
            request.client_id,
            app.id,
            request.redirect_uri,
            request.challenge,
            consent.key_id,
            tx.now + CODE_MS,
        )
    )
    return request, code
