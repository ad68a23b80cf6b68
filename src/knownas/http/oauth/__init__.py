"""OAuth: authorize, token and revocation, served under /oauth and /sc/oauth (spec/sunshine-v2.yaml, RFC 6749)."""

from knownas.http.edge import Facade
from knownas.http.oauth import authorize, token
from knownas.http.oauth.errors import render_error

FACADE = Facade(
    name="oauth",
    prefixes=("/oauth", "/sc/oauth"),
    routes=[
        ("GET", "/authorize", authorize.ask),
        ("POST", "/authorize", authorize.answer),
        ("GET", "/style.css", authorize.style),
        ("POST", "/token", token.exchange),
        ("DELETE", "/authorization", token.revoke),
    ],
    render_error=render_error,
    error_headers=token.NOT_STORED,
)
