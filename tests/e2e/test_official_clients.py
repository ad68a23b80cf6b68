"""Programs that use the official Python client, in its two last major versions, move here by changing a base URL."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.acme import Shop, wait_for_log
from tests.e2e.client_story import CHAPTERS
from tests.servers import CLIENT16

STORY = Path(__file__).with_name("client_story.py")


@pytest.fixture(scope="module", params=["17.0.1", "16.0.1"])
def told(request: Any, shop: Shop) -> dict[str, Any]:
    """What happened when the client of this version told the story to this server."""
    acme = shop.new_app()
    given = {
        "host": shop.server.url,
        "app": acme.app_id,
        "other_app": shop.new_app("another").app_id,
        "key": acme.key.id,
        "secret": acme.key.secret,
        "account_key": acme.account.id,
        "account_secret": acme.account.secret,
    }
    older = {"PYTHONPATH": str(CLIENT16)} if request.param == "16.0.1" else {}
    done = subprocess.run(
        [sys.executable, str(STORY)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env=os.environ | older,
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["version"] == request.param
    acme.secrets.keep(*report["secrets"])
    acme.secrets.assert_not_in(wait_for_log(shop.server))
    return report


@pytest.mark.parametrize("chapter", list(CHAPTERS))
def test_the_story(told: dict[str, Any], chapter: str) -> None:
    assert chapter in told["told"]
    assert chapter not in told["failures"], told["failures"][chapter]
