"""Keys, apps and integrations by id, remembered for half a second.

Half a second is what makes a key's deletion known on every node within one, without asking for the key at each
request (R5). A change made through this process is seen at once.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final, Generic, TypeVar

from knownas.apps import App
from knownas.integrations import Integration
from knownas.keys.tokens import PreparedKey, ServerClaims, prepare
from knownas.storage import apps, integrations, keys, oauth
from knownas.storage.unit import Reads
from knownas.storage.vault import Vault

REMEMBERED_S: Final = 0.5
CAPACITY: Final = 10_000
T = TypeVar("T")


class _Remembered(Generic[T]):
    """Answers found lately. Misses are not kept, so that strangers cannot fill it with ids that do not exist."""

    def __init__(self, load: Callable[[str], Awaitable[T | None]]) -> None:
        self._load = load
        self._found: OrderedDict[str, tuple[float, T]] = OrderedDict()

    async def get(self, key: str) -> T | None:
        entry = self._found.get(key)
        if entry is not None and monotonic() - entry[0] < REMEMBERED_S:
            return entry[1]
        asked_at = monotonic()
        value = await self._load(key)
        if value is None:
            self._found.pop(key, None)
            return None
        if entry is not None and entry[1] == value:
            value = entry[1]
        self._found[key] = (asked_at, value)
        self._found.move_to_end(key)
        if len(self._found) > CAPACITY:
            self._found.popitem(last=False)
        return value

    def forget(self) -> None:
        self._found.clear()


async def check_master_key(reads: Reads, vault: Vault) -> None:
    """Find out at the start, and not at the first login, whether the master key opens what is stored.

    Raises WrongMasterKey.
    """
    row = await reads.row(keys.ANY_SECRET)
    if row is not None:
        vault.open(row[1], row[0])


class Directory:
    """Look-ups that most requests begin with."""

    def __init__(self, reads: Reads, vault: Vault) -> None:
        self._reads = reads
        self._vault = vault
        self.generation = 0
        self._keys: _Remembered[PreparedKey] = _Remembered(self._load_key)
        self._apps: _Remembered[App] = _Remembered(self._load_app)
        self._integrations: _Remembered[Integration] = _Remembered(self._load_integration)
        self._access: _Remembered[ServerClaims] = _Remembered(self._load_access)

    async def key(self, key_id: str) -> PreparedKey | None:
        """The live key, ready to verify with, or None."""
        return await self._keys.get(key_id)

    async def app(self, app_id: str) -> App | None:
        """The app, or None."""
        return await self._apps.get(app_id)

    async def access(self, token_hash: str) -> ServerClaims | None:
        """What an access token's holder may do, or None."""
        return await self._access.get(token_hash)

    async def integration(self, integration_id: str) -> Integration | None:
        """The integration of whichever app, or None."""
        return await self._integrations.get(integration_id)

    def forget(self) -> None:
        """Drop everything: something in here was changed."""
        self.generation += 1
        for remembered in (self._keys, self._apps, self._integrations, self._access):
            remembered.forget()

    async def _load_key(self, key_id: str) -> PreparedKey | None:
        row = await self._reads.row(keys.BY_ID, key_id)
        return prepare(keys.key_of(row, self._vault)) if row else None

    async def _load_app(self, app_id: str) -> App | None:
        row = await self._reads.row(apps.BY_ID, app_id)
        return apps.app_of(row) if row else None

    async def _load_access(self, token_hash: str) -> ServerClaims | None:
        row = await self._reads.row(oauth.HOLDER, token_hash)
        return ServerClaims(f"oauth_{row[0]}", "integration", row[3], row[1], row[2], None) if row else None

    async def _load_integration(self, integration_id: str) -> Integration | None:
        row = await self._reads.row(integrations.ANYWHERE, integration_id)
        return integrations.integration_of(row) if row else None
