"""Settings: `knownas.default.toml` is both the defaults and the manual; an environment variable overrides each key."""

import os
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct


class InvalidSetting(ValueError):
    """A setting has a value that it cannot have; the text names it."""


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """All settings; what each means stands in `knownas.default.toml`."""

    host: str
    port: int
    database: str
    master_key: str
    master_key_file: str
    public_url: str
    trusted_proxies: str
    places_database: str
    attachments_dir: str
    s3_endpoint: str
    s3_region: str
    s3_bucket: str
    s3_prefix: str
    s3_key: str
    s3_secret: str
    webhook_private_addresses: bool
    events_kept_days: int
    background: bool
    workers: int
    log_level: str

    def __repr__(self) -> str:
        return f"Settings(host={self.host!r}, port={self.port!r})"

    def key_file(self, database_file: Path | None) -> Path:
        """The master key's file: the one that is set, else beside the database's file, else in this folder."""
        if self.master_key_file:
            return Path(self.master_key_file)
        return (database_file.parent if database_file else Path()) / "knownas.key"

    def attachments_folder(self, database_file: Path | None) -> Path:
        """Where attached files lie: the folder that is set, else beside the database's file, else in this folder."""
        if self.attachments_dir:
            return Path(self.attachments_dir)
        return (database_file.parent if database_file else Path()) / "attachments"


def load_settings(environment: Mapping[str, str] = os.environ, **overrides: Any) -> Settings:
    """The defaults, overridden by the environment, overridden by what is given here and not None.

    Raises InvalidSetting.
    """
    values = tomllib.loads(resources.files("knownas").joinpath("knownas.default.toml").read_text("utf-8"))
    for name in values:
        given = environment.get(f"KNOWNAS_{name.upper()}")
        if given is not None:
            values[name] = given
    values |= {name: value for name, value in overrides.items() if value is not None}
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as wrong:
        raise InvalidSetting(f"Setting {str(wrong).rpartition('$.')[2].rstrip('`')}: {wrong}") from None
