"""A conflict: two people claim one identity. It is told and kept as a case, whatever the app's policy does (R7)."""

from typing import Final, Literal, Protocol

from msgspec import Struct, field

from knownas.apps import ConflictPolicy
from knownas.devices import DeviceInfo
from knownas.errors import DomainError
from knownas.identities import IdentityType
from knownas.users import User

CaseState = Literal["open", "resolved", "dismissed"]
Outcome = Literal["refused", "quarantined", "transferred"]
"""What came of an attempt: nothing of it happened; it succeeded without the identity; the identity moved."""

OUTCOME_OF: Final[dict[ConflictPolicy, Outcome]] = {
    "reject": "refused",
    "quarantine": "quarantined",
    "transfer": "transferred",
}
FIRST_KEPT: Final = 10
LATEST_KEPT: Final = 20
LISTED_AT_MOST: Final = 100


class Place(Struct, frozen=True, omit_defaults=True):
    """Where an address is, as far as the configured MaxMind database knows."""

    city: str | None = None
    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    region: str | None = None
    zipcode: str | None = None


class RequestInfo(Struct, frozen=True, omit_defaults=True):
    """What is known of the request that claimed an identity."""

    address: str | None = None
    user_agent: str | None = None
    device_name: str | None = None
    device_type: str | None = None
    os: str | None = None
    browser: str | None = None
    place: Place | None = None


class Case(Struct, frozen=True):
    """One (identity, claimant) for which an owner was found to exist already.

    `value` is the identity as asserted, `key` its normal form. `claimant` is the external id that asked, `claimant_id`
    its user if there is one. Repeats are counted, not added. `outcome` is what the last attempt came to, and
    `shadow_outcome` what the app's shadow policy of that moment would have made of it. Times are in milliseconds.
    """

    id: str
    type: IdentityType
    key: str
    owner_id: str
    claimant: str
    claimant_id: str | None
    asserted_by: str
    first_seen: int
    last_seen: int
    count: int = 1
    state: CaseState = "open"
    value: str = ""
    outcome: Outcome = "refused"
    shadow_policy: ConflictPolicy | None = None
    shadow_outcome: Outcome | None = None
    revision: int = 1


class Evidence(Struct, frozen=True):
    """One attempt of a case: who asserted it, from where and on what. `number` counts the attempts from 1."""

    number: int
    asserted_by: str
    outcome: Outcome
    device_guid: str | None
    platform: str | None
    info: RequestInfo
    seen_at: int


class Claim(Struct, frozen=True):
    """Somebody asserts, with a key, an identity that another user owns.

    `claimant` is the external id that asks, and `known` its user if there is one. `requested` is the user as she would
    be if she got it; where there is no user yet, one who is not stored anywhere.
    """

    type: IdentityType
    value: str
    key: str
    claimant: str
    known: User | None
    requested: User
    asserted_by: str
    device: DeviceInfo | None
    info: RequestInfo


class Standing(Struct, frozen=True):
    """What stands when a claim is contested: the owner as a whole, and the case of this claim if there is one."""

    owner: User
    case: Case | None


class ShadowCount(Struct, frozen=True):
    """How many cases ended like this while the shadow policy would have ended them like that, and some of them."""

    policy: ConflictPolicy
    outcome: Outcome
    shadow_outcome: Outcome
    cases: int
    attempts: int
    examples: tuple[str, ...]


class Duplicate(Struct, frozen=True):
    """An identity that is somebody else's already."""

    type: IdentityType
    value: str


class IdentityContested(Struct, frozen=True, tag_field="event", tag="identity.contested"):
    """Somebody asked for what `user_id` owns (R12). Numbered in the case, and erased with it.

    `existing` is the owner, and `requested` the claimant with the change that was asked for; `claimant_id` is None
    while the claimant does not exist.
    """

    user_id: str
    type: IdentityType
    claimant_id: str | None
    case_id: str = ""
    outcome: Outcome = "refused"
    duplicates: tuple[Duplicate, ...] = ()
    existing: User | None = None
    requested: User | None = None
    info: RequestInfo = field(default_factory=RequestInfo)


class ConflictSettled(Struct, frozen=True, tag_field="event", tag="conflict.settled"):
    """An operator, or the policy `transfer`, settled the case. Numbered in the case."""

    case_id: str
    resolution_id: str
    action: str
    actor: str


class ConflictReopened(Struct, frozen=True, tag_field="event", tag="conflict.reopened"):
    """What settled the case was undone. Numbered in the case."""

    case_id: str
    resolution_id: str
    actor: str


class EmailContested(DomainError):
    """The verified e-mail belongs to another user. The text says nothing about the owner (R13)."""

    kind = "conflict"
    code = "conflict"
    keeps_trace = True

    def __init__(self) -> None:
        super().__init__("The email in this token is already in use by another user of this app")


class CaseNotFound(DomainError):
    """No such case in this app, or none any more: cases go with the users whom they name."""

    kind = "not_found"
    code = "conflict_not_found"

    def __init__(self) -> None:
        super().__init__("Conflict not found")


class Conflicts(Protocol):
    """What verbs ask of the app's stored cases."""

    async def standing(self, owner_id: str, type: IdentityType, key: str, claimant: str) -> Standing | None:
        """The owner (or her survivor) and the case of this claim, in one question; None when the owner is gone."""
        ...

    async def by_id(self, case_id: str) -> Case | None:
        """The case, or None."""
        ...

    async def open(self) -> list[Case]:
        """The open cases, oldest first, at most LISTED_AT_MOST."""
        ...

    async def page(self, state: CaseState | None, *, after: str | None, before: str | None, limit: int) -> list[Case]:
        """At most `limit` cases of a state, or of all, in creation order, on one side of an id."""
        ...

    async def of_identity(self, type: IdentityType, key: str) -> list[Case]:
        """All claimants' cases about this identity, oldest first, at most LISTED_AT_MOST."""
        ...

    async def evidence(self, case_id: str) -> list[Evidence]:
        """The attempts that are kept of a case, oldest first: the FIRST_KEPT first ones and the LATEST_KEPT last."""
        ...

    async def shadow(self, policy: ConflictPolicy) -> list[ShadowCount]:
        """What this shadow policy would have changed, over the cases that it was asked about last."""
        ...

    def add(self, case: Case) -> None:
        """Hold the new case; loses its race when there is one for (identity, claimant) by now."""
        ...

    def repeat(self, case: Case, **columns: object) -> None:
        """Hold one more attempt of the case, with new values for some columns; it needs no revision."""
        ...

    def change(self, case: Case, **columns: object) -> None:
        """Hold new values for some columns, relying on how the case was read."""
        ...

    def settle(self, case: Case, state: CaseState, claimant_id: str | None) -> None:
        """Hold that the case is settled; one that this unit makes or counts is written once all the same."""
        ...

    def add_evidence(self, case_id: str, evidence: Evidence) -> None:
        """Hold one attempt; it takes the place of an older one once there are many.

        Loses its race when another attempt has its number by now.
        """
        ...


def slot_of(number: int) -> int:
    """Where the attempt of this number is kept: the first ones for good, later ones in turn. Pure."""
    return number if number <= FIRST_KEPT else FIRST_KEPT + 1 + (number - FIRST_KEPT - 1) % LATEST_KEPT
