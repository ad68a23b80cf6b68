"""Conflicts at the command line: look, decide, take back, erase, and check what was written down."""

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


def test_an_operator_settles_undoes_and_erases(acme: Acme) -> None:
    email, old, new = new_email(), new_external_id(), new_external_id()
    ada = acme.log_in(acme.token(old, email), "phone").json["appUser"]["_id"]
    assert acme.log_in(acme.token(new, email), "tablet").status == 409
    [case] = ask(acme, "conflicts", "list")["conflicts"]
    seen = ask(acme, "conflicts", "show", case["id"])
    assert seen["evidence"][0]["deviceGuid"] == "tablet"

    planned = ask(acme, "conflicts", "resolve", case["id"], "--action", "move", "--dry-run")
    assert planned["plan"]["preview"]["does"]
    assert acme.log_in(acme.token(new, email), "tablet").status == 409, "a dry run does nothing"
    done = ask(acme, "conflicts", "resolve", case["id"], "--action", "move", "--yes", *REASON)["done"]
    assert acme.log_in(acme.token(new, email), "tablet").json["appUser"]["_id"] == done["userId"] != ada
    assert ask(acme, "conflicts", "list")["conflicts"] == []
    why = ask(acme, "users", "why", new)["identities"]
    assert "moved" in [step["what"] for one in why for step in one["steps"]]

    ask(acme, "undo", done["resolution"]["id"], "--yes", *REASON)
    merged = ask(acme, "merge", old, new, "--yes", *REASON)["done"]
    assert acme.log_in(acme.token(new, email), "tablet").json["appUser"]["_id"] == ada
    ask(acme, "undo", merged["mergeId"], "--yes", *REASON)
    assert acme.user(new)["id"] == done["userId"]

    replayed = ask(acme, "events", "replay")["events"]
    assert "users.unmerged" in [event["type"] for event in replayed]
    receipt = ask(acme, "erase", new, "--yes", *REASON)["done"]["receipt"]
    assert (receipt["kind"], receipt["userId"]) == ("erase", done["userId"])
    entries = ask(acme, "audit", "list")["entries"]
    assert [one["action"] for one in entries] == ["resolve.move", "undo", "merge", "undo", "user.erase"]
    head = ask(acme, "audit", "verify")["head"]
    assert ask(acme, "audit", "verify", "--expected", head)["broken"] is None


def test_a_refusal_says_what_to_do(acme: Acme) -> None:
    database = acme.server.database
    user = new_external_id()
    acme.log_in(acme.token(user), "phone")
    for arguments, words in (
        (("erase", user, "--yes"), "Give a reason"),
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


def test_a_plan_that_was_shown_is_carried_out_by_its_id(acme: Acme) -> None:
    user = f"{new_external_id()}-UP"
    acme.log_in(acme.token(user), "phone")
    acme.v2("PATCH", f"/users/{user}", {"profile": {"givenName": "A\x1b[31mda"}})
    shown = run_command("erase", user, "--app", acme.app_id, "--delete", "--dry-run", database=acme.server.database)
    assert shown.returncode == 0, shown.stderr
    assert "\x1b" not in shown.stdout
    plan = shown.stdout.split()[1].rstrip(",")
    assert acme.user(user) is not None
    done = ask(acme, "carry-out", plan, *REASON)["done"]
    assert done["receipt"]["kind"] == "delete"
    assert acme.user(user) is None


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


def _refused_with_shadow(acme: Acme, claimant: str, email: str) -> bool:
    assert acme.log_in(acme.token(claimant, email)).status == 409
    [case] = ask(acme, "conflicts", "list")["conflicts"]
    return bool(case["shadowPolicy"] == "transfer")
