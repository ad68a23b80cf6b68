"""`knownas token`: sign a token as a business's server does, without any database."""

import time
import warnings
from typing import Annotated, Any

import jwt
import typer

from knownas.cli.terminal import JsonOption, Refused, say, show_json, warn
from knownas.keys import Key, is_key_id
from knownas.keys.explain import explain

_USER_SCOPES = ("user", "appUser")
_SERVER_SCOPES = ("app", "integration", "account")


def sign(
    key: Annotated[str, typer.Option("--key", help="The key's id; it becomes the header's kid.")],
    secret: Annotated[str, typer.Option("--secret", envvar="KNOWNAS_SECRET", help="The key's secret.")],
    external_id: Annotated[str | None, typer.Option("--external-id", help="The business's own id of the user.")] = None,
    email: Annotated[str | None, typer.Option("--email", help="An e-mail address; a label, unless verified.")] = None,
    email_verified: Annotated[
        bool, typer.Option("--email-verified", help="The business vouches that the address is the user's.")
    ] = False,
    name: Annotated[str | None, typer.Option("--name", help="The user's name.")] = None,
    ttl: Annotated[
        int | None,
        typer.Option("--ttl", metavar="SECONDS", help="How long it is valid.", show_default="until its key is deleted"),
    ] = None,
    scope: Annotated[str, typer.Option("--scope", help="user, or for a server: app, integration, account.")] = "user",
    as_json: JsonOption = False,
) -> None:
    """Sign a token (HS256) and print it alone. Nothing is asked of a server, and nothing is stored."""
    claims = _claims(scope, external_id, email, email_verified, name)
    if ttl is not None:
        claims["exp"] = int(time.time()) + ttl
    if not is_key_id(key):
        raise Refused("bad_request", "This is not the id of a key: they look like app_ and 24 hexadecimal digits")
    if not secret:
        raise Refused("bad_request", "The secret is empty")
    try:
        with warnings.catch_warnings(action="ignore"):  # what is wrong with the secret is said below, in one sentence
            signed = jwt.encode(claims, secret, algorithm="HS256", headers={"kid": key})
    except jwt.InvalidKeyError:
        raise Refused(
            "bad_request", "The secret looks like a PEM or a public key, which HS256 cannot sign with"
        ) from None
    verdict = explain(signed, Key(key, "", None, None, "HS256", "", 0, secret=secret), time.time())
    if not verdict.accepted:
        warn(f"knownas: this token will be refused: {verdict.message}")
    if as_json:
        show_json({"token": signed})
    else:
        say(signed)


def _claims(
    scope: str, external_id: str | None, email: str | None, email_verified: bool, name: str | None
) -> dict[str, Any]:
    """The claims, refused where they could not mean anything."""
    if scope not in (*_USER_SCOPES, *_SERVER_SCOPES):
        raise Refused("bad_request", f"The scope is one of {', '.join((*_USER_SCOPES, *_SERVER_SCOPES))}")
    if scope in _SERVER_SCOPES:
        if (external_id, email, name) != (None, None, None) or email_verified:
            raise Refused("bad_request", f"A token of scope {scope} is a server's and names no user")
        return {"scope": scope}
    if not external_id:
        raise Refused("bad_request", f"A token of scope {scope} needs --external-id")
    if email_verified and not email:
        raise Refused("bad_request", "--email-verified says something about --email, which is missing")
    claims: dict[str, Any] = {"scope": scope, "external_id" if scope == "user" else "userId": external_id}
    if email:
        claims |= {"email": email, "email_verified": email_verified}
    if name:
        claims["name"] = name
    return claims
