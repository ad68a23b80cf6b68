"""What people call a file, made fit to be shown, stored and sent in a header."""

import re
import unicodedata
from typing import Final
from urllib.parse import quote

FILENAME_BYTES_AT_MOST: Final = 200
_EXTENSION: Final = re.compile(r"\.[A-Za-z0-9]{1,10}\Z")
# Characters that cannot be seen: line ends would end a header, and writing-direction marks make `gpj.exe` of `exe.jpg`.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_PLAIN: Final = re.compile(r"[^A-Za-z0-9 ._()+-]")


def clean(raw: str) -> str:
    """The last part of a path, without what cannot be seen, at most 200 bytes with its extension; `file` when empty."""
    last = re.split(r"[/\\]", raw)[-1]
    seen = unicodedata.normalize("NFC", "".join(_seen(character) for character in last)).strip(" .")
    if not seen:
        return "file"
    found = _EXTENSION.search(seen)
    extension = found[0] if found else ""
    stem = seen.removesuffix(extension).encode()[: FILENAME_BYTES_AT_MOST - len(extension)].decode(errors="ignore")
    return (stem.rstrip() + extension) or "file"


def _seen(character: str) -> str:
    category = unicodedata.category(character)
    return " " if category == "Zs" else "" if category in _UNSEEN else character


def disposition(filename: str, *, inline: bool) -> str:
    """A Content-Disposition header that says the name to every client (RFC 6266, with RFC 8187 for all of Unicode)."""
    how = "inline" if inline else "attachment"
    plain = _PLAIN.sub("_", filename)
    return f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
