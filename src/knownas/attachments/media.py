"""What a file is: what its uploader says, checked against its first bytes, and as what a browser may be given it."""

import re
from typing import Final

HEAD_BYTES: Final = 512
"""How much of a file's beginning is looked at."""
UNKNOWN: Final = "application/octet-stream"

# What a browser may show by itself under our address: formats that hold no script.
SHOWN: Final = frozenset(
    "image/png image/jpeg image/gif image/webp image/avif image/heic audio/mpeg audio/mp4 audio/ogg audio/wav"
    " audio/webm audio/flac audio/aac audio/amr video/mp4 video/webm video/ogg video/quicktime video/3gpp"
    " application/pdf text/plain".split()
)
# What is only ever downloaded, and keeps its type. Anything else, HTML and SVG among it, is sent as mere bytes.
_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
DOWNLOADED: Final = frozenset(
    f"application/zip application/gzip application/json application/rtf application/msword text/csv text/calendar"
    f" text/vcard application/vnd.ms-excel application/vnd.ms-powerpoint {_OFFICE}.wordprocessingml.document"
    f" {_OFFICE}.spreadsheetml.sheet {_OFFICE}.presentationml.presentation application/vnd.oasis.opendocument.text"
    f" application/vnd.oasis.opendocument.spreadsheet image/bmp image/tiff".split()
)
# First bytes, where they stand, and what they may begin; the first of several is meant when the uploader does not say.
_SIGNATURES: Final[tuple[tuple[int, bytes, tuple[str, ...]], ...]] = (
    (0, b"\x89PNG\r\n\x1a\n", ("image/png",)),
    (0, b"\xff\xd8\xff", ("image/jpeg",)),
    (0, b"GIF87a", ("image/gif",)),
    (0, b"GIF89a", ("image/gif",)),
    (8, b"WEBP", ("image/webp",)),
    (8, b"WAVE", ("audio/wav",)),
    (4, b"ftypavif", ("image/avif",)),
    (4, b"ftyphei", ("image/heic",)),
    (4, b"ftypmif1", ("image/heic", "image/avif")),
    (4, b"ftypqt", ("video/quicktime",)),
    (4, b"ftyp3g", ("video/3gpp",)),
    (4, b"ftypM4A", ("audio/mp4",)),
    (4, b"ftyp", ("video/mp4", "audio/mp4", "video/quicktime", "video/3gpp")),
    (0, b"\x1aE\xdf\xa3", ("video/webm", "audio/webm")),
    (0, b"OggS", ("audio/ogg", "video/ogg")),
    (0, b"fLaC", ("audio/flac",)),
    (0, b"#!AMR", ("audio/amr",)),
    (0, b"ID3", ("audio/mpeg",)),
    (0, b"%PDF-", ("application/pdf",)),
)
_MPEG_FRAME: Final = re.compile(rb"\xff[\xe2-\xff]")
_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]{1,64}/[a-z0-9!#$&^_.+-]{1,64}")


def media_type_of(declared: str, head: bytes) -> str:
    """The type of a file that `declared` says it is and that begins with `head`. Pure.

    First bytes that are known win over what is said. What claims to be shown by browsers and does not begin as such
    a file does is of an unknown type.
    """
    said = declared.partition(";")[0].strip().lower()
    said = _ALIASES.get(said, said)
    for at, signature, types in _SIGNATURES:
        if head.startswith(signature, at):
            return said if said in types else types[0]
    if said in ("audio/mpeg", "audio/aac") and _MPEG_FRAME.match(head):
        return said
    if not _TYPE.fullmatch(said) or (said in SHOWN and said != "text/plain"):
        return UNKNOWN
    return said


def served_as(media_type: str) -> tuple[str, bool]:
    """The Content-Type to serve a file of this type with, and whether a browser may show it. Pure."""
    if media_type == "text/plain":
        return "text/plain; charset=utf-8", True
    if media_type in SHOWN:
        return media_type, True
    return (media_type, False) if media_type in DOWNLOADED else (UNKNOWN, False)


_ALIASES: Final = {
    "image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "audio/mp3": "audio/mpeg", "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav", "audio/x-m4a": "audio/mp4", "audio/m4a": "audio/mp4", "audio/x-flac": "audio/flac",
    "application/x-zip-compressed": "application/zip", "application/x-pdf": "application/pdf",
}  # fmt: skip
