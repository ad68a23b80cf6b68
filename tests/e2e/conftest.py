"""Servers for end-to-end tests: one process for the tests of a file on each kind of database, an app for each test."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.acme import Acme, Shop, open_shop, server_on, wait_for_log
from tests.servers import fresh_database


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shop(request: Any, tmp_path_factory: Any) -> Iterator[Shop]:
    """A running server on an empty database of each kind in turn. Starting one per test would take minutes."""
    if request.param == "sqlite":
        with server_on(f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'knownas.db'}") as server:
            yield open_shop(server)
    else:
        with fresh_database(request.getfixturevalue("postgres_url")) as url, server_on(url) as server:
            yield open_shop(server)


@pytest.fixture
def acme(shop: Shop) -> Iterator[Acme]:
    """An app of the test's own. When the test ends, the server's log must show none of its secrets."""
    app = shop.new_app()
    yield app
    app.secrets.assert_not_in(wait_for_log(shop.server))
