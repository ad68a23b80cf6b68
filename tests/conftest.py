"""What every test may ask for: databases of both kinds, and reproducible random examples."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.servers import Postgres, fresh_database

# "ci" gives the same examples on every run, so that a red run stays red; "explore" looks for new ones.
settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile(
    "explore", deadline=None, max_examples=2000, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of this test process alone; take a `fresh_database` in it, not the one named here."""
    with Postgres() as server:
        yield server.url


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind in turn; PostgreSQL starts only when a test needs it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'knownas.db'}"
    else:
        with fresh_database(request.getfixturevalue("postgres_url")) as url:
            yield url
