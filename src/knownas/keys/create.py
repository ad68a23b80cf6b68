"""Give an app, an integration or an account one more key."""

from knownas.integrations import IntegrationNotFound
from knownas.keys import MAX_KEYS, Algorithm, Key, KeyCreated, Scope, TooManyKeys, check_public_key
from knownas.transaction import Transaction

_PREFIXES: dict[Scope, str] = {"account": "act_", "app": "app_", "integration": "int_"}


async def create_key(
    tx: Transaction,
    account_id: str,
    display_name: str,
    scope: Scope = "app",
    integration_id: str | None = None,
    public_key: str | None = None,
) -> Key:
    """A new key. Without `public_key` (PEM) it is HS256 with a secret of 256 bits, made here and shown this once.

    Raises TooManyKeys beyond ten for one app or integration, IntegrationNotFound, and WeakKey for a public key that
    cannot be trusted.
    Emits key.created.
    """
    algorithm: Algorithm = "HS256"
    pem = None
    if public_key is not None:
        algorithm, pem = check_public_key(public_key)
    if scope != "account":
        app = await tx.apps.by_id(tx.app_id)
        if integration_id is not None and await tx.integrations.by_id(integration_id) is None:
            raise IntegrationNotFound
        if len(await tx.keys.all(integration_id)) >= MAX_KEYS:
            raise TooManyKeys
        if app is not None:
            # So that two who ask at once do not both get the tenth, and no key outlives its integration.
            tx.apps.rely_on(app)
    key = Key(
        id=_PREFIXES[scope] + tx.new_id(),
        account_id=account_id,
        app_id=None if scope == "account" else tx.app_id,
        integration_id=integration_id,
        algorithm=algorithm,
        display_name=display_name,
        created_at=tx.now,
        public_key=pem,
        secret=None if pem else tx.new_secret(),
    )
    tx.keys.add(key)
    if scope != "account":
        tx.emit(KeyCreated(key.id))
    return key
