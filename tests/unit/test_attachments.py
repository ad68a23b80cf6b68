"""Attachments: what a file is taken for, what it is called, to whom it belongs, and with what it goes."""

import asyncio
import re
import stat
from collections.abc import AsyncIterator
from email.message import Message as Headers
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from knownas.attachments import FileTooLarge, is_name, named_by, names_in
from knownas.attachments.filenames import FILENAME_BYTES_AT_MOST, clean, disposition
from knownas.attachments.media import DOWNLOADED, SHOWN, UNKNOWN, media_type_of, served_as
from knownas.attachments.sweep import common_end
from knownas.errors import Unavailable
from knownas.http import multipart
from knownas.http.decode import InvalidBody
from knownas.http.files import Span, span_of
from knownas.http.multipart import Received, Uploads, read_file
from knownas.storage.files import LocalFiles, Spool, new_name

APP = "0123456789abcdef01234567"
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100
HOSTILE = st.one_of(
    st.text(max_size=300),
    st.sampled_from(
        ["..", "../x", "/etc/passwd", "a\0b", "%2e%2e/x", "..\\x", "a" * 64 + "/..", "\n" * 64, "A" * 64, "", ".", "~"]
    ),
)


# What a file is.


@pytest.mark.parametrize(
    ("declared", "head", "type"),
    [
        ("image/png", PNG, "image/png"),
        ("application/octet-stream", PNG, "image/png"),
        ("", b"%PDF-1.7", "application/pdf"),
        ("text/html", PNG, "image/png"),
        ("image/png", b"<html><script>", UNKNOWN),
        ("image/svg+xml", b"<svg/>", "image/svg+xml"),
        ("text/plain; charset=latin-1", b"hello", "text/plain"),
        ("audio/webm", b"\x1aE\xdf\xa3", "audio/webm"),
        ("", b"\x1aE\xdf\xa3", "video/webm"),
        ("audio/mp4", b"\0\0\0\x20ftypisom", "audio/mp4"),
        ("IMAGE/JPG", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("audio/mp3", b"\xff\xfb\x90", "audio/mpeg"),
        ("audio/mpeg", b"no frame", UNKNOWN),
        ("no type", b"x", UNKNOWN),
        ("text/html\r\nset-cookie: a=b", b"x", UNKNOWN),
    ],
)
def test_first_bytes_are_believed_more_than_what_is_said(declared: str, head: bytes, type: str) -> None:
    assert media_type_of(declared, head) == type


@examples(st.text(), st.binary(max_size=64))
def test_nothing_is_served_that_a_browser_would_run(declared: str, head: bytes) -> None:
    served, inline = served_as(media_type_of(declared, head))
    assert served in SHOWN | DOWNLOADED | {UNKNOWN, "text/plain; charset=utf-8"}
    assert not inline or served.partition(";")[0] in SHOWN


@pytest.mark.parametrize(
    "type",
    [
        "text/html",
        "image/svg+xml",
        "application/xhtml+xml",
        "text/xml",
        "text/javascript",
        "text/css",
        "application/xml",
    ],
)
def test_documents_that_run_are_sent_as_bytes(type: str) -> None:
    assert served_as(media_type_of(type, b"<")) == (UNKNOWN, False)


# What it is called.


@examples(HOSTILE)
def test_a_filename_is_one_visible_part_of_a_path(raw: str) -> None:
    name = clean(raw)
    assert name not in ("", ".", "..")
    assert name.isprintable()
    assert not set(name) & set("/\\\0\r\n")
    assert len(name.encode()) <= FILENAME_BYTES_AT_MOST
    assert clean(name) == name


@examples(HOSTILE, st.booleans())
def test_every_filename_survives_its_header(raw: str, inline: bool) -> None:
    name = clean(raw)
    header = disposition(name, inline=inline)
    assert re.fullmatch(r"[ -~]+", header)
    assert header.startswith("inline; " if inline else "attachment; ")
    assert unquote(header.partition("filename*=UTF-8''")[2]) == name
    parsed = Headers()
    parsed["content-disposition"] = header
    assert parsed.get_content_disposition() == ("inline" if inline else "attachment")


def test_unicode_names_are_kept_and_tricks_are_not() -> None:
    assert clean("Rechnung für Ünal 見積書.pdf") == "Rechnung für Ünal 見積書.pdf"
    assert clean("C:\\Users\\ada\\photo.png") == "photo.png"
    assert clean("photo\u202egpj.exe") == "photogpj.exe"
    assert clean("a" * 300 + ".jpeg").endswith("a.jpeg")


# Where it lies.


@examples(HOSTILE, HOSTILE)
def test_no_name_leads_out_of_the_folder(app: str, name: str) -> None:
    files = LocalFiles(Path("/srv/attachments"))
    for app_id, file in ((app, name), (APP, name), (app, "a" * 64)):
        try:
            path = files.path_of(app_id, file)
        except ValueError:
            continue
        assert re.fullmatch(r"/srv/attachments/[0-9a-f]{24}/[0-9a-f]{2}/[0-9a-f]{64}", str(path))


def test_a_name_has_256_bits_and_is_never_the_same() -> None:
    names = {new_name() for _ in range(1000)}
    assert len(names) == 1000
    assert all(is_name(name) for name in names)


async def test_files_are_for_this_user_alone(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path / "attachments")
    incoming = await files.begin()
    await incoming.write(b"hello")
    assert isinstance(incoming, Spool)
    assert incoming.path is not None
    assert stat.S_IMODE(incoming.path.stat().st_mode) == 0o600
    path = files.path_of(APP, await files.keep(APP, incoming))
    await incoming.discard()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in [*path.parents][:3]} == {0o700}
    assert path.read_bytes() == b"hello"
    assert list((tmp_path / "attachments" / "incoming").iterdir()) == []


async def test_a_folder_that_cannot_be_used_is_unavailable_and_not_a_bug(tmp_path: Path) -> None:
    (tmp_path / "attachments").write_text("in the way")
    with pytest.raises(Unavailable):
        await LocalFiles(tmp_path / "attachments").begin()


# Its address.


@examples(HOSTILE)
def test_an_address_names_what_it_was_made_of(filename: str) -> None:
    url = f"https://chat.example.org/sc/attachments/{APP}/{'a' * 64}/{clean(filename).encode().hex()}"
    assert named_by(url) == (APP, "a" * 64)
    assert named_by(filename) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://badhost.com/image.png",
        f"https://a.example/attachments/{APP}/{'a' * 64}",
        f"https://a.example/attachments/{APP}/{'a' * 64}/",
        f"https://a.example/attachments/{APP}/{'a' * 64}/../x",
        f"https://a.example/attachments/{APP}/{'a' * 64}/x?y",
        f"https://a.example/attachments/{APP}/{'A' * 64}/x",
        f"https://a.example/attachments/{APP}/{'a' * 63}/x",
        f"https://a.example/attachments/{APP}x/{'a' * 64}/x",
    ],
)
def test_other_addresses_name_nothing(url: str) -> None:
    assert named_by(url) is None


def test_a_message_shows_its_own_apps_attachments_and_no_others() -> None:
    one, two, other = "1" * 64, "2" * 64, "3" * 64
    content = {
        "type": "carousel",
        "mediaUrl": f"https://x/attachments/{APP}/{one}/a.png",
        "items": [
            {"mediaUrl": f"https://x/attachments/{APP}/{two}/b.png"},
            {"mediaUrl": f"https://x/attachments/{'f' * 24}/{other}/c.png"},
            {"title": "no picture"},
            "not an item",
        ],
    }
    assert names_in(content, APP) == [one, two]
    assert names_in({"items": None, "mediaUrl": 5}, APP) == []


# Parts of it.


@examples(st.integers(1, 200), st.integers(0, 250), st.integers(0, 250))
def test_a_range_is_what_slicing_says(size: int, first: int, last: int) -> None:
    data = bytes(index % 256 for index in range(size))
    for header, wanted in (
        (f"bytes={first}-{last}", data[first : last + 1]),
        (f"bytes={first}-", data[first:]),
        (f"bytes=-{last}", data[-last:] if last else b""),
    ):
        if header.startswith(f"bytes={first}-{last}") and last < first:
            assert span_of(header, size) is None
        elif wanted:
            span = span_of(header, size)
            assert span is not None
            assert data[span.start : span.end] == wanted
        else:
            with pytest.raises(ValueError, match="outside"):
                span_of(header, size)


@pytest.mark.parametrize(
    "header", [None, "", "bytes=", "bytes=-", "bytes=0-1,3-4", "chars=0-1", "bytes=a-b", "bytes=٣-٤"]
)
def test_a_range_that_is_not_understood_is_all_of_it(header: str | None) -> None:
    assert span_of(header, 10) is None
    assert span_of("bytes=0-0", 10) == Span(0, 1)


# How it arrives.

BOUNDARY = b"----x"


def form(*parts: tuple[bytes, bytes], end: bytes = b"--\r\n") -> bytes:
    return b"".join(b"--" + BOUNDARY + b"\r\n" + head + b"\r\n\r\n" + body + b"\r\n" for head, body in parts) + (
        b"--" + BOUNDARY + end
    )


def part(name: str = "source", filename: str | None = "a.png", *lines: str) -> bytes:
    named = "" if filename is None else f'; filename="{filename}"'
    return "\r\n".join((f'Content-Disposition: form-data; name="{name}"{named}', *lines)).encode()


class Body:
    """What of a Call the reader of a form uses."""

    def __init__(self, body: bytes, cuts: list[int], kind: bytes | None) -> None:
        self._pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
        self._kind = kind

    def header(self, name: bytes) -> bytes | None:
        return self._kind

    async def chunks(self, limit: int, too_large: Exception) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


MULTIPART = b"multipart/form-data; boundary=" + BOUNDARY


async def receive(
    folder: Path, body: bytes, cuts: list[int] | None = None, kind: bytes | None = MULTIPART
) -> tuple[Received, bytes]:
    call: Any = Body(body, sorted(cuts or []), kind)
    received = await read_file(call, LocalFiles(folder))
    assert isinstance(received.incoming, Spool)
    received.incoming.end()
    assert received.incoming.path is not None
    content = received.incoming.path.read_bytes()
    await received.incoming.discard()
    return received, content


@examples(st.data(), st.binary(min_size=1, max_size=300).map(lambda data: data.replace(b"x", b"\r\n--")))
def test_a_file_arrives_whole_however_it_is_cut(tmp_path_factory: Any, data: st.DataObject, content: bytes) -> None:
    body = form((part("note", None), b"hi"), (part("source", "Ü.bin", "Content-Type: text/csv"), content))
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=8))
    received, stored = asyncio.run(receive(tmp_path_factory.getbasetemp() / "arrives", body, cuts))
    assert stored == content
    assert (received.filename, received.incoming.size) == ("Ü.bin", len(content))


FILE = (part(), PNG)


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (form(FILE), None, "Content-Type should be multipart/form-data"),
        (form(FILE), b"application/json", "Content-Type should be multipart/form-data"),
        (form(FILE), b"multipart/form-data", "boundary"),
        (form(FILE), b"multipart/form-data; boundary=" + b"x" * 71, "boundary"),
        (b"", MULTIPART, "ends before its last boundary"),
        (b"no form at all", MULTIPART, "malformed"),
        (form(FILE, end=b"\r\n"), MULTIPART, "ends before its last boundary"),
        (form(FILE)[:50], MULTIPART, "ends before its last boundary"),
        (form(), MULTIPART, "should have a file in the field"),
        (form((part("other", None), b"x")), MULTIPART, "should have a file in the field 'source'"),
        (form((part("source", None), b"x")), MULTIPART, "names no filename"),
        (form((part("source", ""), b"")), MULTIPART, "names no filename"),
        (form((part("picture"), b"x")), MULTIPART, "should be in the field 'source', not in 'picture'"),
        (form(FILE, FILE), MULTIPART, "two files"),
        (form((part(), b"")), MULTIPART, "empty"),
        (form((part("source", "a", "Content-Transfer-Encoding: base64"), b"eA==")), MULTIPART, "Transfer-Encoding"),
        (form(*[(part("a", None), b"x")] * 21), MULTIPART, "more than 20 parts"),
        (form((part("a", None), b"x" * 70_000), FILE), MULTIPART, "more than 64 kB"),
        (form((b"X: " + b"y" * 10_000, b"x")), MULTIPART, "malformed"),
    ],
)
async def test_what_is_no_upload_is_refused_in_plain_words(
    tmp_path: Path, body: bytes, kind: bytes | None, says: str
) -> None:
    with pytest.raises(InvalidBody, match=says):
        await receive(tmp_path, body, None, kind)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [], "and nothing of it is left"


async def test_a_file_that_is_too_large_is_refused_while_it_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multipart, "FILE_BYTES_AT_MOST", 1000)
    assert (await receive(tmp_path, form((part(), b"x" * 1000))))[1] == b"x" * 1000
    with pytest.raises(FileTooLarge, match="larger than 50 MB"):
        await receive(tmp_path, form((part(), b"x" * 1001)))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_uploads_at_once_are_bounded_for_each_app_and_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "UPLOADS_OF_ONE_APP", 1)
    monkeypatch.setattr(multipart, "UPLOADS_AT_ONCE", 2)
    uploads = Uploads()
    with uploads.turn("one"):
        with pytest.raises(Unavailable), uploads.turn("one"):
            raise AssertionError("a second one of the same app")
        with uploads.turn("two"), pytest.raises(Unavailable), uploads.turn("three"):
            raise AssertionError("a third one")
    with uploads.turn("three"):
        pass


# What a sweep compares.


@examples(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)), st.integers(1, 10))
def test_two_lists_are_compared_to_their_ends_page_by_page(files: set[int], rows: set[int], limit: int) -> None:
    stored, named = ([f"{number:02}" for number in sorted(numbers)] for numbers in (files, rows))
    after: str | None = ""
    unknown, lost, pages = [], [], 0
    while after is not None:
        first = [name for name in stored if name > after][:limit]
        second = [name for name in named if name > after][:limit]
        after = common_end(first, second, limit)
        unknown += [name for name in first if name not in second and (after is None or name <= after)]
        lost += [name for name in second if name not in first and (after is None or name <= after)]
        pages += 1
    assert unknown == sorted(set(stored) - set(named))
    assert lost == sorted(set(named) - set(stored))
    assert pages <= (len(files) + len(rows)) // limit + 1
