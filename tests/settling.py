"""Short ways to settle a conflict in a test, and what has to hold however many have settled it at once."""

from collections import Counter
from typing import Any

import pytest

from knownas.audit.verify import verify_audit
from knownas.conflicts import Case, EmailContested
from knownas.plans import Done, Plan, PlanRequest
from knownas.plans.carry_out import carry_out
from knownas.plans.make import make_plan
from knownas.resolutions import By
from tests.given import Row, Snapshot, World, claims, device, numbered_without_gaps

OPERATOR = By("key:operator", "she changed accounts")
# What an act and its undoing leave behind: what was told and written down, and how often rows were written.
TRACES = ("events", "audit", "audit_details", "audit_subjects", "plans", "plan_subjects", "resolutions", "merges")


async def plan(world: World, **request: Any) -> Plan:
    """What somebody is about to do."""
    return await world.do(make_plan, PlanRequest(**request), OPERATOR.actor)


async def act(world: World, **request: Any) -> Done:
    """A plan, made and carried out."""
    made = await plan(world, **request)
    return await world.do(carry_out, made.id, OPERATOR)


async def collide(world: World, claimant: str = "5678", owner: str = "1234", email: str = "ada@example.com") -> Case:
    """Ada owns the e-mail as `owner`; `claimant` is refused."""
    await world.log_in(claims(owner, email, name="Ada"), device(f"phone-{owner}"))
    with pytest.raises(EmailContested):
        await world.log_in(claims(claimant, email), device(f"tablet-{claimant}"))
    [case] = [one for one in await world.open_cases() if one.claimant == claimant]
    return case


def rows_of(snapshot: Snapshot) -> Snapshot:
    """The rows that undo gives back."""
    kept = {table: [dict(row) for row in rows] for table, rows in snapshot.items() if table not in TRACES}
    for rows in kept.values():
        for row in rows:
            row.pop("revision", None)
            row.pop("seq", None)
    return {table: sorted(rows, key=repr) for table, rows in kept.items()}


async def check_what_always_holds(world: World) -> None:
    """After any number of acts, in any order: one owner each, pointers that end, counts that count, a whole chain."""
    snapshot = await world.snapshot()
    _check_numbers(snapshot)
    users = {row["id"]: row for row in snapshot["users"]}
    _check_identities(snapshot, users)
    _check_pointers(users, snapshot["merges"])
    _check_conversations(snapshot, users)
    for row in snapshot["devices"] + snapshot["sessions"]:
        assert row["user_id"] in users, f"an orphan: {row}"
    for row in snapshot["sessions"]:
        user = users[row["user_id"]]
        assert (user["external_id"], user["merged_into"]) == (None, None), "R4"
    _check_acts(snapshot)
    verified = await world.ask(verify_audit)
    assert (verified.entries, verified.broken) == (len(snapshot["audit"]), None)


def survivor_of(rows: dict[str, Row], id: str) -> str:
    """Where the pointers end; fails where they go round."""
    met = {id}
    while (into := rows[id]["merged_into"]) is not None:
        assert into not in met, f"a circle of pointers: {met}"
        met.add(into)
        id = into
    return id


def _check_numbers(snapshot: Snapshot) -> None:
    """An erasure takes events out of the streams of those who were one with her, so gaps are left then (R10)."""
    assert numbered_without_gaps(snapshot) or snapshot["erasures"]
    numbers = Counter((row["stream"], row["seq"]) for row in snapshot["events"])
    assert max(numbers.values(), default=1) == 1


def _check_identities(snapshot: Snapshot, users: dict[str, Row]) -> None:
    owned = [row for row in snapshot["identities"] if row["owned"]]
    assert max(Counter((row["type"], row["key"]) for row in owned).values(), default=1) == 1, "R1"
    assert {row["user_id"] for row in snapshot["identities"]} <= set(users), "an orphan"
    named = {(row["user_id"], row["value"]) for row in owned if row["type"] == "external_id"}
    shown = {(row["id"], row["external_id"]) for row in users.values() if row["external_id"] is not None}
    assert shown <= named, "whoever shows an external id owns it"


def _check_pointers(users: dict[str, Row], merges: list[Row]) -> None:
    absorbed = Counter[str]()
    for user_id in users:
        at = user_id
        survivor_of(users, at)
        while users[at]["merged_into"] is not None:
            at = users[at]["merged_into"]
            absorbed[at] += 1
    assert {id: row["absorbed"] for id, row in users.items()} == {id: absorbed[id] for id in users}
    pointers = {(row["id"], row["merged_into"]) for row in users.values() if row["merged_into"] is not None}
    journal = [(row["discarded"], row["surviving"]) for row in merges if row["undone_at"] is None]
    assert sorted(journal) == sorted(pointers), "the journal and the pointers say the same"


def _check_conversations(snapshot: Snapshot, users: dict[str, Row]) -> None:
    talks = {row["id"]: row for row in snapshot["conversations"]}
    assert {row["user_id"] for row in snapshot["participants"]} <= set(users), "an orphan"
    said = Counter(row["conversation_id"] for row in snapshot["messages"])
    assert set(said) <= set(talks), "an orphan"
    for id, row in talks.items():
        survivor_of(talks, id)
        merged = sum(one["message_count"] for one in talks.values() if one["merged_into"] == id)
        assert row["message_count"] == said[id] + merged, row
    defaults = Counter(
        survivor_of(users, row["default_of"])
        for row in talks.values()
        if row["default_of"] is not None and row["merged_into"] is None
    )
    assert max(defaults.values(), default=1) == 1, defaults
    assert min((row["unread_count"] for row in snapshot["participants"]), default=0) >= 0


def _check_acts(snapshot: Snapshot) -> None:
    """No case is settled by nothing, and none is open that something settles."""
    standing = {row["case_id"] for row in snapshot["resolutions"] if row["undone_at"] is None}
    for case in snapshot["conflicts"]:
        if case["state"] != "open":
            assert case["id"] in standing, case
