"""What must hold of the rows, whatever was done and wherever it was cut off: nothing is half done, or done unseen."""

import json
from collections import Counter
from typing import Any, TypeVar

from knownas.conflicts import FIRST_KEPT, LATEST_KEPT
from tests.e2e.acme import Acme
from tests.e2e.settling_load import Memory
from tests.given import Row, Snapshot, numbered_without_gaps

T = TypeVar("T")
TABLES = (
    "apps", "users", "identities", "sessions", "devices", "merges", "resolutions", "conflicts", "conflict_evidence",
    "conversations", "participants", "former_participants", "messages", "plans", "audit", "audit_details", "events",
)  # fmt: skip


def check_rows(found: Snapshot, memory: Memory) -> None:
    """All of it."""
    check_owners(found)
    check_emails(found, memory)
    check_merges(found)
    check_conversations(found)
    check_people(found, memory)
    check_cases(found, memory)
    check_audit(found, memory)
    assert numbered_without_gaps(found)


def check_owners(found: Snapshot) -> None:
    """One owner each, and the external ids that a user shows or has had are those that find her."""
    users = by_id(found["users"])
    owned = [row for row in found["identities"] if row["owned"]]
    assert once((row["type"], row["key"]) for row in owned), "an identity has two owners"
    assert all(row["user_id"] in users for row in owned), "an identity is nobody's"
    expected = {(user["external_id"], user["id"]) for user in users.values() if user["external_id"]}
    for act in standing(found["resolutions"]):
        if act["action"] == "reassign":
            expected |= {(act["before"]["external_id"], act["owner_id"]), (act["claimant"], act["owner_id"])}
        elif "alias" in act["before"]:
            expected.add((act["claimant"], act["owner_id"]))
    held = {(row["value"], row["user_id"]) for row in owned if row["type"] == "external_id"}
    assert held == expected, "the external ids of users and of identities differ"


def check_emails(found: Snapshot, memory: Memory) -> None:
    """Each e-mail is where the last act put it, or where it was first."""
    last = {person.email: (0, person.user_id) for person in reversed(memory.people)}
    firsts = {person.email for person in memory.people}
    for act in decoded(found["resolutions"]):
        if act["action"] == "move":
            put = [(act["created_at"], act["claimant_id"])]
            if act["undone_at"]:
                put.append((act["undone_at"], act["before"]["identity"]["user_id"]))
            last[act["key"]] = max(last.get(act["key"], (0, "")), *put)
    emails = {row["key"]: row["user_id"] for row in found["identities"] if row["type"] == "email" and row["owned"]}
    assert firsts <= emails.keys(), "an e-mail that was signed in with is gone"
    assert {key: user for key, user in emails.items() if key in last} == {key: user for key, (_, user) in last.items()}


def check_merges(found: Snapshot) -> None:
    """A user points to another because of one merge that stands, and counts whoever points to her."""
    users = by_id(found["users"])
    pointers = {user["id"]: user["merged_into"] for user in users.values() if user["merged_into"]}
    merges = [(row["discarded"], row["surviving"]) for row in found["merges"] if row["undone_at"] is None]
    assert once(merges), "two merges stand for one pointer"
    assert dict(merges) == pointers, "a merge is half done, or half undone"
    assert {user["id"]: user["absorbed"] for user in users.values()} == family_sizes(users, "merged_into")
    anonymous = {user["id"] for user in users.values() if not user["external_id"] and not user["merged_into"]}
    assert {row["user_id"] for row in found["sessions"]} <= anonymous, "a session outlived her who began it (R4)"
    assert {row["user_id"] for row in found["devices"]} <= users.keys()


def check_conversations(found: Snapshot) -> None:
    """A conversation counts the messages that it holds and those of the ones that point to it, read and unread.

    Two are one exactly where their users are: each user has one at most.
    """
    conversations = by_id(found["conversations"])
    family_sizes(conversations, "merged_into")  # no circles
    own = Counter(row["conversation_id"] for row in found["messages"])
    assert own.keys() <= conversations.keys()
    below: dict[str, int] = Counter()
    for row in conversations.values():
        if row["merged_into"]:
            below[row["merged_into"]] += row["message_count"]
    assert {id: row["message_count"] for id, row in conversations.items()} == {
        id: own[id] + below[id] for id in conversations
    }
    branches: dict[str, str] = {}
    for id, row in sorted(conversations.items()):
        if row["led_to"] is not None:  # what waits for whom the pointers lead to is counted in her branch, the latest
            branches[row["merged_into"]] = id
    waits = {row["conversation_id"]: row["unread_count"] for row in found["participants"]}
    unread = {id: waits[branches.get(id, id)] for id, row in conversations.items() if row["led_to"] is None}
    assert unread == {id: conversations[id]["message_count"] for id in unread}, "nobody has read anything"
    for trunk, branch in branches.items():
        assert waits[trunk] <= waits[branch] - conversations[branch]["message_count"], "what was written apart"
    users = by_id(found["users"])
    live = [id for id, row in conversations.items() if row["merged_into"] is None]
    seats = {row["conversation_id"]: root_of(users, row["user_id"]) for row in found["participants"]}
    assert once(seats[id] for id in live), "a user has two conversations"
    for id, row in conversations.items():
        assert row["merged_into"] is None or seats[id] == seats[row["merged_into"]], "a stranger's conversation"


def check_people(found: Snapshot, memory: Memory) -> None:
    """Whoever signed in is there, and found by what she signed in with unless somebody took that back."""
    users = {row["id"] for row in found["users"]}
    assert {person.user_id for person in memory.people} <= users
    held = {row["key"] for row in found["identities"] if row["type"] == "external_id" and row["owned"]}
    taken_back = {row["claimant"] for row in found["resolutions"] if row["undone_at"]}
    assert {person.external_id for person in memory.people} <= held | taken_back


def check_cases(found: Snapshot, memory: Memory) -> None:
    """Each contested login is in the count of its case, with one event each, and with evidence as far as it is kept."""
    cases = {(row["key"], row["claimant"]): row for row in found["conflicts"]}
    assert memory.contested.keys() <= cases.keys(), "a contested login has no case"
    told = Counter(row["stream"] for row in found["events"] if row["type"] == "identity.contested")
    evidence: dict[str, list[int]] = {}
    for row in found["conflict_evidence"]:
        evidence.setdefault(row["case_id"], []).append(row["number"])
    settled: dict[str, tuple[int, str]] = {}
    for act in found["resolutions"]:
        state = "dismissed" if act["action"] == "dismiss" else "resolved"
        acts = [(act["created_at"], state), *([(act["undone_at"], "undone")] if act["undone_at"] else [])]
        settled[act["case_id"]] = max(settled.get(act["case_id"], (0, "")), *acts)
    for claim, case in cases.items():
        count = case["count"]
        assert memory.contested[claim] <= count <= memory.tried[claim], f"{claim}: {count}"
        assert told[case["id"]] == count, "a contested login was not told, or told twice"
        kept = {*range(1, min(count, FIRST_KEPT) + 1), *range(max(FIRST_KEPT, count - LATEST_KEPT) + 1, count + 1)}
        assert sorted(evidence[case["id"]]) == sorted(kept), "evidence and count of a case differ"
        if case["state"] == "resolved":
            assert settled[case["id"]][1] == "resolved", "a case is resolved by nothing that stands"


def check_audit(found: Snapshot, memory: Memory) -> None:
    """Each act has one entry, written with it, and each entry its act; what was promised is there, nothing twice."""
    notes = {row["number"]: json.loads(row["body"])["note"] for row in found["audit_details"]}
    entries = [row | {"subjects": json.loads(row["subjects"]), "note": notes[row["number"]]} for row in found["audit"]]
    of_cases = {row["merge_id"]: row for row in found["resolutions"] if row["merge_id"]}
    merges = by_id(row for row in found["merges"] if row["reason"] == "api")
    assert of_cases.keys() <= merges.keys(), "a case was settled by a merge that there is not"
    acts = [
        *((row, f"resolve.{row['action']}") for row in found["resolutions"]),
        *((row, "merge") for row in merges.values() if row["id"] not in of_cases),
    ]
    for merge_id, row in of_cases.items():
        merge = merges[merge_id]
        assert [merge[name] for name in ("created_at", "undone_at", "undone_by", "note")] == [
            row[name] for name in ("created_at", "undone_at", "undone_by", "note")
        ], "a merge and the case that it settles were not done, or undone, together"
    written = Counter((entry["action"], entry["at"], id) for entry in entries for id in entry["subjects"])
    expected = [(action, row["created_at"], row["id"]) for row, action in acts]
    expected += [("undo", row["undone_at"], row["id"]) for row, _ in acts if row["undone_at"]]
    assert {act: written[act] for act in expected} == dict.fromkeys(expected, 1), "an act is not in the audit log"
    assert len(entries) == len(expected), "an entry of the audit log has no act"

    by_note = {entry["note"]: entry for entry in entries}
    assert len(by_note) == len(entries), "a plan was carried out twice"
    promised = {note: (done["auditNumber"], done["auditHash"]) for note, done in memory.done.items()}
    assert {note: (by_note[note]["number"], by_note[note]["hash"]) for note in promised} == promised
    assert memory.used <= by_note.keys(), "a plan is gone, and nothing was done"
    assert not memory.refused & by_note.keys(), "what was refused was done"
    rows = by_id([row for row, _ in acts])
    for done in memory.done.values():
        act = rows[done["resolution"]["id"] if done["resolution"] else done["mergeId"]]
        assert done["kind"] != "undo" or act["undone_at"], "an undoing that was answered did not happen"


def check_answers(acme: Acme, found: Snapshot, memory: Memory) -> None:
    """The server says of a few of them what the rows say."""
    users, conversations, cases = by_id(found["users"]), by_id(found["conversations"]), found["conflicts"]
    holders = {row["key"]: row["user_id"] for row in found["identities"] if row["type"] == "external_id"}
    for person in a_few(memory.people):
        user = acme.user(person.external_id)
        holder = holders.get(person.external_id)
        assert (user["id"] if user else None) == (root_of(users, holder) if holder else None)
        assert acme.user(person.user_id)["id"] == root_of(users, person.user_id)
    for id in a_few(memory.conversations):
        count = conversations[root_of(conversations, id)]["message_count"]
        listed = acme.v2("GET", f"/conversations/{id}/messages?page[size]=100").json["messages"]
        assert len(listed) == min(count, 100)
    admin = f"/admin/v1/apps/{acme.app_id}"
    for case in a_few(cases):
        shown = acme.send("GET", f"{admin}/conflicts/{case['id']}", None, acme.as_backend).json
        assert (shown["conflict"]["count"], shown["conflict"]["state"]) == (case["count"], case["state"])
        assert len(shown["evidence"]) == min(case["count"], FIRST_KEPT + LATEST_KEPT)
    verified = acme.send("GET", f"{admin}/audit/verify", None, acme.as_backend).json
    assert (verified["broken"], verified["entries"]) == (None, len(found["audit"]))


def a_few(values: list[T]) -> list[T]:
    return values[:: max(1, len(values) // 20)]


def by_id(rows: Any) -> dict[str, Row]:
    return {row["id"]: row for row in rows}


def decoded(resolutions: list[Row]) -> list[Row]:
    return [row | {"before": json.loads(row["before"])} for row in resolutions]


def standing(resolutions: list[Row]) -> list[Row]:
    return [row for row in decoded(resolutions) if row["undone_at"] is None]


def once(values: Any) -> bool:
    return max(Counter(values).values(), default=1) == 1


def root_of(rows: dict[str, Row], id: str) -> str:
    """Where the pointers lead; fails where they lead in a circle."""
    seen = {id}
    while (into := rows[id]["merged_into"]) is not None:
        assert into not in seen, "pointers go in a circle"
        seen.add(into)
        id = into
    return id


def family_sizes(rows: dict[str, Row], pointer: str) -> dict[str, int]:
    """How many point to each, at once or through others; fails where pointers go in a circle."""
    sizes = dict.fromkeys(rows, 0)
    for id in rows:
        root_of(rows, id)
        into = rows[id][pointer]
        while into is not None:
            sizes[into] += 1
            into = rows[into][pointer]
    return sizes
