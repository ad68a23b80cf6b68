"""Read the one file of a multipart/form-data body (RFC 7578) onto the disk, as it arrives."""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from msgspec import Struct
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from knownas.attachments import FILE_BYTES_AT_MOST, Files, FileTooLarge, Incoming
from knownas.attachments.filenames import clean
from knownas.attachments.media import HEAD_BYTES, media_type_of
from knownas.errors import Unavailable
from knownas.http.call import Call
from knownas.http.decode import InvalidBody, shown

PARTS_AT_MOST: Final = 20
OTHER_BYTES_AT_MOST: Final = 64 * 1024
"""Fields beside the file: some clients send a few, and none means anything here."""
ENVELOPE_BYTES_AT_MOST: Final = 128 * 1024
UPLOADS_AT_ONCE: Final = 64
UPLOADS_OF_ONE_APP: Final = 16

# It would warn of each malformed body, so that strangers fill the log; the caller is told instead.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


class Uploads:
    """How many files arrive at the moment: each takes room on the disk, however slowly it comes."""

    def __init__(self) -> None:
        self._running: Counter[str] = Counter()

    @contextmanager
    def turn(self, app_id: str) -> Iterator[None]:
        """One more for the time of the block. Raises Unavailable when there are enough."""
        if self._running.total() >= UPLOADS_AT_ONCE or self._running[app_id] >= UPLOADS_OF_ONE_APP:
            raise Unavailable("Too many files are being uploaded at the moment: try again", 5)
        self._running[app_id] += 1
        try:
            yield
        finally:
            self._running[app_id] -= 1
            if not self._running[app_id]:
                del self._running[app_id]


class Received(Struct):
    """A file that arrived whole: where it is, what it is called and what it is. Keep it or discard it."""

    incoming: Incoming
    filename: str
    media_type: str


async def read_file(call: Call, files: Files, field: str = "source") -> Received:
    """The file in this field of the body; it is discarded again where anything is wrong with the body.

    Raises InvalidBody with the reason, FileTooLarge as soon as the limit is passed, Unavailable.
    """
    form = _Form(_boundary(call), field)
    incoming = await files.begin()
    try:
        async for chunk in call.chunks(FILE_BYTES_AT_MOST + ENVELOPE_BYTES_AT_MOST, FileTooLarge()):
            form.feed(chunk)
            if form.arrived:
                await incoming.write(form.take())
        filename, declared = form.end()
    except BaseException:
        await incoming.discard()
        raise
    return Received(incoming, clean(filename), media_type_of(declared, form.head))


def _boundary(call: Call) -> bytes:
    kind, options = parse_options_header(call.header(b"content-type"))
    if kind != b"multipart/form-data":
        raise InvalidBody("The Content-Type should be multipart/form-data, with the file in the field 'source'")
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:  # RFC 2046, 5.1.1
        raise InvalidBody("The Content-Type multipart/form-data should name a boundary of 1 to 70 characters")
    return boundary


class _Form:
    """What has been read of the form so far. The parser calls back between `feed` and its return."""

    def __init__(self, boundary: bytes, field: str) -> None:
        self.head = b""
        self.arrived: list[bytes] = []
        self._field = field
        self._size = self._parts = self._other = 0
        self._header_name = self._header_value = b""
        self._headers: dict[bytes, bytes] = {}
        self._file: tuple[str, str] | None = None
        self._in_file = self._done = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begins,
                "on_header_field": self._header_field,
                "on_header_value": self._header_more,
                "on_header_end": self._header_ends,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_end": self._ended,
            },
        )

    def feed(self, chunk: bytes) -> None:
        """Read some more. Raises InvalidBody and FileTooLarge."""
        try:
            self._parser.write(chunk)
        except FormParserError as wrong:
            raise InvalidBody(f"The multipart body is malformed: {shown(str(wrong))}") from None

    def take(self) -> bytes:
        """The file's bytes that came since the last time."""
        data = self.arrived[0] if len(self.arrived) == 1 else b"".join(self.arrived)
        self.arrived = []
        return data

    def end(self) -> tuple[str, str]:
        """The file's name and declared type, once the body has ended. Raises InvalidBody."""
        if not self._done:
            raise InvalidBody("The multipart body ends before its last boundary")
        if self._file is None:
            raise InvalidBody(f"The multipart body should have a file in the field '{self._field}'")
        if not self._size:
            raise InvalidBody("The file is empty")
        return self._file

    def _part_begins(self) -> None:
        self._headers = {}
        self._parts += 1
        if self._parts > PARTS_AT_MOST:
            raise InvalidBody(f"The multipart body has more than {PARTS_AT_MOST} parts")

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_more(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_ends(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _headers_end(self) -> None:
        """Decide what the part is."""
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        name, filename = _text(options.get(b"name", b"")), options.get(b"filename")
        self._in_file = name == self._field and bool(filename)
        if not filename:
            if name == self._field:
                raise InvalidBody(f"The field '{self._field}' should be a file, and its part names no filename")
            return
        if not self._in_file:
            raise InvalidBody(f"The file should be in the field '{self._field}', not in '{shown(name, 64)}'")
        if self._file is not None:
            raise InvalidBody("The multipart body has two files, and one attachment is one file")
        if self._headers.get(b"content-transfer-encoding", b"binary").lower() not in (b"binary", b"8bit", b"7bit"):
            raise InvalidBody("The file should be sent as it is, without a Content-Transfer-Encoding (RFC 7578, 4.7)")
        self._file = (_text(filename), _text(self._headers.get(b"content-type", b"")))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if not self._in_file:
            self._other += end - start
            if self._other > OTHER_BYTES_AT_MOST:
                raise InvalidBody(f"The fields beside the file have more than {OTHER_BYTES_AT_MOST // 1024} kB")
            return
        self._size += end - start
        if self._size > FILE_BYTES_AT_MOST:
            raise FileTooLarge
        piece = data[start:end]
        if len(self.head) < HEAD_BYTES:
            self.head += piece[: HEAD_BYTES - len(self.head)]
        self.arrived.append(piece)

    def _ended(self) -> None:
        self._done = True


def _text(raw: bytes) -> str:
    """Text of a part's header: UTF-8 as browsers write it, else byte by byte; `%22` is how they write a quote."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.replace("%22", '"')
