"""The command line: the same verbs as over HTTP, for operators and scripts."""

import sys
from typing import Annotated

import typer

from knownas import __version__
from knownas.cli import (
    acting,
    apps,
    audit,
    conflicts,
    demo,
    events,
    explain,
    keys,
    oauth,
    serve,
    token,
    users,
    webhooks,
)
from knownas.cli.terminal import REFUSALS, say, show_refusal

# No tracebacks with local variables: they would show secrets.
cli = typer.Typer(name="knownas", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _show_version(wanted: bool) -> None:
    if wanted:
        say(f"knownas {__version__}")
        raise typer.Exit


@cli.callback()
def _knownas(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """One identity and one conversation history for every end user of a business."""


cli.command("serve")(serve.serve)
cli.command("demo")(demo.demo)
cli.add_typer(apps.commands, name="apps")
cli.add_typer(keys.commands, name="keys")
cli.add_typer(oauth.commands, name="oauth")
users.commands.command("why")(audit.why)
cli.add_typer(users.commands, name="users")
cli.add_typer(webhooks.commands, name="webhooks")
cli.add_typer(events.commands, name="events")
cli.add_typer(conflicts.commands, name="conflicts")
cli.add_typer(audit.commands, name="audit")
cli.command("merge")(conflicts.merge)
cli.command("undo")(conflicts.undo)
cli.command("erase")(conflicts.erase)
cli.command("carry-out")(acting.carry_out_plan)
cli.command("token")(token.sign)
cli.command("explain")(explain.explain_token)


def main() -> None:
    """Run the command that the arguments name. A refusal is one sentence (or one JSON document) and exit code 1."""
    try:
        cli()
    except REFUSALS as refusal:
        show_refusal(refusal, as_json="--json" in sys.argv[1:])
        sys.exit(1)
