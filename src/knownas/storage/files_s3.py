"""Attached files in any store that speaks S3: `{prefix}{app id}/{name}` in one bucket.

They are served through us, never from the bucket, so the bucket stays private.
"""

import asyncio
import logging
import re
import tempfile
from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast

import obstore
from msgspec import Struct
from obstore.exceptions import BaseError
from obstore.store import S3Store

from knownas.attachments import AttachmentNotFound, Incoming, StoredFile, is_name
from knownas.errors import Unavailable
from knownas.ids import is_id
from knownas.storage.files import Spool, checked, in_thread, new_name

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ClientConfig, RetryConfig, S3Config

_PIECE_BYTES: Final = 1024 * 1024
_PARTS_AT_ONCE: Final = 2
_RETRY: "Final[RetryConfig]" = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}
_NAME: Final = re.compile(r"[0-9a-f]{64}")
_log = logging.getLogger(__name__)


class Bucket(Struct, frozen=True):
    """Where the store is. `endpoint` is empty for Amazon's own; `prefix` is empty or ends with a slash."""

    endpoint: str
    region: str
    bucket: str
    key: str
    secret: str
    prefix: str = ""

    def __repr__(self) -> str:
        return f"Bucket(bucket={self.bucket!r})"


class S3Files:
    """Files (knownas.attachments.Files) in a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        config: S3Config = {"bucket": bucket.bucket}
        if bucket.region:
            config["region"] = bucket.region
        if bucket.key:
            config["access_key_id"] = bucket.key
            config["secret_access_key"] = bucket.secret
        if bucket.endpoint:
            config["endpoint"] = bucket.endpoint
        client: ClientConfig = {
            "allow_http": bucket.endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=5),
            "timeout": timedelta(seconds=60),
        }
        self._store = S3Store(config=config, client_options=client, retry_config=_RETRY)
        self._prefix = bucket.prefix

    async def begin(self) -> Incoming:
        """A temporary file without a name, which no crash leaves behind."""
        return Spool(cast("Any", await in_thread(tempfile.TemporaryFile)))

    async def keep(self, app_id: str, incoming: Incoming) -> str:
        """Send it, in parts where it is large. It is there whole or not at all."""
        assert isinstance(incoming, Spool)  # noqa: S101
        name = new_name()
        key = self._key(app_id, name)
        await in_thread(incoming.end)
        await in_thread(incoming.file.seek, 0)
        try:
            await obstore.put_async(self._store, key, incoming.file, max_concurrency=_PARTS_AT_ONCE)
        except (BaseError, OSError) as failure:
            raise _unavailable(failure) from failure
        return name

    async def exists(self, app_id: str, name: str) -> bool:
        """Whether it is there."""
        try:
            await obstore.head_async(self._store, self._key(app_id, name))
        except FileNotFoundError:
            return False
        except (BaseError, OSError) as failure:
            raise _unavailable(failure) from failure
        return True

    async def read(self, app_id: str, name: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """Its bytes, a request for each piece, so that a slow reader holds no connection to the store."""
        key = self._key(app_id, name)
        while start < end:
            stop = min(start + _PIECE_BYTES, end)
            try:
                piece = bytes(await obstore.get_range_async(self._store, key, start=start, end=stop))
            except FileNotFoundError:
                raise AttachmentNotFound from None
            except (BaseError, OSError) as failure:
                raise _unavailable(failure) from failure
            start = stop
            yield piece

    async def remove(self, app_id: str, name: str) -> None:
        """Remove it, if it is there."""
        try:
            await obstore.delete_async(self._store, self._key(app_id, name))
        except FileNotFoundError:
            return
        except (BaseError, OSError) as failure:
            raise _unavailable(failure) from failure

    async def page(self, app_id: str, after: str, limit: int) -> list[StoredFile]:
        """By name, as the store lists them."""
        if not is_id(app_id):
            raise ValueError("not an app's id")
        folder = f"{self._prefix}{app_id}/"
        listing = obstore.list(self._store, folder, offset=f"{folder}{after}" if after else None, chunk_size=limit)
        try:
            listed: Sequence[ObjectMeta] = await anext(listing, [])
        except (BaseError, OSError) as failure:
            raise _unavailable(failure) from failure
        found = [
            StoredFile(entry["path"].rpartition("/")[2], int(entry["last_modified"].timestamp() * 1000))
            for entry in listed
        ]
        return sorted((file for file in found if is_name(file.name)), key=lambda file: file.name)

    async def tidy(self, before: int) -> int:
        """Nothing: what arrives has no name here. Parts of an upload that broke off expire by the bucket's own rule."""
        await asyncio.sleep(0)
        return 0

    def _key(self, app_id: str, name: str) -> str:
        return self._prefix + "/".join(checked(app_id, name))


def _unavailable(failure: Exception) -> Unavailable:
    # The first line only, as what follows may quote the request; and no name, as whoever knows it may read the file.
    reason = _NAME.sub("…", str(failure).partition("\n")[0])[:300]
    _log.error("the attachments' bucket cannot be used: %s", reason)
    return Unavailable("Files cannot be stored or read at the moment")
