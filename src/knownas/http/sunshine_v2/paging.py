"""Cursor paging: `page[after]`, `page[before]`, `page[size]`, and `meta` and `links` in the answer."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from msgspec import Struct

from knownas.http.call import Call
from knownas.http.decode import InvalidBody
from knownas.ids import is_id

DEFAULT_SIZE: Final = 25
MAX_SIZE: Final = 100


class Page(Struct, frozen=True):
    """Which records are asked for: `size` of them after or before a record's id, or the first ones."""

    after: str | None = None
    before: str | None = None
    size: int = DEFAULT_SIZE


def page_of(call: Call) -> Page:
    """The page that the query asks for. Raises InvalidBody with the vendor's words."""
    page = call.query().get("page", {})
    if not isinstance(page, dict):
        raise InvalidBody("Invalid page query parameters")
    after, before, size = page.get("after"), page.get("before"), page.get("size", DEFAULT_SIZE)
    if isinstance(size, str) and size.isascii() and size.isdigit() and len(size) <= 3:
        size = int(size)
    cursors = [cursor for cursor in (after, before) if cursor is not None]
    if (
        page.keys() - {"after", "before", "size"}
        or len(cursors) > 1
        or not all(isinstance(cursor, str) and is_id(cursor) for cursor in cursors)
        or type(size) is not int
        or not 1 <= size <= MAX_SIZE
    ):
        raise InvalidBody("Invalid page query parameters")
    return Page(after, before, size)


def paged(call: Call, page: Page, found: Sequence[Any]) -> tuple[Sequence[Any], dict[str, object]]:
    """The records of this page, out of one more than it holds if there are more, with `meta` and `links`."""
    more = len(found) > page.size
    if more:
        found = found[1:] if page.before else found[: page.size]
    meta: dict[str, object] = {"hasMore": more}
    links: dict[str, str] = {}
    if found and (more if not page.before else True):
        meta["afterCursor"] = found[-1].id
        links["next"] = _link(call, "after", found[-1].id, page.size)
    if found and (page.after or (page.before and more)):
        meta["beforeCursor"] = found[0].id
        links["prev"] = _link(call, "before", found[0].id, page.size)
    return found, {"meta": meta, "links": links} if links else {"meta": meta}


def _link(call: Call, direction: str, cursor: str, size: int) -> str:
    path = quote(call.scope["raw_path"], safe="/%:@!$&'()*+,;=~")
    return f"{call.origin}{path}?{urlencode({f'page[{direction}]': cursor, 'page[size]': size})}"
