"""Where files are, a folder or a bucket, keeps the same promises."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from knownas.attachments import AttachmentNotFound, Files
from knownas.errors import Unavailable
from knownas.storage.files import LocalFiles
from knownas.storage.files_s3 import Bucket, S3Files
from tests.s3 import s3_bucket

APP = "0123456789abcdef01234567"
OTHER_APP = "fedcba98765432100123abcd"
LARGE = bytes(range(256)) * (12 * 1024 * 4) + b"end"  # 12 MiB: more than one part of an upload to a bucket


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    with s3_bucket() as bucket:
        yield bucket


@pytest.fixture(params=["folder", "bucket"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    """An empty store of each kind in turn."""
    if request.param == "folder":
        return LocalFiles(tmp_path / "attachments")
    bucket: Bucket = request.getfixturevalue("bucket")
    return S3Files(structs.replace(bucket, prefix=f"{tmp_path.name}-{time.monotonic_ns()}/"))


async def keep(files: Files, content: bytes = b"hello", app_id: str = APP) -> str:
    incoming = await files.begin()
    try:
        for start in range(0, len(content), 65536):
            await incoming.write(content[start : start + 65536])
        assert incoming.size == len(content)
        return await files.keep(app_id, incoming)
    finally:
        await incoming.discard()


async def content_of(files: Files, name: str, start: int = 0, end: int = 5, app_id: str = APP) -> bytes:
    return b"".join([piece async for piece in files.read(app_id, name, start, end)])


async def test_what_is_kept_is_read_back_whole_and_in_parts(files: Files) -> None:
    small, large = await keep(files), await keep(files, LARGE)
    assert await content_of(files, small) == b"hello"
    assert await content_of(files, small, 1, 3) == b"el"
    assert await content_of(files, large, 0, len(LARGE)) == LARGE
    assert await content_of(files, large, len(LARGE) - 3, len(LARGE)) == b"end"
    pieces = [len(piece) async for piece in files.read(APP, large, 0, len(LARGE))]
    assert max(pieces) <= 1024 * 1024, "no more than a piece of it is in memory"


async def test_a_file_is_one_apps_and_gone_once_removed(files: Files) -> None:
    name = await keep(files)
    assert await files.exists(APP, name)
    assert not await files.exists(OTHER_APP, name)
    with pytest.raises(AttachmentNotFound):
        await content_of(files, name, app_id=OTHER_APP)
    await files.remove(OTHER_APP, name)
    assert await files.exists(APP, name)
    await files.remove(APP, name)
    await files.remove(APP, name)
    assert not await files.exists(APP, name)
    with pytest.raises(AttachmentNotFound):
        await content_of(files, name)


async def test_files_are_listed_by_name_page_after_page(files: Files) -> None:
    before = time.time() * 1000 - 2000  # a bucket tells whole seconds
    names = sorted([await keep(files) for _ in range(7)])
    await keep(files, app_id=OTHER_APP)
    page = await files.page(APP, "", 4)
    assert [file.name for file in page] == names[:4]
    assert all(before <= file.modified_at <= time.time() * 1000 + 1000 for file in page)
    assert [file.name for file in await files.page(APP, names[3], 4)] == names[4:]
    assert await files.page(APP, names[6], 4) == []
    assert await files.page("a" * 24, "", 4) == []


async def test_what_is_discarded_leaves_nothing(files: Files, tmp_path: Path) -> None:
    incoming = await files.begin()
    await incoming.write(b"x" * 1_000_000)
    await incoming.discard()
    await incoming.discard()
    assert await files.page(APP, "", 10) == []
    assert [path for path in (tmp_path / "attachments").rglob("*") if path.is_file()] == []


async def test_only_names_that_the_store_gave_are_looked_for(files: Files) -> None:
    name = await keep(files)
    for app_id, hostile in (
        (APP, "../" + name),
        (APP, ".."),
        (APP, ""),
        ("..", name),
        (f"{APP}/..", name),
        (APP, "A" * 64),
    ):
        with pytest.raises(ValueError, match="not an app's id"):
            await files.exists(app_id, hostile)
        with pytest.raises(ValueError, match="not an app's id"):
            await files.remove(app_id, hostile)
        with pytest.raises(ValueError, match="not an app's id"):
            await content_of(files, hostile, app_id=app_id)
    with pytest.raises(ValueError, match="not an app's id"):
        await files.page("..", "", 1)
    assert await files.exists(APP, name)


async def test_a_bucket_that_does_not_answer_is_unavailable(bucket: Bucket, caplog: pytest.LogCaptureFixture) -> None:
    nobody = S3Files(structs.replace(bucket, endpoint="http://127.0.0.1:9"))
    incoming = await nobody.begin()
    await incoming.write(b"x")
    for attempt in (nobody.keep(APP, incoming), nobody.exists(APP, "a" * 64), nobody.remove(APP, "a" * 64)):
        with pytest.raises(Unavailable):
            await attempt
    await incoming.discard()
    assert "secret" not in repr(bucket)
    assert "cannot be used" in caplog.text
    assert "a" * 64 not in caplog.text, "whoever knows the name may read the file"
