"""Conflicts at the command line: what it says, asks and refuses. The whole story is in test_conflict_story.py."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import apsw
import pytest

from tests.e2e.acme import Acme, command, new_email, new_external_id, open_shop, run_command, server_on
from tests.servers import wait_until

REASON = ("--reason", "ticket 4711")


@pytest.fixture
def acme(database_url: str) -> Iterator[Acme]:
    with server_on(database_url) as server:
        yield open_shop(server).new_app()


def ask(acme: Acme, *arguments: str) -> Any:
    return command(*arguments, "--app", acme.app_id, database=acme.server.database)


def test_a_refusal_says_what_to_do(acme: Acme) -> None:
    database = acme.server.database
    user = new_external_id()
    acme.log_in(acme.token(user), "phone")
    for arguments, words in (
        (("erase", user, "--yes"), "--reason"),
        (("erase", user, *REASON), "There is no terminal to ask at"),
        (("erase", user, *REASON, "--json"), "--json never asks"),
        (("conflicts", "list", "--after", "zz"), "id of a conflict"),
        (("audit", "verify", "--expected", "zz"), "A head is"),
        (("undo", "0" * 24, "--yes", *REASON), "no merge or resolution"),
        (("conflicts", "resolve", "0" * 24, "--action", "merge", "--yes", *REASON), "Conflict not found"),
        (("merge", user, user, "--yes", *REASON), "one user already"),
    ):
        refused = run_command(*arguments, "--app", acme.app_id, database=database)
        assert refused.returncode == 1
        assert words in refused.stderr
        assert "Traceback" not in refused.stderr
    assert acme.user(user) is not None


def test_the_policy_is_chosen_at_run_time_and_a_shadow_is_only_counted(acme: Acme) -> None:
    email, owner, claimant = new_email(), new_external_id(), new_external_id()
    ada = acme.log_in(acme.token(owner, email)).json["appUser"]["_id"]
    ask(acme, "conflicts", "policy", "--shadow", "transfer", *REASON)
    wait_until(lambda: _refused_with_shadow(acme, claimant, email), what="the shadow policy is known to the server")
    assert acme.user(owner)["id"] == ada
    shown = ask(acme, "conflicts", "policy")
    assert shown["counts"][0]["shadowOutcome"] == "transferred"
    ask(acme, "conflicts", "policy", "--policy", "quarantine", *REASON)
    wait_until(lambda: acme.log_in(acme.token(claimant, email)).status == 200, what="the server follows the new policy")
    assert acme.user(claimant)["identities"] == []


def test_what_the_commands_say_to_type_can_be_typed(acme: Acme) -> None:
    """Look, do exactly that, take it back: each answer names the next command, with all that it needs."""
    user, other = f"{new_external_id()}-UP", new_external_id()
    for one in (user, other):
        acme.log_in(acme.token(one), one)
    acme.v2("PATCH", f"/users/{user}", {"profile": {"givenName": "A\x1b[31mda"}})
    shown = run_command("merge", user, other, "--app", acme.app_id, "--dry-run", database=acme.server.database)
    assert shown.returncode == 0, shown.stderr
    assert "\x1b" not in shown.stdout
    assert "has          1 device\n" in re.sub(" +\n", "\n", shown.stdout)
    assert acme.user(user)["id"] != acme.user(other)["id"]
    merged = type_what_it_says(acme, shown.stdout, "carry-out")
    assert acme.user(user)["id"] == acme.user(other)["id"]
    type_what_it_says(acme, merged, "undo", "--yes")
    assert acme.user(user)["id"] != acme.user(other)["id"]
    shown = run_command("erase", user, "--app", acme.app_id, "--dry-run", database=acme.server.database)
    type_what_it_says(acme, shown.stdout, "carry-out")
    assert acme.user(user)["profile"] == {}


def test_a_preview_writes_names_as_they_are(acme: Acme) -> None:
    email, owner, claimant = new_email(), f"{new_external_id()}-UP", f"{new_external_id()}-NEW"
    acme.log_in(acme.token(owner, email))
    acme.log_in(acme.token(claimant, email))
    [case] = ask(acme, "conflicts", "list")["conflicts"]
    shown = ask(acme, "conflicts", "resolve", case["id"], "--action", "reassign", "--dry-run")["plan"]["preview"]
    assert owner in shown["does"][0]
    assert claimant in shown["does"][0]
    done = ask(acme, "conflicts", "resolve", case["id"], "--action", "merge", "--yes", *REASON)["done"]
    assert acme.log_in(acme.token(claimant, email)).json["appUser"]["_id"] == done["userId"]


def test_a_changed_log_is_noticed(tmp_path: Any) -> None:
    file = tmp_path / "knownas.db"
    with server_on(f"sqlite:///{file}") as server:
        acme = open_shop(server).new_app()
        user = new_external_id()
        acme.log_in(acme.token(user))
        ask(acme, "erase", user, "--yes", *REASON)
    with apsw.Connection(str(file)) as database:
        database.execute("UPDATE audit SET actor = 'somebody else'")
    broken = run_command("audit", "verify", "--app", acme.app_id, database=server.database)
    assert broken.returncode == 1
    assert "The log was changed, at entry 1: its content is not what was written" in broken.stdout


def type_what_it_says(acme: Acme, said: str, name: str, *more: str) -> str:
    """The answer to the command of this name in what was said, typed as it stands there."""
    [typed] = re.findall(f'knownas ({name} .*?"\\.\\.\\.")', said)
    done = run_command(*shlex.split(typed), *more, database=acme.server.database)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _refused_with_shadow(acme: Acme, claimant: str, email: str) -> bool:
    assert acme.log_in(acme.token(claimant, email)).status == 409
    [case] = ask(acme, "conflicts", "list")["conflicts"]
    return bool(case["shadowPolicy"] == "transfer")
