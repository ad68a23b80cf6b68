"""What logins, messages, merges, resolutions and their undoing should come to, told with a few dictionaries.

Each step of the model is given what the real server answered. It checks that answer, which raises AssertionError where
it is another than it should be, and then changes the model accordingly. New ids are the server's to choose, and the
model's to doubt: none may be known already.
"""

import copy
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from knownas.conflicts import CaseNotFound, EmailContested
from knownas.conversations import ConversationNotFound, InvalidConversation, NotAMember
from knownas.identities.normalise import normalise
from knownas.plans import Done
from knownas.resolutions import Action, ActNotFound, CannotResolve, CannotUndo
from knownas.sessions import Access, AnonymousProof, InvalidSession
from knownas.sessions.tokens import hash_of
from knownas.users import InvalidUser, User, UserExists, UserNotFound
from tests.given import Row, Snapshot

BYTES = 4096
Case = tuple[str, str]
"""The normal form of the contested e-mail, and the external id that claims it."""


# What somebody does.


@dataclass(frozen=True)
class Visit:
    guid: str
    metadata: dict[str, Any]


@dataclass(frozen=True)
class LogIn:
    external_id: str
    email: str | None
    verified: bool
    guid: str
    proof: AnonymousProof | None

    @property
    def key(self) -> str | None:
        return normalise("email", self.email) if self.email and self.verified else None


@dataclass(frozen=True)
class LogOut:
    """`who` is an external id, or the session of somebody anonymous."""

    who: str | AnonymousProof
    guid: str


@dataclass(frozen=True)
class Create:
    external_id: str | None
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Update:
    user: str
    external_id: str | None
    metadata: dict[str, Any]


@dataclass(frozen=True)
class OpenTalk:
    user: str


@dataclass(frozen=True)
class Say:
    """`user` says it in a conversation that need not be hers."""

    user: str
    talk: str
    words: str


@dataclass(frozen=True)
class Resolve:
    case: Case
    case_id: str
    action: Action


@dataclass(frozen=True)
class MergeUsers:
    surviving: str
    discarded: str


@dataclass(frozen=True)
class Undo:
    act_id: str


@dataclass(frozen=True)
class Remove:
    """Erase what is personal about a user, or delete her as a whole."""

    user: str
    whole: bool


Operation = Visit | LogIn | LogOut | Create | Update | OpenTalk | Say | Resolve | MergeUsers | Undo | Remove


# What there is.


@dataclass
class Someone:
    """A user who is there, or who became part of another."""

    external_id: str | None
    metadata: dict[str, Any]
    into: str | None = None
    busy: bool = True
    """Whether her row was written since a resolution made her."""


@dataclass
class Talk:
    """A personal conversation, opened under this user's id; or part of another one.

    `said` is by whom, what, and as the how manyth of all.
    """

    opened_by: str
    default: bool
    into: str | None = None
    said: list[tuple[str, str, int]] = field(default_factory=list)


@dataclass
class Contest:
    """A case; its id is the server's and is learned from the rows."""

    owner: str
    claimant: str | None
    state: str = "open"
    count: int = 1
    id: str = ""


@dataclass
class Act:
    """A merge, a resolution, or a merge that is one. `merge_id` and `resolution_id` are learned where unknown."""

    kind: str
    surviving: str = ""
    discarded: str = ""
    given: dict[str, Any] = field(default_factory=dict)
    united: tuple[str, str] | None = None
    """The surviving conversation and the discarded one, where two became one."""
    set_aside: str | None = None
    """The conversation that ceased to be the default one, where they stayed two."""
    heard: int = 0
    """How much had been said until then."""
    case: Case | None = None
    before: dict[str, Any] = field(default_factory=dict)
    owner: str = ""
    claimant: str | None = None
    resolution_id: str = ""
    merge_id: str = ""
    undone: bool = False
    blank: bool = False
    """Whether what undo needs was erased."""


class Model:
    """All of one app."""

    def __init__(self, *, many_talks: bool) -> None:
        self.many_talks = many_talks
        self.policy = "reject"
        self.users: dict[str, Someone] = {}
        self.external_ids: dict[str, str] = {}
        self.emails: dict[str, str] = {}
        self.devices: dict[str, tuple[str, bool]] = {}
        self.sessions: dict[str, tuple[str, str]] = {}
        """By user: on which device, and the hash of the token."""
        self.over: list[AnonymousProof] = []
        self.talks: dict[str, Talk] = {}
        self.heard = 0
        self.cases: dict[Case, Contest] = {}
        self.acts: list[Act] = []
        self.merged: list[tuple[str, str]] = []
        """All who were ever merged, undone or not."""
        self.gaps: set[str] = set()
        """Users who were one with somebody erased, and cases: what named her is gone from their streams."""
        self.unsure = False
        """Whether somebody was erased just now: which cases and acts that took with it, the rows will tell."""

    def copy(self) -> "Model":
        return copy.deepcopy(self)

    # Questions.

    def survivor(self, user: str) -> str:
        seen = set()
        while (into := self.users[user].into) is not None:
            assert user not in seen, "pointers go in a circle"
            seen.add(user)
            user = into
        return user

    def found(self, user: str) -> str | None:
        return self.survivor(user) if user in self.users else None

    def members(self, user: str) -> set[str]:
        return {one for one in self.users if self.survivor(one) == self.survivor(user)}

    def _stands_for(self, user: str, other: str) -> bool:
        """Whether the pointers lead from `user` to `other`."""
        while user != other and (into := self.users[user].into) is not None:
            user = into
        return user == other

    def live(self) -> list[str]:
        return [id for id, user in self.users.items() if user.into is None]

    def known(self, external_id: str) -> str | None:
        holder = self.external_ids.get(external_id)
        return self.survivor(holder) if holder else None

    def owner(self, key: str) -> str | None:
        holder = self.emails.get(key)
        return self.survivor(holder) if holder else None

    def root(self, talk: str) -> str:
        while (into := self.talks[talk].into) is not None:
            talk = into
        return talk

    def talks_of(self, user: str) -> set[str]:
        hers = self.members(user)
        return {id for id, talk in self.talks.items() if talk.into is None and talk.opened_by in hers}

    def default_of(self, user: str) -> str | None:
        found = [id for id in self.talks_of(user) if self.talks[id].default]
        assert len(found) <= 1, "two default conversations"
        return found[0] if found else None

    def words(self, talk: str) -> list[str]:
        root = self.root(talk)
        return sorted(words for id, one in self.talks.items() if self.root(id) == root for _, words, _ in one.said)

    def proven(self, proof: AnonymousProof | None) -> str | None:
        """The anonymous user whom the proof shows."""
        if proof is None:
            return None
        return proof.user_id if self.sessions.get(proof.user_id, ("", ""))[1] == proof.token_hash else None

    def last_act(self, case: Case) -> Act | None:
        return next((act for act in reversed(self.acts) if act.case == case and not act.undone), None)

    # Small steps.

    def _add(self, user: str, external_id: str | None, metadata: dict[str, Any]) -> None:
        assert user not in self.users, "a new user has an id of her own"
        self.users[user] = Someone(external_id, dict(metadata))
        if external_id is not None:
            self.external_ids[external_id] = user

    def _end_session(self, user: str) -> None:
        if user in self.sessions:
            self.over.append(AnonymousProof(user, self.sessions.pop(user)[1]))

    def _take_device(self, guid: str, user: str) -> None:
        held_by = self.survivor(self.devices[guid][0]) if guid in self.devices else None
        if held_by is not None and held_by != user and self.sessions.get(held_by, ("", ""))[0] == guid:
            self._end_session(held_by)
        if held_by is not None:
            self.users[held_by].busy = True
        # What is hers already stays under whichever of her ids it was.
        self.devices[guid] = (self.devices[guid][0] if held_by == user else user, True)

    def _identify(self, user: str, external_id: str) -> None:
        self._end_session(user)
        self.users[user].external_id = external_id
        self.external_ids[external_id] = user

    def _merge(self, surviving: str, discarded: str) -> Act:
        """One becomes part of the other; what undo needs."""
        survivor, visitor = self.users[surviving], self.users[discarded]
        survivor.busy = visitor.busy = True
        act = Act("merge", surviving, discarded, heard=self.heard)
        for name, value in visitor.metadata.items():
            if name not in survivor.metadata and size(survivor.metadata | {name: value}) <= BYTES:
                survivor.metadata[name] = act.given[name] = value
        hers, theirs = self.default_of(surviving), self.default_of(discarded)
        if hers is not None and theirs is not None:
            if self.many_talks:
                self.talks[theirs].default = False
                act.set_aside = theirs
            else:
                self.talks[theirs].into = hers
                act.united = (hers, theirs)
        visitor.into = surviving
        self._end_session(discarded)
        self.merged.append((surviving, discarded))
        self.acts.append(act)
        return act

    def _count(self, case: Case, owner: str, claimant: str | None) -> None:
        found = self.cases.get(case)
        if found is None:
            self.cases[case] = Contest(owner, claimant)
            return
        found.owner, found.claimant, found.count = owner, claimant, found.count + 1
        if found.state == "resolved":
            found.state = "open"

    # The steps. `seen` is what the server answered: a value or an error.

    def step(self, operation: Operation, seen: Any) -> None:
        """Raises AssertionError where the answer is another than it should be."""
        match operation:
            case Visit():
                self._visit(operation, seen)
            case LogIn():
                self._log_in(operation, seen)
            case LogOut():
                self._log_out(operation, seen)
            case Create():
                self._create(operation, seen)
            case Update():
                self._update(operation, seen)
            case OpenTalk():
                self._open(operation, seen)
            case Say():
                self._say(operation, seen)
            case Resolve():
                self._resolve(operation, seen)
            case MergeUsers():
                self._merge_users(operation, seen)
            case Undo():
                self._undo(operation, seen)
            case Remove():
                self._remove(operation, seen)

    def _visit(self, asked: Visit, seen: Any) -> None:
        access = expected(seen, Access)
        self._add(access.user.id, None, asked.metadata)
        self._take_device(asked.guid, access.user.id)
        self.sessions[access.user.id] = (asked.guid, hash_of(access.session_token))

    def _log_in(self, asked: LogIn, seen: Any) -> None:
        known, visitor, key = self.known(asked.external_id), self.proven(asked.proof), asked.key
        owner = self.owner(key) if key else None
        contested = owner is not None and owner not in (known, visitor)
        if contested and self.policy == "reject":
            assert key is not None
            assert owner is not None
            expected(seen, EmailContested)
            self._count((key, asked.external_id), owner, known or visitor)
            return
        access = expected(seen, Access)
        user = access.user.id
        assert access.created is (known is None and visitor is None)
        if known is not None:
            assert user == known, "the external id alone says who it is"
            if visitor is not None:
                self._merge(known, visitor)
            self.users[known].busy = True
        elif visitor is not None:
            assert user == visitor, "a visitor is promoted in place"
            self._identify(visitor, asked.external_id)
        else:
            self._add(user, asked.external_id, {})
        if contested:
            assert key is not None
            assert owner is not None
            case = (key, asked.external_id)
            self._count(case, owner, user)
            if self.policy == "transfer":
                before = {"state": "open", "claimant": user, "held_by": self.emails[key]}
                self.emails[key] = user
                self.users[owner].busy = True
                self.cases[case].state = "resolved"
                self.acts.append(Act("transfer", case=case, before=before, owner=owner, claimant=user))
        elif key and owner is None:
            self.emails[key] = user
        self._take_device(asked.guid, user)

    def _log_out(self, asked: LogOut, seen: Any) -> None:
        if isinstance(asked.who, AnonymousProof):
            if self.proven(asked.who) is None:
                expected(seen, InvalidSession)
                return
            user = asked.who.user_id
            expected(seen, type(None))
            self._end_session(user)
        else:
            expected(seen, type(None))
            found = self.known(asked.who)
            if found is None:
                return
            user = found
        owner, active = self.devices.get(asked.guid, ("", False))
        if owner and active and self.found(owner) == user:
            self.devices[asked.guid] = (owner, False)
            self.users[user].busy = True
            if self.sessions.get(user, ("", ""))[0] == asked.guid:
                self._end_session(user)

    def _create(self, asked: Create, seen: Any) -> None:
        if asked.external_id is not None and asked.external_id in self.external_ids:
            expected(seen, UserExists)
            return
        self._add(expected(seen, User).id, asked.external_id, asked.metadata)

    def _update(self, asked: Update, seen: Any) -> None:
        found = self.found(asked.user)
        if found is None:
            expected(seen, UserNotFound)
            return
        user = self.users[found]
        if asked.external_id is not None and asked.external_id != user.external_id:
            if user.external_id is not None:
                expected(seen, InvalidUser)
                return
            if asked.external_id in self.external_ids:
                expected(seen, UserExists)
                return
            self._identify(found, asked.external_id)
        assert expected(seen, User).id == found
        user.metadata = {name: value for name, value in (user.metadata | asked.metadata).items() if value is not None}
        user.busy = True

    def _open(self, asked: OpenTalk, seen: Any) -> None:
        found = self.found(asked.user)
        if found is None:
            expected(seen, UserNotFound)
            return
        default = self.default_of(found)
        if default is not None and not self.many_talks:
            expected(seen, InvalidConversation)
            return
        assert isinstance(seen, str), seen
        assert seen not in self.talks, "a new conversation has an id of its own"
        self.talks[seen] = Talk(found, default=default is None)
        self.users[found].busy = True

    def _say(self, asked: Say, seen: Any) -> None:
        if asked.talk not in self.talks:
            expected(seen, ConversationNotFound)
            return
        found = self.found(asked.user)
        if found is None:
            expected(seen, UserNotFound)
            return
        root = self.root(asked.talk)
        if root not in self.talks_of(found):
            expected(seen, NotAMember)
            return
        assert isinstance(seen, str), seen
        self.heard += 1
        self.talks[root].said.append((found, asked.words, self.heard))

    def _resolve(self, asked: Resolve, seen: Any) -> None:
        case = self.cases.get(asked.case)
        if self.unsure and isinstance(seen, CaseNotFound):
            return
        if case is None or (case.id and case.id != asked.case_id):
            expected(seen, CaseNotFound)
            return
        key, external_id = asked.case
        owner, claimant = self.owner(key), self.known(external_id)
        if case.state == "resolved" or (asked.action != "dismiss" and not self._resolvable(asked, owner, claimant)):
            expected(seen, CannotResolve)
            return
        done = expected(seen, Done)
        assert done.resolution is not None
        before = {"state": case.state, "claimant": case.claimant}
        act = Act(asked.action, case=asked.case, before=before, owner=owner or "", claimant=claimant)
        case.state = "resolved"
        if asked.action == "dismiss":
            case.state = "dismissed"
            self.acts.append(act)
        elif asked.action == "merge" and claimant is not None:
            assert owner is not None
            merge = self._merge(owner, claimant)
            merge.case, merge.before, merge.owner, merge.claimant = asked.case, before, owner, claimant
            act = merge
        else:
            assert owner is not None
            self._hand_over(asked, act, owner, claimant, done)
            self.acts.append(act)
        case.claimant = act.claimant or case.claimant
        act.resolution_id, act.merge_id = done.resolution.id, done.merge_id or ""

    def _resolvable(self, asked: Resolve, owner: str | None, claimant: str | None) -> bool:
        if owner is None or owner == claimant:
            return False
        anonymous = self.users[owner].external_id is None
        return not (asked.action in ("reassign", "merge") and anonymous) and not (
            asked.action == "reassign" and claimant is not None
        )

    def _hand_over(self, asked: Resolve, act: Act, owner: str, claimant: str | None, done: Done) -> None:
        key, external_id = asked.case
        self.users[owner].busy = True
        if asked.action == "move":
            act.before["held_by"] = self.emails[key]
            if claimant is None:
                assert done.user_id is not None
                self._add(done.user_id, external_id, {})
                self.users[done.user_id].busy = False
                act.before["made"] = claimant = done.user_id
            else:
                self.users[claimant].busy = True
            assert done.user_id == claimant
            self.emails[key] = act.claimant = claimant
            return
        assert done.user_id == owner
        self.external_ids[external_id] = owner
        if asked.action == "reassign":
            act.before["external_id"] = self.users[owner].external_id
            self.users[owner].external_id = external_id

    def _merge_users(self, asked: MergeUsers, seen: Any) -> None:
        surviving, discarded = self.found(asked.surviving), self.found(asked.discarded)
        if surviving is None or discarded is None:
            expected(seen, UserNotFound)
            return
        anonymous = self.users[surviving].external_id is None and self.users[discarded].external_id is not None
        if surviving == discarded or anonymous:
            expected(seen, CannotResolve)
            return
        self._merge(surviving, discarded).merge_id = str(expected(seen, Done).merge_id)

    def _undo(self, asked: Undo, seen: Any) -> None:
        act = next((one for one in self.acts if asked.act_id in (one.merge_id, one.resolution_id)), None)
        if self.unsure and isinstance(seen, ActNotFound | CannotUndo):
            return
        if act is None or (act.resolution_id == asked.act_id and act.blank and not act.case):
            expected(seen, ActNotFound)
            return
        if not self._undoable(act):
            expected(seen, CannotUndo)
            return
        done = expected(seen, Done)
        if act.kind == "merge" and act.discarded:
            self._part(act, done.continued)
        elif act.kind in ("move", "transfer"):
            self._give_back(act)
        elif act.kind in ("reassign", "merge") and act.case:
            owner = self.survivor(act.owner)
            self.users[owner].busy = True
            del self.external_ids[act.case[1]]
            if act.kind == "reassign":
                self.users[owner].external_id = act.before["external_id"]
        act.undone = True
        if act.case is not None and act.case in self.cases:
            case = self.cases[act.case]
            case.state, case.claimant = act.before["state"], act.before["claimant"]

    def _undoable(self, act: Act) -> bool:
        if act.undone or act.blank:
            return False
        if act.case is not None and self.last_act(act.case) is not act:
            return False
        if act.kind == "merge" and act.discarded:
            if act.surviving not in self.users or act.discarded not in self.users:
                return False
            if self.users[act.surviving].into is not None or self.users[act.discarded].into != act.surviving:
                return False
            parting = {user for user in self.users if self._stands_for(user, act.discarded)}
            for id, talk in self.talks.items():
                if talk.into is not None and (not act.united or id != act.united[1]):
                    sides = {talk.opened_by in parting, self.talks[talk.into].opened_by in parting}
                    if len(sides) > 1:
                        return False
            if act.united is None:
                return True
            here, there = act.united
            return there not in self.talks or self.talks[there].into is None or self.root(here) == here
        if act.kind == "dismiss":
            return True
        assert act.case is not None
        owner = self.found(act.owner)
        if owner is None:
            return False
        if act.kind in ("move", "transfer"):
            holder = self.owner(act.case[0])
            return holder is not None and act.claimant is not None and self.found(act.claimant) == holder
        if self.known(act.case[1]) != owner:
            return False
        return act.kind != "reassign" or self.users[owner].external_id == act.case[1]

    def _part(self, act: Act, continued: dict[str, str]) -> None:
        survivor = self.users[act.surviving]
        survivor.metadata = {
            name: value
            for name, value in survivor.metadata.items()
            if name not in act.given or value != act.given[name]
        }
        survivor.busy = True
        parting = {user for user in self.users if self._stands_for(user, act.discarded)}
        went_on = {
            id
            for id, talk in self.talks.items()
            if talk.into is None and talk.opened_by in parting and any(at > act.heard for _, _, at in talk.said)
        }
        assert set(continued) == went_on
        for id in went_on:
            talk = self.talks[id]
            since = [one for one in talk.said if one[2] > act.heard]
            talk.said = [one for one in talk.said if one[2] <= act.heard]
            assert continued[id] not in self.talks, "a new conversation has an id of its own"
            self.talks[continued[id]] = Talk(act.surviving, talk.default, said=since)
        self.users[act.discarded].into = None
        if act.united is not None and act.united[1] in self.talks:
            self.talks[act.united[1]].into = None
        if act.set_aside is not None and act.set_aside in self.talks:
            self.talks[act.set_aside].default = True

    def _give_back(self, act: Act) -> None:
        assert act.case is not None
        key, external_id = act.case
        self.emails[key] = act.before["held_by"]
        self.users[self.survivor(act.owner)].busy = True
        made = act.before.get("made")
        if made is None or self.users[made].into is not None or self.users[made].busy:
            if act.claimant is not None:
                self.users[self.survivor(act.claimant)].busy = True
        else:
            del self.users[made], self.external_ids[external_id]
            for contest in self.cases.values():
                contest.claimant = None if contest.claimant == made else contest.claimant

    def _remove(self, asked: Remove, seen: Any) -> None:
        found = self.found(asked.user)
        if found is None:
            expected(seen, UserNotFound)
            return
        expected(seen, type(None))
        self.unsure = True
        hers = self.members(found)
        self.gaps |= self._ever_one_with(hers) | {case.id for case in self.cases.values()}
        self.emails = {key: owner for key, owner in self.emails.items() if owner not in hers}
        for user in hers:
            self.users[user].metadata = {}
            self.users[user].busy = True
        if not asked.whole:
            return
        for user in hers:
            self._end_session(user)
        self.users = {id: user for id, user in self.users.items() if id not in hers}
        self.external_ids = {id: user for id, user in self.external_ids.items() if user not in hers}
        self.devices = {guid: held for guid, held in self.devices.items() if held[0] not in hers}
        self.talks = {id: talk for id, talk in self.talks.items() if talk.opened_by not in hers}
        for talk in self.talks.values():
            talk.said = [one for one in talk.said if one[0] not in hers]

    def _ever_one_with(self, users: set[str]) -> set[str]:
        found, size = set(users), 0
        while size < len(found):
            size = len(found)
            for surviving, discarded in self.merged:
                if surviving in found or discarded in found:
                    found |= {surviving, discarded}
        return found

    # What is the server's to say.

    def learn(self, rows: Snapshot) -> None:
        """Take over the ids of cases, merges and transfers, and after an erasure what is left of them."""
        cases = {(row["key"], row["claimant"]): row for row in rows["conflicts"]}
        resolutions = {row["id"]: row for row in rows["resolutions"]}
        merges = {row["id"]: row for row in rows["merges"]}
        if self.unsure:
            self.cases = {
                case: Contest(row["owner_id"], row["claimant_id"], row["state"], row["count"], row["id"])
                for case, row in cases.items()
                if case in self.cases
            }
            for act in self.acts:
                if act.case and act.resolution_id and act.resolution_id not in resolutions:
                    act.case = None
            self.acts = [
                act for act in self.acts if act.case or (act.discarded and (not act.merge_id or act.merge_id in merges))
            ]
        for case, contest in self.cases.items():
            if case in cases:
                contest.id = cases[case]["id"]
        self._learn_ids(resolutions.values(), merges.values())
        for act in self.acts:
            if act.merge_id in merges and "metadata" not in json.loads(merges[act.merge_id]["before"]):
                act.blank = True
        self.unsure = False

    def _learn_ids(self, resolutions: Iterable[Row], merges: Iterable[Row]) -> None:
        known = {act.merge_id for act in self.acts} | {act.resolution_id for act in self.acts}
        of_merges = sorted((row for row in merges if row["id"] not in known), key=lambda row: str(row["id"]))
        transfers = sorted(
            (row for row in resolutions if row["id"] not in known and row["action"] == "transfer"),
            key=lambda row: str(row["id"]),
        )
        for act in self.acts:
            if act.kind == "merge" and act.discarded and not act.merge_id:
                of_act = (
                    row for row in of_merges if (row["surviving"], row["discarded"]) == (act.surviving, act.discarded)
                )
                act.merge_id = self._take(of_act, of_merges)
            elif act.kind == "transfer" and not act.resolution_id:
                of_act = (row for row in transfers if (row["key"], row["claimant"]) == act.case)
                act.resolution_id = self._take(of_act, transfers)
        self.acts = [act for act in self.acts if act.merge_id or act.resolution_id]

    def _take(self, of_act: Iterator[Row], rows: list[Row]) -> str:
        row = next(of_act, None)
        assert row is not None or self.unsure, "what was done is written down"
        if row is None:
            return ""
        rows.remove(row)
        return str(row["id"])


def expected(seen: Any, kind: type[Any]) -> Any:
    """The answer, which should be of this kind."""
    assert isinstance(seen, kind), f"should be {kind.__name__}, and is {seen!r}"
    return seen


def size(metadata: dict[str, Any]) -> int:
    return len(json.dumps(metadata, separators=(",", ":")))
