"""The pages that an operator sees, and the headers that keep them out of frames, caches and referrers."""

from functools import lru_cache
from importlib import resources
from typing import Final
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, select_autoescape

from knownas.http.call import Answer

_templates = Environment(loader=PackageLoader("knownas.http", "templates/oauth"), autoescape=select_autoescape())
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'{redirect}"
)


def page(name: str, status: int = 200, *, redirect: str | None = None, **values: object) -> Answer:
    """A page. Its form may end at the `redirect` address: browsers hold the policy against where a form ends.

    The referrer stays on this server; without any, browsers would not say either that a form came from here.
    """
    origin = ""
    if redirect is not None:
        parts = urlsplit(redirect)
        origin = f" {parts.scheme}://{parts.netloc}"
    body = _templates.get_template(name).render(**values)
    return Answer(
        status,
        body.encode(),
        (
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-security-policy", _POLICY.format(redirect=origin).encode()),
            (b"x-frame-options", b"DENY"),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),
            (b"cache-control", b"no-store"),
        ),
    )


@lru_cache(maxsize=1)
def style_sheet() -> bytes:
    """The style of the first page, and what forms need besides."""
    templates = resources.files("knownas.http").joinpath("templates")
    return b"\n".join(templates.joinpath(name).read_bytes() for name in ("home.css", "oauth/form.css"))
