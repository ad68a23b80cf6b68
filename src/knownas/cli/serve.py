"""`knownas serve`: the server itself."""

from typing import Annotated

import typer

from knownas import __version__
from knownas.cli.database import masked, with_settings
from knownas.cli.terminal import DatabaseOption, say
from knownas.database import Database
from knownas.settings import load_settings

HostOption = Annotated[str | None, typer.Option("--host", help="The address to listen on.", show_default="127.0.0.1")]
PortOption = Annotated[
    int | None, typer.Option("--port", min=0, max=65535, help="0 takes any free port.", show_default="8430")
]
PublicUrlOption = Annotated[
    str | None, typer.Option("--public-url", help="How callers reach this server, such as https://chat.example.org")
]


def serve(
    host: HostOption = None,
    port: PortOption = None,
    database: DatabaseOption = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Processes; more than one needs PostgreSQL.", show_default="1"),
    ] = None,
    public_url: PublicUrlOption = None,
) -> None:
    """Serve Knownas over HTTP until it is stopped (Ctrl-C or SIGTERM)."""
    from knownas.cli import serving  # all of the server, which no other command needs

    settings = load_settings(host=host, port=port, database=database, workers=workers, public_url=public_url)
    serving.check(settings)
    listening = serving.listen(settings.host, settings.port)
    with_settings(settings, _nothing, create=True)
    line = f"Knownas {__version__} serves {serving.url_of(listening)} from {masked(settings.database)}"
    serving.run(settings, listening, lambda: say(line))


async def _nothing(database: Database) -> None:
    """Start and stop: whatever is wrong with the database or the master key is said in a sentence, before serving."""
