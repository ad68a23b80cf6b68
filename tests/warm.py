"""Imports what a server imports, also what it imports late, so that a fork of whoever has imported this starts fast."""

import importlib

from typer.testing import CliRunner

from knownas.cli import cli
from knownas.http.request_info import load_agents

for name in ("knownas.delivery.post", "knownas.storage.postgres", "uvicorn.lifespan.on", "uvicorn.loops.uvloop"):
    importlib.import_module(name)
load_agents()
CliRunner().invoke(cli, ["explain", "no token"])  # what running any command imports
