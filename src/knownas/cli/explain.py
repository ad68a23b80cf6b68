"""`knownas explain`: say why a token is, or would be, refused."""

import json
import sys
import time
from typing import Annotated, Any

import typer
from msgspec import structs, to_builtins

from knownas.cli.database import with_database
from knownas.cli.keys import find_key
from knownas.cli.terminal import DatabaseOption, JsonOption, Refused, printable, say, show_fields, show_json
from knownas.database import Database
from knownas.keys import Key
from knownas.keys.explain import Explanation, explain
from knownas.keys.parts import MAX_TOKEN, read
from knownas.keys.refusals import CAUSES, TokenRefused

_UNCHECKED = "jwt.unchecked"


def explain_token(
    words: Annotated[list[str], typer.Argument(metavar="TOKEN", help="The token, or - for standard input.")],
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what Knownas thinks of a token: its shape alone, or with --database its key and signature too.

    Ends with 0 when the token is accepted or looks right, with 1 when it is refused. Shows no secret and no signature.
    """
    token = _token(words)
    now_s = time.time()
    if database is None:
        verdict = explain(token, None, now_s)
    else:
        verdict = with_database(database, lambda opened: _explain_with(opened, token, now_s))
    good = verdict.accepted or verdict.cause == _UNCHECKED
    if as_json:
        show_json(to_builtins(verdict))
    else:
        _show(verdict, good=good)
    if not good:
        raise typer.Exit(1)


async def _explain_with(database: Database, token: str, now_s: float) -> Explanation:
    """The verdict with the key that the token names, if it is alive, and the rules of the key's app."""
    try:
        kid = read(token).header.kid
    except TokenRefused:
        return explain(token, None, now_s)
    key: Key | None = await database.read(database.new_app(), find_key, kid)
    verdict = explain(token, key, now_s)
    app = await database.directory.app(key.app_id) if key and key.app_id else None
    if key is None and verdict.cause == _UNCHECKED:
        return structs.replace(
            verdict, cause="jwt.kid.unknown", message=CAUSES["jwt.kid.unknown"], notes=verdict.notes[:-1]
        )
    if verdict.accepted and app is not None and app.settings.require_token_expiry and "exp" not in verdict.claims:
        return structs.replace(verdict, accepted=False, cause="jwt.exp.missing", message=CAUSES["jwt.exp.missing"])
    return verdict


def _token(words: list[str]) -> str:
    """The token as people paste it: after Bearer, or out of a file with a line's end."""
    if words == ["-"]:
        words = sys.stdin.read(4 * MAX_TOKEN).split()
    if words and words[0].lower() in ("bearer", "authorization:"):
        words = words[1:] if words[0].lower() == "bearer" else words[2:]
    if len(words) != 1:
        raise Refused("bad_request", "Give one token")
    return words[0]


def _show(verdict: Explanation, *, good: bool) -> None:
    say(f"{'' if good else 'Refused: '}{verdict.message}.")
    fields: list[tuple[str, Any]] = [("cause", verdict.cause)] if verdict.cause and not good else []
    fields += [(f"header {name}", value) for name, value in verdict.header.items()]
    fields += [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in verdict.claims.items()]
    if fields:
        say("")
        show_fields(fields)
    for note in verdict.notes:
        say(f"\n- {printable(note)}" if note is verdict.notes[0] else f"- {printable(note)}")
