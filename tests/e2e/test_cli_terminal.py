"""What people see at a terminal: a plan before a question, an answer that counts, tables that fit, how far it is."""

import asyncio
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from typer.testing import CliRunner

from knownas.apps import AppUpdated
from knownas.audit.append import append
from knownas.audit.verify import AT_ONCE
from knownas.cli import cli
from knownas.deliveries import LISTED_AT_MOST
from knownas.resolutions import By
from knownas.transaction import Transaction
from knownas.users.delete import erase_personal_information
from tests.given import BY, MASTER_KEY, World, claims, device, world_at
from tests.servers import _clean_environment

REASON = "she asked for it. " * 40


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """One app in an empty database, which commands open beside the test."""
    async with world_at(f"sqlite:///{tmp_path / 'knownas.db'}") as world:
        yield world


def _how(world: World, arguments: tuple[str, ...]) -> tuple[list[str], dict[str, str]]:
    command = [sys.executable, "-m", "knownas", *arguments, "--app", world.app.id, "--database", world.url]
    # Where tests run side by side, their own width is in the environment, and would outdo the terminal's.
    env = {name: value for name, value in _clean_environment().items() if name not in ("COLUMNS", "LINES")}
    return command, env | {"KNOWNAS_MASTER_KEY": MASTER_KEY.hex(), "TERM": "xterm"}


async def piped(world: World, *arguments: str) -> Any:
    """The command as a program gets it, in this process: starting one takes a second."""
    (_, _, _, *words), env = _how(world, arguments)
    return await asyncio.to_thread(CliRunner().invoke, cli, words, env=env)


def at_terminal(world: World, *arguments: str, columns: int = 100, answer: str = "") -> tuple[int, str]:
    """The command at a terminal so wide, whose question is answered; status, and what was seen without its colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    command, env = _how(world, arguments)
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True)
    os.close(theirs)
    seen, deadline, waiting = b"", time.monotonic() + 60, answer
    try:
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 1)[0]:
                continue
            try:
                some = os.read(ours, 65536)
            except OSError:  # the other end is closed: the command has ended
                break
            if not some:
                break
            seen += some
            if waiting and b"[y/N]" in seen:
                os.write(ours, waiting.encode() + b"\n")
                waiting = ""
        return process.wait(10), re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode()).replace("\r\n", "\n")
    finally:
        process.kill()
        os.close(ours)


async def test_a_deletion_is_shown_and_done_only_when_it_is_said_so(world: World) -> None:
    user = (await world.log_in(claims("1234", "ada@example.com"), device("phone"))).user
    status, seen = at_terminal(world, "erase", "1234", "--delete", "--reason", "asked", answer="n")
    assert status == 1
    assert seen.index("This cannot be undone") < seen.index("Do this? [y/N]") < seen.index("Nothing was done")
    assert (await world.get("1234")).id == user.id
    status, seen = at_terminal(world, "erase", "1234", "--delete", "--reason", "asked", answer="y")
    assert status == 0
    assert "Done." in seen
    assert re.search(r"receipt +[0-9a-f]{24}", seen)
    assert await world.traces_of("1234", "ada@example.com") == []


async def test_what_is_missing_is_said_before_anything_is_made(world: World) -> None:
    await world.user("1234")
    for arguments, words in (
        (("erase", "1234"), "Say it with --reason"),
        (("erase", "1234", "--reason", "asked", "--json"), "--json never asks"),
    ):
        status, seen = at_terminal(world, *arguments)
        assert status == 1
        assert words in " ".join(seen.split())
        assert "[y/N]" not in seen
    assert (await world.snapshot())["plans"] == []


async def test_an_id_is_whole_on_a_narrow_terminal_and_a_row_is_one_line_for_a_program(world: World) -> None:
    for number in range(2):
        await world.do_to(await world.user(f"user-{number}"), erase_personal_information, By(BY.actor, REASON))
    entries = (await world.snapshot())["audit"]
    ids = [json.loads(entry["subjects"])[0] for entry in entries]
    _, narrow = at_terminal(world, "audit", "list", columns=40)
    assert all(re.search(rf"^about +{id} *$", narrow, re.MULTILINE) for id in ids)
    assert max(map(len, narrow.splitlines())) <= 40
    assert narrow.count("she asked") >= 2
    rows = (await piped(world, "audit", "list")).stdout.splitlines()
    assert len(rows) == 3
    assert all(REASON.strip() in row for row in rows[1:])


async def test_a_long_log_is_checked_to_its_end_and_a_terminal_is_told_how_far(world: World) -> None:
    await world.do(_act, 2 * AT_ONCE + 1)
    status, seen = at_terminal(world, "audit", "verify")
    assert status == 0
    assert "checking the log" in seen
    assert re.search(rf"entries +{2 * AT_ONCE + 1}\b", seen)
    assert re.search(r"chain +whole", seen)
    quiet = await piped(world, "audit", "verify", "--json")
    assert quiet.stderr == ""
    head = json.loads(quiet.stdout)["head"]
    await world.do(_forge, f"UPDATE audit SET actor = 'x' WHERE app_id = $1 AND number = {2 * AT_ONCE}")
    broken = await piped(world, "audit", "verify")
    assert broken.exit_code == 1
    assert f"entry {2 * AT_ONCE}: its content is not what was written" in broken.stdout
    assert f"It holds up to {2 * AT_ONCE - 1}-" in broken.stdout
    assert (await piped(world, "audit", "verify", "--after", head)).exit_code == 0, (
        "only what is behind it was asked for"
    )
    await world.do(_forge, f"DELETE FROM audit WHERE app_id = $1 AND number >= {2 * AT_ONCE}")
    assert (await piped(world, "audit", "verify")).exit_code == 0, "what is left is a chain"
    assert "the log ends at" in (await piped(world, "audit", "verify", "--expected", head)).stdout


async def test_a_replay_has_every_event_once_and_in_order_however_many_there_are(world: World) -> None:
    count = 2 * LISTED_AT_MOST + 1
    await world.do(_happen, count)
    replayed = await piped(world, "events", "replay")
    assert replayed.stderr == ""
    lines = [json.loads(line) for line in replayed.stdout.splitlines()]
    of_app = [line["seq"] for line in lines if line["stream"] == world.app.id]
    assert of_app == list(range(1, len(of_app) + 1))
    assert len(of_app) > count
    whole = json.loads((await piped(world, "events", "replay", "--json")).stdout)
    assert (whole["events"], whole["hasMore"], whole["next"]) == (lines, False, lines[-1]["cursor"])
    rest = (await piped(world, "events", "replay", "--after", lines[-4]["cursor"])).stdout.splitlines()
    assert [json.loads(line) for line in rest] == lines[-3:]
    page = json.loads((await piped(world, "events", "list", "--limit", "2", "--json")).stdout)
    assert (page["hasMore"], page["next"]) == (True, lines[1]["cursor"])


async def _act(tx: Transaction, count: int) -> None:
    last = await tx.audit.last()
    for number in range(count):
        last = append(tx, last, BY.actor, "merge", (tx.new_id(),), {"note": f"ticket {number}"})


async def _happen(tx: Transaction, count: int) -> None:
    for _ in range(count):
        tx.emit(AppUpdated(tx.app_id))


async def _forge(tx: Transaction, sql: str) -> None:
    tx.unit.hold(sql)  # type: ignore[attr-defined]
