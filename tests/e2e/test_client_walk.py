"""Every operation of every API class of the official clients is walked, on both databases.

The clients run as programs of their own: the two Python versions have one import name, and the third is JavaScript.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.acme import Shop, command, wait_for_log
from tests.servers import CLIENT16, NODE, ROOT

PYTHON = [sys.executable, "-m", "tests.e2e.client_walk"]
COMMANDS: dict[str, list[str]] = {
    "python 17.0.1": PYTHON,
    "python 16.0.1": PYTHON,
    "javascript 14.1.0": ["node", str(NODE / "walk.mjs")],
}


REDIRECT = "https://partner.example.org/back"


def what_a_walk_needs(shop: Shop, folder: Path) -> dict[str, str]:
    """Where the server is, an account's key, a program that is registered for OAuth, and a place for files."""
    registered = command("oauth", "register", "Partner", "--redirect-uri", REDIRECT, database=shop.server.database)
    return {
        "host": shop.server.url,
        "account_key": shop.account.id,
        "account_secret": shop.account.secret,
        "folder": str(folder),
        "client_id": registered["client"]["id"],
        "client_secret": registered["client"]["secret"],
        "redirect_uri": REDIRECT,
    }


@pytest.fixture(scope="module", params=list(COMMANDS))
def report(request: Any, shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What happened when this client walked through this server."""
    given = what_a_walk_needs(shop, tmp_path_factory.mktemp("walk"))
    older = {"PYTHONPATH": os.pathsep.join([str(CLIENT16), str(ROOT)])} if "16.0.1" in request.param else {}
    done = subprocess.run(
        COMMANDS[request.param],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        cwd=ROOT,
        env=os.environ | older,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["version"] == request.param.split()[1]
    log = wait_for_log(shop.server)
    shown = [secret for secret in [*told["secrets"], given["account_secret"], given["client_secret"]] if secret in log]
    assert not shown, "the log shows a secret"
    return told


def test_every_chapter_of_the_walk_goes_well(report: dict[str, Any]) -> None:
    assert not report["failures"], "\n\n".join(f"{name}\n{text}" for name, text in report["failures"].items())
    assert len(report["told"]) >= 13


def test_the_walk_leaves_out_no_operation(report: dict[str, Any]) -> None:
    """The client itself says what there is to walk."""
    assert len(report["operations"]) >= 60
    assert set(report["operations"]) <= set(report["walked"]), set(report["operations"]) - set(report["walked"])


def test_the_lock_file_names_no_place() -> None:
    """Packages come from wherever npm is told to get them, and their hashes say that they are the same."""
    lock = (NODE / "package-lock.json").read_text()
    assert "integrity" in lock
    assert "://" not in lock
