"""Open the database that an address names."""

from pathlib import Path

from knownas.database import Database
from knownas.storage.postgres import Postgres
from knownas.storage.sqlite import Sqlite
from knownas.storage.vault import Vault, load_master_key


class UnknownDatabase(ValueError):
    """The address is for neither engine; the text shows what one looks like."""


def sqlite_path(url: str) -> Path | None:
    """The file of an address like `sqlite:///./knownas.db` (relative) or `sqlite:////var/lib/knownas.db` (absolute)."""
    prefix = "sqlite:///"
    return Path(url.removeprefix(prefix)) if url.startswith(prefix) and len(url) > len(prefix) else None


def open_database(url: str, key_file: Path, master_key: str | None) -> Database:
    """The database, with the master key that opens its secrets; not started yet.

    The key is in `key_file`, which is made where there is none, unless `master_key` gives it.
    Raises UnknownDatabase and InvalidMasterKey.
    """
    return database_at(url, Vault(load_master_key(key_file, master_key)))


def database_at(url: str, vault: Vault) -> Database:
    """The database, not started yet. Raises UnknownDatabase."""
    path = sqlite_path(url)
    if path is not None:
        return Sqlite(path, vault)
    if url.startswith(("postgresql://", "postgres://")):
        return Postgres(url, vault)
    raise UnknownDatabase(
        f"The database address should look like sqlite:///./knownas.db or postgresql://user@host/name, not {url.split('://')[0]!r}"
    )
