"""Rich text: Markdown as HTML, and HTML as the plain text that channels without rich text show.

The HTML that a business sends is stored as it came: whoever shows it in a page has to sanitise it there.
"""

import html
import re
from typing import Final

from markdown_it import MarkdownIt

# Raw HTML inside Markdown comes out escaped, and addresses that run scripts are no links (markdown-it's validateLink).
_markdown: Final = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])

_HIDDEN: Final = re.compile(
    r"<!--.*?(?:-->|\Z)|<[!?][^>]*+>?|<(script|style|head|title)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL
)
_TAG: Final = re.compile(r"<(/?)([a-z][a-z0-9]*)((?:[^<>\"']|\"[^\"]*\"|'[^']*')*+)>", re.IGNORECASE)
_ATTRIBUTE: Final = re.compile(r"(?:^|\s)(href|alt)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_SPACES: Final = re.compile(r"[ \t\r\n\f]+")
_BLANK_LINES: Final = re.compile(r" *\n *(?:\n *)+")
_BLOCKS: Final = frozenset(
    "address article aside blockquote dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr main nav ol"
    " p pre section table ul".split()
)
_LINES: Final = frozenset("br li tr".split())


def html_of(markdown: str) -> str:
    """The Markdown (CommonMark with tables and strike-through) as HTML."""
    return str(_markdown.render(markdown)).strip()


def text_of(rich: str) -> str:
    """The words of some HTML: blocks and lines apart, list items marked, a link's address behind its text."""
    parts: list[str] = []
    links: list[tuple[str, int]] = []
    at = 0
    rich = _HIDDEN.sub("", rich)
    for tag in _TAG.finditer(rich):
        parts.append(_words(rich[at : tag.start()]))
        at = tag.end()
        closing, name = bool(tag[1]), tag[2].lower()
        if name in _BLOCKS:
            parts.append("\n\n")
        elif name in _LINES and (not closing or name == "tr"):
            parts.append("\n- " if name == "li" else "\n")
        elif name == "td" and closing:
            parts.append(" ")
        elif name == "img":
            parts.append(_attributes(tag[3]).get("alt", ""))
        elif name == "a" and not closing:
            links.append((_attributes(tag[3]).get("href", ""), len(parts)))
        elif name == "a" and links:
            address, begun = links.pop()
            if address and address not in "".join(parts[begun:]):
                parts.append(f" ({address})")
    parts.append(_words(rich[at:]))
    text = _BLANK_LINES.sub("\n\n", re.sub(r" *\n *", "\n", re.sub(r" {2,}", " ", "".join(parts))))
    return text.strip()


def _words(piece: str) -> str:
    return html.unescape(_SPACES.sub(" ", piece))


def _attributes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(text):
        found.setdefault(match[1].lower(), html.unescape(match[2] or match[3] or match[4] or ""))
    return found
