"""What all commands share at the terminal: options, answers for people and for programs, refusals."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Final

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from knownas.errors import DomainError
from knownas.settings import InvalidSetting
from knownas.storage.migrate import SchemaTooNew
from knownas.storage.open import UnknownDatabase
from knownas.storage.vault import InvalidMasterKey, VaultError, WrongMasterKey

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar="KNOWNAS_DATABASE",
        help="sqlite:///./knownas.db or postgresql://user:password@host/name",
        show_default="sqlite:///./knownas.db",
    ),
]
AppOption = Annotated[str, typer.Option("--app", help="The app.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, errors too.")]


_NO_END: Final = 1_000_000


class Refused(Exception):
    """The command cannot do this; `code` is stable, the text is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


REFUSALS: Final = (DomainError, Refused, InvalidSetting, SchemaTooNew, UnknownDatabase, VaultError, OSError)
_CODES: Final[dict[type[Exception], str]] = {
    InvalidSetting: "invalid_setting",
    SchemaTooNew: "schema_too_new",
    UnknownDatabase: "unknown_database",
    InvalidMasterKey: "invalid_master_key",
    WrongMasterKey: "wrong_master_key",
}


def say(text: str) -> None:
    """A line for people, on standard output, at once."""
    typer.echo(text)


def warn(text: str) -> None:
    """A line for people, on standard error."""
    typer.echo(text, err=True)


def show_json(value: object, *, err: bool = False) -> None:
    """One JSON document."""
    typer.echo(json.dumps(_finite(value), indent=2, ensure_ascii=False), err=err)


def show_refusal(refusal: Exception, *, as_json: bool) -> None:
    """Say on standard error why the command did nothing."""
    code = getattr(refusal, "code", None) or _CODES.get(type(refusal), "failed")
    message = str(refusal)
    if isinstance(refusal, OSError) and refusal.strerror:
        message = f"{refusal.strerror}: {refusal.filename}" if refusal.filename else refusal.strerror
    if as_json:
        show_json({"error": {"code": code, "message": message}}, err=True)
    else:
        warn(f"knownas: {message}")


def show_fields(fields: Iterable[tuple[str, Any]]) -> None:
    """Names and values, one below the other."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields:
        table.add_row(name, Text(printable(value)))
    _console().print(table)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Rows under a heading; one below the other, on a terminal that is too narrow: nobody can copy half an id."""
    console, shown = _console(), [[printable(value) for value in row] for row in rows]
    widths = [max(cell_len(value) for value in column) for column in zip(columns, *shown, strict=True)]
    if sum(widths) + 2 * (len(widths) - 1) > console.width:
        for number, row in enumerate(shown):
            if number:
                say("")
            show_fields(zip(columns, row, strict=True))
        return
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column)
    for row in shown:
        table.add_row(*map(Text, row))
    console.print(table)


@contextmanager
def progress(what: str, *, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Show on standard error, when it is a terminal, that something goes on; the function says how far it is."""
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    console.quiet = quiet or not console.is_terminal
    with console.status(what) as status:
        yield lambda how_far: status.update(f"{what}: {how_far}")


def go_on(page: dict[str, Any]) -> None:
    """Say how to see the rest, where a page is not all there is."""
    if page["hasMore"]:
        say(f"\nThere is more: --after {page['next']}")


def printable(value: object) -> str:
    """The value as text that cannot steer a terminal: users choose their own names."""
    text = "–" if value is None else str(value)
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _console() -> Console:
    """Ids and secrets are there to be copied, so nothing is broken into lines when the output goes to a program."""
    console = Console(highlight=False, markup=False, emoji=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, emoji=False, width=_NO_END)


def _finite(value: Any) -> Any:
    """A copy without the numbers that JSON lacks."""
    if isinstance(value, dict):
        return {name: _finite(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(member) for member in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
