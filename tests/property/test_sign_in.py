"""Whatever order people come, sign in, leave and are removed in, what must always hold holds after each step.

Beside the real verbs on SQLite runs a model of a few dictionaries, which says what each step should have done.
"""

import asyncio
import json
import tempfile
from collections.abc import Coroutine
from contextlib import ExitStack
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from knownas.conflicts import EmailContested
from knownas.identities.normalise import normalise
from knownas.sessions import Access, AnonymousProof, InvalidSession
from knownas.sessions.log_out import log_out
from knownas.sessions.reach import reach
from knownas.sessions.tokens import hash_of
from knownas.users import InvalidUser, UserChanges, UserExists
from knownas.users.delete import delete_user, erase_personal_information
from knownas.users.update import update_user
from tests.given import BY, KEY_ID, World, claims, device, numbered_without_gaps, retold, stored, world_at

T = TypeVar("T")
EXTERNAL_IDS = st.sampled_from(["a", "b", "c", "d"])
EMAILS = st.none() | st.sampled_from(["x@example.com", "X@EXAMPLE.COM", "y@example.com", "z@example.com"])
GUIDS = st.sampled_from(["phone", "tablet", "laptop"])
METADATA = st.dictionaries(st.sampled_from("pqr"), st.integers(0, 3) | st.just("x" * 2500), max_size=2)
PICK = st.integers(0, 1_000_000)
BYTES = 4096


class Someone:
    """The model's user: one who is there, or one who became part of another."""

    def __init__(self, external_id: str | None, metadata: dict[str, Any]) -> None:
        self.external_id = external_id
        self.metadata = metadata
        self.became: str | None = None
        self.erased = False


class SignIn(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.end = ExitStack()
        folder = self.end.enter_context(tempfile.TemporaryDirectory(prefix="knownas-sign-in-"))
        self.opened = world_at(f"sqlite:///{folder}/knownas.db")
        self.world: World = self.run(self.opened.__aenter__())
        # The model, by user id where nothing else is said.
        self.users: dict[str, Someone] = {}
        self.emails: dict[str, str] = {}
        self.devices: dict[str, tuple[str, bool]] = {}  # guid: whose, and whether it acts for her
        self.sessions: dict[str, tuple[str, str]] = {}  # user: guid and token
        self.over: list[AnonymousProof] = []
        self.cases: dict[tuple[str, str], int] = {}
        self.merged = 0

    def teardown(self) -> None:
        self.run(self.opened.__aexit__(None, None, None))
        self.loop.close()
        self.end.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(coroutine)

    # The model's own small steps.

    def survivor(self, user_id: str) -> str:
        while (into := self.users[user_id].became) is not None:
            user_id = into
        return user_id

    def by_external_id(self, external_id: str) -> str | None:
        return next((id for id, user in self.users.items() if user.external_id == external_id), None)

    def end_session(self, user_id: str) -> None:
        if user_id in self.sessions:
            _, token = self.sessions.pop(user_id)
            self.over.append(AnonymousProof(user_id, hash_of(token)))

    def take_device(self, guid: str, user_id: str) -> None:
        for owner, (on, _) in list(self.sessions.items()):
            if on == guid and owner != user_id and guid in self.devices and self.devices[guid][0] == owner:
                self.end_session(owner)
        if guid in self.devices and self.survivor(self.devices[guid][0]) == user_id:
            user_id = self.devices[guid][0]  # what is hers already stays under whichever of her ids it was
        self.devices[guid] = (user_id, True)

    def live(self) -> list[str]:
        return [id for id, user in self.users.items() if user.became is None]

    def any_of(self, choices: list[T], pick: int) -> T:
        return choices[pick % len(choices)]

    # What happens.

    @rule(guid=GUIDS, metadata=METADATA)
    def somebody_starts(self, guid: str, metadata: dict[str, Any]) -> None:
        if len(json.dumps(metadata)) > BYTES:
            return
        access = self.run(self.world.visitor(device(guid), metadata=metadata))
        assert access.session_token
        self.users[access.user.id] = Someone(None, metadata)
        self.take_device(guid, access.user.id)
        self.sessions[access.user.id] = (guid, access.session_token)

    @rule(external_id=EXTERNAL_IDS, email=EMAILS, verified=st.booleans(), guid=GUIDS, shown=PICK, shows=st.booleans())
    def somebody_logs_in(
        self, external_id: str, email: str | None, verified: bool, guid: str, shown: int, shows: bool
    ) -> None:
        proofs = [AnonymousProof(id, hash_of(token)) for id, (_, token) in self.sessions.items()]
        shown_proof = self.any_of(proofs + self.over[-3:], shown) if shows and proofs + self.over else None
        visitor = shown_proof.user_id if shown_proof is not None and shown_proof in proofs else None
        known = self.by_external_id(external_id)
        known = self.survivor(known) if known else None
        key = normalise("email", email) if email and verified else None
        owner = self.survivor(self.emails[key]) if key in self.emails and key else None
        who = claims(external_id, email, verified=verified)
        if key and owner is not None and owner not in (known, visitor):
            before = self.run(self.world.snapshot())
            with pytest.raises(EmailContested):
                self.run(self.world.log_in(who, device(guid), shown_proof))
            after = self.run(self.world.snapshot())
            assert after["devices"] == before["devices"], "nothing of a refused login happens"
            assert after["sessions"] == before["sessions"]
            assert after["identities"] == before["identities"]
            self.cases[key, external_id] = self.cases.get((key, external_id), 0) + 1
            return
        access: Access = self.run(self.world.log_in(who, device(guid), shown_proof))
        user_id = access.user.id
        if known is not None:
            assert user_id == known, "the external id alone says who it is"
            if visitor is not None:
                self.end_session(visitor)
                hers = self.users[visitor]
                hers.became = known
                self.merged += 1
                for name, value in hers.metadata.items():
                    combined = self.users[known].metadata
                    if (
                        name not in combined
                        and len(json.dumps(combined | {name: value}, separators=(",", ":"))) <= BYTES
                    ):
                        combined[name] = value
        elif visitor is not None:
            assert user_id == visitor, "a visitor is promoted in place"
            self.end_session(visitor)
            self.users[visitor].external_id = external_id
        else:
            assert user_id not in self.users
            self.users[user_id] = Someone(external_id, {})
        assert access.created is (known is None and visitor is None)
        if key:
            self.emails[key] = user_id
        self.take_device(guid, user_id)
        again = self.run(self.world.snapshot())
        self.run(self.world.log_in(who, device(guid), shown_proof))
        twice = self.run(self.world.snapshot())
        assert [twice[t] for t in ("events", "users", "merges")] == [again[t] for t in ("events", "users", "merges")]

    @precondition(lambda self: self.sessions)
    @rule(pick=PICK)
    def a_visitor_logs_out(self, pick: int) -> None:
        user_id, (guid, token) = self.any_of(list(self.sessions.items()), pick)
        self.run(self.world.do(log_out, AnonymousProof(user_id, hash_of(token)), user_id, guid))
        if self.devices[guid] == (user_id, True):
            self.devices[guid] = (user_id, False)
            self.end_session(user_id)

    @rule(external_id=EXTERNAL_IDS, guid=GUIDS)
    def a_user_logs_out(self, external_id: str, guid: str) -> None:
        self.run(self.world.do(log_out, claims(external_id), external_id, guid))
        known = self.by_external_id(external_id)
        if known and guid in self.devices and self.survivor(self.devices[guid][0]) == self.survivor(known):
            self.devices[guid] = (self.devices[guid][0], False)

    @rule(external_id=st.none() | EXTERNAL_IDS, metadata=METADATA)
    def the_server_creates(self, external_id: str | None, metadata: dict[str, Any]) -> None:
        if len(json.dumps(metadata)) > BYTES:
            return
        if external_id is not None and self.by_external_id(external_id):
            with pytest.raises(UserExists):
                self.run(self.world.user(external_id, metadata=metadata))
            return
        user = self.run(self.world.user(external_id, metadata=metadata))
        self.users[user.id] = Someone(external_id, metadata)

    @precondition(lambda self: self.users)
    @rule(
        pick=PICK, external_id=st.none() | EXTERNAL_IDS, key=st.sampled_from("pqr"), value=st.none() | st.integers(0, 3)
    )
    def the_server_updates(self, pick: int, external_id: str | None, key: str, value: int | None) -> None:
        former = self.any_of(list(self.users), pick)
        user = self.users[self.survivor(former)]
        changes = UserChanges(metadata={key: value})
        step = self.world.do_to(former, update_user, changes, external_id=external_id, asserted_by=KEY_ID)
        if external_id is not None and external_id != user.external_id:
            if user.external_id is not None:
                with pytest.raises(InvalidUser):
                    self.run(step)
                return
            if self.by_external_id(external_id):
                with pytest.raises(UserExists):
                    self.run(step)
                return
            self.end_session(self.survivor(former))
            user.external_id = external_id
        self.run(step)
        user.metadata = {name: held for name, held in (user.metadata | {key: value}).items() if held is not None}

    @precondition(lambda self: self.users)
    @rule(pick=PICK)
    def the_server_erases(self, pick: int) -> None:
        former = self.any_of(list(self.users), pick)
        self.run(self.world.do_to(former, erase_personal_information, BY))
        survivor = self.survivor(former)
        for user_id, user in self.users.items():
            if self.survivor(user_id) == survivor:
                user.metadata, user.erased = {}, True
        self.emails = {key: owner for key, owner in self.emails.items() if self.survivor(owner) != survivor}
        self.forget_cases(survivor)

    @precondition(lambda self: self.users)
    @rule(pick=PICK)
    def the_server_deletes(self, pick: int) -> None:
        former = self.any_of(list(self.users), pick)
        self.run(self.world.do_to(former, delete_user, BY))
        survivor = self.survivor(former)
        self.forget_cases(survivor)
        self.emails = {key: owner for key, owner in self.emails.items() if self.survivor(owner) != survivor}
        gone = [user_id for user_id in self.users if self.survivor(user_id) == survivor]
        for guid, (owner, _) in list(self.devices.items()):
            if owner in gone:
                del self.devices[guid]
        for user_id in gone:
            self.end_session(user_id)
        for user_id in gone:
            self.merged -= self.users.pop(user_id).became is not None

    def forget_cases(self, user_id: str) -> None:
        """Which cases name her is the database's to say; the model checks that hers as an owner are gone."""
        left = {(row["key"], row["claimant"]) for row in self.run(self.world.snapshot())["conflicts"]}
        assert not any(
            key in self.emails and self.survivor(self.emails[key]) == user_id and (key, claimant) in left
            for key, claimant in self.cases
        )
        self.cases = {case: count for case, count in self.cases.items() if case in left}

    # What always holds.

    @invariant()
    def the_rows_say_what_the_model_says(self) -> None:
        rows = self.run(self.world.snapshot())
        assert {row["id"]: row["merged_into"] for row in rows["users"]} == {
            user_id: user.became for user_id, user in self.users.items()
        }
        assert {r["id"]: r["external_id"] for r in rows["users"]} == {i: u.external_id for i, u in self.users.items()}
        live = {row["id"]: json.loads(row["metadata"]) for row in rows["users"] if row["merged_into"] is None}
        assert live == {user_id: self.users[user_id].metadata for user_id in self.live()}
        assert {(row["guid"]): (row["user_id"], row["status"] == "active") for row in rows["devices"]} == self.devices
        assert {(row["user_id"], row["token_hash"]) for row in rows["sessions"]} == {
            (user_id, hash_of(token)) for user_id, (_, token) in self.sessions.items()
        }
        assert {(row["key"], row["claimant"]): row["count"] for row in rows["conflicts"]} == self.cases
        assert len(rows["merges"]) == self.merged

    @invariant()
    def each_identity_has_one_owner_and_external_ids_agree(self) -> None:
        rows = self.run(self.world.snapshot())
        owned = [(row["type"], row["key"]) for row in rows["identities"] if row["owned"]]
        assert len(owned) == len(set(owned)), "R1"
        by_identity = {row["key"]: row["user_id"] for row in rows["identities"] if row["type"] == "external_id"}
        assert by_identity == {row["external_id"]: row["id"] for row in rows["users"] if row["external_id"]}
        emails = {row["key"]: self.survivor(row["user_id"]) for row in rows["identities"] if row["type"] == "email"}
        assert emails == {key: self.survivor(owner) for key, owner in self.emails.items()}

    @invariant()
    def every_id_resolves_to_one_live_user(self) -> None:
        for user_id, user in self.users.items():
            found = self.run(self.world.get(user_id))
            assert found.id == self.survivor(user_id)
            assert found.merged_into is None
            if user.became is not None:
                assert user.external_id is None, "two identified users never merge by themselves (R7)"

    @invariant()
    def only_anonymous_users_have_sessions(self) -> None:
        for user_id, (_, token) in self.sessions.items():
            shown = AnonymousProof(user_id, hash_of(token))
            assert self.run(self.world.ask(reach, shown, user_id)).anonymous
        for shown in self.over[-3:]:
            with pytest.raises(InvalidSession):
                self.run(self.world.ask(reach, shown, shown.user_id))

    @invariant()
    def the_events_are_gapless_and_tell_what_is_stored(self) -> None:
        rows = self.run(self.world.snapshot())
        assert numbered_without_gaps(rows)
        if not any(user.erased for user in self.users.values()):
            assert retold(rows) == stored(rows)


TestSignIn = SignIn.TestCase
TestSignIn.settings = settings(stateful_step_count=30)
