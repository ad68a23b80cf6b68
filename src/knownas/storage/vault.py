"""Secrets at rest: AES-256-GCM under one master key that is kept outside the database."""

import os
import re
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_VERSION: Final = "v1."
_HEX = re.compile(r"[0-9a-fA-F]{64}")


class VaultError(Exception):
    """The master key cannot be had, or does not do; the text says what to do."""


class WrongMasterKey(VaultError):
    """What was sealed does not open: another master key, another context, or damage."""

    def __init__(self) -> None:
        super().__init__(
            "A secret in the database cannot be opened with this master key. Start Knownas with the master key "
            "(file or variable) that it had when the secret was stored, or restore it from a backup"
        )


class InvalidMasterKey(VaultError):
    """The master key's file or variable is not fit to be used."""


class Vault:
    """Seals texts so that they open only here, only with the same context, and only unchanged."""

    def __init__(self, master_key: bytes) -> None:
        if len(master_key) != KEY_BYTES:
            raise InvalidMasterKey(f"A master key has {KEY_BYTES} bytes; this one has {len(master_key)}")
        self._cipher = AESGCM(master_key)

    def seal(self, plaintext: str, context: str) -> str:
        """The sealed text. `context` (say, the row's id) is not secret, and the same one must be given to open it."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, plaintext.encode(), context.encode())
        return _VERSION + b64encode(nonce + sealed).decode()

    def open(self, sealed: str, context: str) -> str:
        """The text that was sealed. Raises WrongMasterKey."""
        try:
            raw = b64decode(sealed.removeprefix(_VERSION), validate=True)
            if not sealed.startswith(_VERSION) or len(raw) <= _NONCE_BYTES:
                raise WrongMasterKey
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context.encode()).decode()
        except (InvalidTag, ValueError):
            raise WrongMasterKey from None


def load_master_key(file: Path, variable: str | None) -> bytes:
    """The master key: out of `variable` (its text) if given, else out of `file`, which is made on first start.

    Raises InvalidMasterKey, also for a file that others than its owner may read.
    """
    if variable is not None and variable.strip():
        return _read(variable, "The master key variable")
    if not file.exists():
        _make(file)
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as opened:
        if os.fstat(descriptor).st_mode & 0o077:
            raise InvalidMasterKey(f"Others can read the master key file {file}. Run: chmod 600 {file}")
        return _read(opened.read(1024), f"The master key file {file}")


def _read(text: str, source: str) -> bytes:
    text = "".join(text.split())
    try:
        if _HEX.fullmatch(text):
            return bytes.fromhex(text)
        standard = text.rstrip("=").replace("-", "+").replace("_", "/")
        key = b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise InvalidMasterKey(f"{source} must be {KEY_BYTES} random bytes in base64 or hex (openssl rand -base64 32)")
    return key


def _make(file: Path) -> None:
    """Make the file whole or not at all; of two processes that start at once, one wins and both read its key."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.urandom(6).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(b64encode(os.urandom(KEY_BYTES)) + b"\n")
            opened.flush()
            os.fsync(descriptor)
        try:
            os.link(draft, file)
        except FileExistsError:
            return
    finally:
        draft.unlink()
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
