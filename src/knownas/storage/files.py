"""Attached files in a local folder: `{folder}/{app id}/{first two characters of the name}/{name}`.

Only this process's user can read them: folders have mode 0700, files 0600. A file arrives under `incoming/` and is
moved to its place when it is whole and on disk, so that a crash leaves nothing half written in a place.
"""

import asyncio
import logging
import os
import secrets
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, TypeVar

from knownas.attachments import AttachmentNotFound, Incoming, StoredFile, is_name
from knownas.errors import Unavailable
from knownas.ids import is_id

_BUFFER_BYTES: Final = 256 * 1024
_PIECE_BYTES: Final = 256 * 1024
_SHARD_CHARACTERS: Final = 2
_INCOMING: Final = "incoming"
_log = logging.getLogger(__name__)
T = TypeVar("T")


def new_name() -> str:
    """A name that nobody guesses: 256 random bits in hex."""
    return secrets.token_hex(32)


def checked(app_id: str, name: str) -> tuple[str, str]:
    """The same, when they are an app's id and a file's name. Raises ValueError: no path is made of anything else."""
    if not (is_id(app_id) and is_name(name)):
        raise ValueError("not an app's id and a file's name")
    return app_id, name


class Spool:
    """A file that arrives (Incoming): written in larger pieces, in a thread, so that a slow disk stops nobody else."""

    def __init__(self, file: IO[bytes], path: Path | None = None) -> None:
        self.file = file
        self.path = path
        self.size = 0
        self._buffer = bytearray()

    async def write(self, data: bytes) -> None:
        """Take some more bytes. Raises Unavailable when the disk does."""
        self._buffer += data
        self.size += len(data)
        if len(self._buffer) >= _BUFFER_BYTES:
            await in_thread(self._flush)

    async def discard(self) -> None:
        """Close and remove it."""
        await in_thread(self._discard)

    def end(self) -> None:
        """Have all of it in the file, and the file in the kernel's hands. Blocks."""
        self._flush()
        self.file.flush()

    def _flush(self) -> None:
        self.file.write(self._buffer)
        self._buffer = bytearray()

    def _discard(self) -> None:
        self._buffer = bytearray()
        with suppress(OSError):
            self.file.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)
            self.path = None


async def in_thread(work: Callable[..., T], *args: Any) -> T:
    """What `work` returns, run beside the event loop. Raises Unavailable where the disk refuses."""
    try:
        return await asyncio.to_thread(work, *args)
    except FileNotFoundError:
        raise
    except OSError as failure:
        _log.error("the attachments' folder cannot be used: %s", failure.strerror)
        raise Unavailable("Files cannot be stored or read at the moment") from failure


class LocalFiles:
    """Files (knownas.attachments.Files) in a folder, which is made when the first file comes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path_of(self, app_id: str, name: str) -> Path:
        """Where the file is. Raises ValueError."""
        app_id, name = checked(app_id, name)
        return self._folder / app_id / name[:_SHARD_CHARACTERS] / name

    async def begin(self) -> Incoming:
        """A file under `incoming/`, on the same file system as its later place."""
        return await in_thread(self._begin)

    async def keep(self, app_id: str, incoming: Incoming) -> str:
        """Move it to its place once it is on disk."""
        assert isinstance(incoming, Spool)  # noqa: S101
        name = new_name()
        await in_thread(self._keep, incoming, self.path_of(app_id, name))
        return name

    async def exists(self, app_id: str, name: str) -> bool:
        """Whether it is there."""
        return await in_thread(self.path_of(app_id, name).is_file)

    async def read(self, app_id: str, name: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """Its bytes. It is held open meanwhile, so that a removal does not break off an answer."""
        try:
            file = await in_thread(self.path_of(app_id, name).open, "rb", 0)
        except FileNotFoundError:
            raise AttachmentNotFound from None
        try:
            while start < end:
                piece = await in_thread(os.pread, file.fileno(), min(_PIECE_BYTES, end - start), start)
                if not piece:
                    raise AttachmentNotFound
                start += len(piece)
                yield piece
        finally:
            file.close()

    async def remove(self, app_id: str, name: str) -> None:
        """Remove it, if it is there."""
        await in_thread(self.path_of(app_id, name).unlink, True)

    async def page(self, app_id: str, after: str, limit: int) -> list[StoredFile]:
        """By name, folder after folder."""
        if not is_id(app_id):
            raise ValueError("not an app's id")
        return await in_thread(self._page, self._folder / app_id, after, limit)

    async def tidy(self, before: int) -> int:
        """Remove what was left under `incoming/`."""
        return await in_thread(self._tidy, before)

    def _begin(self) -> Spool:
        folder = self._folder / _INCOMING
        if not folder.exists():
            self._folder.mkdir(0o700, parents=True, exist_ok=True)
            folder.mkdir(0o700, exist_ok=True)
            _sync_folder(self._folder.parent)
        descriptor, path = tempfile.mkstemp(dir=folder)  # mode 0600
        return Spool(os.fdopen(descriptor, "wb"), Path(path))

    def _keep(self, spool: Spool, place: Path) -> None:
        assert spool.path is not None  # noqa: S101
        spool.end()
        os.fsync(spool.file.fileno())
        spool.file.close()
        for folder in (place.parent.parent, place.parent):
            if not folder.exists():
                folder.mkdir(0o700, exist_ok=True)
                _sync_folder(folder.parent)
        spool.path.rename(place)
        spool.path = None
        _sync_folder(place.parent)

    def _page(self, folder: Path, after: str, limit: int) -> list[StoredFile]:
        found: list[StoredFile] = []
        with suppress(FileNotFoundError):
            for shard in sorted(entry.name for entry in folder.iterdir()):
                if shard >= after[:_SHARD_CHARACTERS] and len(found) < limit:
                    with os.scandir(folder / shard) as entries:
                        files = [entry for entry in entries if is_name(entry.name) and entry.name > after]
                    found += [
                        StoredFile(entry.name, entry.stat().st_mtime_ns // 1_000_000)
                        for entry in sorted(files, key=lambda entry: entry.name)[: limit - len(found)]
                    ]
        return found

    def _tidy(self, before: int) -> int:
        removed = 0
        with suppress(FileNotFoundError), os.scandir(self._folder / _INCOMING) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if entry.stat().st_mtime_ns // 1_000_000 < before:
                        Path(entry.path).unlink()
                        removed += 1
        return removed


def _sync_folder(folder: Path) -> None:
    """Have what was made or moved in the folder on disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
