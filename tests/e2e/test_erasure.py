"""R10: a user is filled with texts that stand nowhere else, in every field that the API offers, and erased or deleted.

Then none of them is left in the raw files of the running server's database, in a fresh dump, among the attachments or
in the log. What erasing personal information keeps is marked so where it is filled in (tests/e2e/erasure_life.py).
"""

import importlib
import pkgutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import apsw
import pytest
from msgspec import Struct

import knownas.http.sdk
import knownas.http.sunshine_v2
from knownas.storage.open import sqlite_path
from tests.e2e.acme import open_shop, server_on
from tests.e2e.erasure_life import FILLED, NOT_OF_USERS, Life, live, set_up
from tests.e2e.hooks import PRIVATE_TOO
from tests.receivers import receiver
from tests.servers import Server, fresh_database, postgres_programs, wait_until

STAYS = ("users", "identities", "devices", "conversations", "messages", "attachments")
"""Where what R10 keeps stands, and what is other people's."""


class Lives:
    """A running server, and where it keeps things."""

    def __init__(self, server: Server, files: Path, life: Life) -> None:
        self.server, self.files, self.life = server, files, life

    def places(self) -> dict[str, bytes]:
        """All that may hold something, by its name, while the server runs."""
        found = {"log": self.server.log_text().encode(), "dump": self.dump()}
        for file in self.files.rglob("*"):
            found[f"file {file.name}"] = file.name.encode() + (file.read_bytes() if file.is_file() else b"")
        if path := sqlite_path(self.server.database):
            found |= {
                name: Path(f"{path}{name}").read_bytes() for name in ("", "-wal") if Path(f"{path}{name}").exists()
            }
        return found

    def dump(self, *tables: str) -> bytes:
        """The rows of these tables, or of all."""
        path = sqlite_path(self.server.database)
        if path is None:
            some = [word for table in tables for word in ("--table", table)]
            command = [str(postgres_programs() / "pg_dump"), "--no-sync", "--inserts", *some, self.server.database]
            return subprocess.run(command, capture_output=True, check=True).stdout
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            found = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
            names = tables or [name for (name,) in found]
            return repr([connection.execute(f"SELECT * FROM {name}").fetchall() for name in names]).encode()
        finally:
            connection.close()

    def left(self, marks: dict[str, str]) -> set[str]:
        """Which of the marks still stand somewhere, and where, in words."""
        places = self.places()
        return {
            f"{what} in {name or 'file'}"
            for name, held in places.items()
            for m, what in marks.items()
            if m.encode() in held
        }

    def absent(self, marks: dict[str, str]) -> set[str]:
        """What stands nowhere."""
        everything = b"".join(self.places().values())
        return {what for mark, what in marks.items() if mark.encode() not in everything}


@pytest.fixture(params=["sqlite", "postgres"])
def lives(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lives]:
    """Somebody who has lived, on each kind of database."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path / 'db' / 'knownas.db'}"
        else:
            url = stack.enter_context(fresh_database(request.getfixturevalue("postgres_url")))
        environment = PRIVATE_TOO | {"KNOWNAS_ATTACHMENTS_DIR": str(tmp_path / "files"), "KNOWNAS_LOG_LEVEL": "debug"}
        server = stack.enter_context(server_on(url, **environment))
        life = Life(open_shop(server).new_app(), stack.enter_context(receiver()))
        live(life, set_up(life))
        life.receiver.wait_for("/500", 1)
        yield Lives(server, tmp_path / "files", life)


@pytest.mark.parametrize("reference", ["user_id", "visitor_id"])
@pytest.mark.parametrize("path", ["", "/personalinformation"])
def test_nothing_is_left_of_whoever_is_erased(lives: Lives, path: str, reference: str) -> None:
    """Also by the id of who was merged into her."""
    life = lives.life
    kept, erased = life.marks.kept, life.marks.personal
    if not path:
        kept, erased = {}, kept | erased
    everything = life.marks.personal | life.marks.kept
    stored = len(everything) - len(lives.absent(everything))
    assert stored > len(everything) * 0.8, sorted(lives.absent(everything))
    before = lives.dump(*STAYS)
    still = [mark for mark in (*kept, *life.others.personal) if mark.encode() in before]
    assert len(still) > len(kept) * 0.5
    life.v2("DELETE", f"/users/{getattr(life, reference)}{path}", None, 200)
    try:
        wait_until(lambda: not lives.left(erased), what="nothing is left", timeout_s=20)
    except AssertionError:
        assert not lives.left(erased)
    after = lives.dump(*STAYS)
    assert not {everything.get(mark, "another's") for mark in still if mark.encode() not in after}, "what is kept"


def test_no_body_is_forgotten() -> None:
    """Whoever adds a body says whether a field of it is somebody's; a new field of these is filled by itself."""
    found = {
        value
        for facade in (knownas.http.sdk, knownas.http.sunshine_v2)
        for module in pkgutil.iter_modules(facade.__path__)
        for value in vars(importlib.import_module(f"{facade.__name__}.{module.name}")).values()
        if isinstance(value, type) and issubclass(value, Struct) and value.__name__.endswith("Body")
    }
    assert {body.__name__ for body in found - FILLED} == NOT_OF_USERS
