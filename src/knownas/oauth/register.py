"""Register programs that may ask operators for access, and let them go."""

from knownas.oauth import CLIENTS_AT_MOST, InvalidRedirect, OAuthClient, OAuthClientNotFound
from knownas.oauth.checks import check_redirect, hash_of
from knownas.transaction import Transaction

REDIRECTS_AT_MOST = 10


async def register_client(
    tx: Transaction, display_name: str, redirect_uris: tuple[str, ...]
) -> tuple[OAuthClient, str]:
    """A new client, and its secret, which is shown this once. Raises InvalidRedirect."""
    if not 1 <= len(redirect_uris) <= REDIRECTS_AT_MOST:
        raise InvalidRedirect(f"A client has 1 to {REDIRECTS_AT_MOST} redirect addresses")
    uris = tuple(dict.fromkeys(check_redirect(uri) for uri in redirect_uris))
    if len(await tx.oauth.clients()) >= CLIENTS_AT_MOST:
        raise InvalidRedirect(f"There are {CLIENTS_AT_MOST} clients already; delete one first")
    secret = tx.new_secret()
    client = OAuthClient(tx.new_id(), display_name, hash_of(secret), uris, tx.now)
    tx.oauth.add_client(client)
    return client, secret


async def list_oauth_clients(tx: Transaction) -> list[OAuthClient]:
    """All registered clients, oldest first."""
    return await tx.oauth.clients()


async def unregister_client(tx: Transaction, client_id: str) -> None:
    """Remove the client; its tokens are refused within a second. Raises OAuthClientNotFound."""
    if await tx.oauth.client(client_id) is None:
        raise OAuthClientNotFound
    tx.oauth.remove_client(client_id)
