"""A plan: what an act will do, shown before it is done, and done exactly as it was shown or not at all (R8)."""

from typing import Any, Final, Literal, Protocol

from msgspec import Struct

from knownas.erasures import Receipt
from knownas.errors import DomainError
from knownas.resolutions import Action, Resolution

PlanKind = Literal["resolve", "merge", "undo", "delete", "erase"]
LIVES_MS: Final = 3_600_000
NOTE_AT_MOST: Final = 1000


class PlanRequest(Struct, frozen=True, omit_defaults=True):
    """What somebody wants to do. Which members count depends on `kind`:

    resolve: `case_id`, `action`; merge: `surviving`, `discarded` (ids or external ids); undo: `act_id` (a merge's or a
    resolution's); delete and erase: `user` (id or external id).
    """

    kind: PlanKind
    case_id: str | None = None
    action: Action | None = None
    surviving: str | None = None
    discarded: str | None = None
    act_id: str | None = None
    user: str | None = None


class Party(Struct, frozen=True):
    """A user in a preview: what she has now. `role` says what she is in the act, `stays` whether she is there after."""

    role: str
    user_id: str | None
    external_id: str | None
    display_name: str
    identities: tuple[tuple[str, str], ...]
    conversations: int
    messages: int
    devices: int
    clients: int
    metadata_keys: int
    stays: bool = True


class Preview(Struct, frozen=True):
    """What an act will do, in sentences and in figures. `removes` counts rows, by what they are, where it erases."""

    does: tuple[str, ...]
    parties: tuple[Party, ...] = ()
    discarded_metadata: dict[str, Any] = {}
    removes: dict[str, int] = {}
    warnings: tuple[str, ...] = ()


class Foreseen(Struct, frozen=True):
    """What an act found before it decides: the preview, who it is about, and all that it relies on.

    `relies_on` maps what was read (`user:ID`, `case:ID`, `conversation:ID`, `identity:TYPE:KEY`) to the state that it
    had; an act is done only while all of it is the same.
    """

    preview: Preview
    subjects: tuple[str, ...]
    relies_on: dict[str, str | int | None]


class Plan(Struct, frozen=True):
    """An act that was shown and not done yet. `expires_at` is in milliseconds."""

    id: str
    request: PlanRequest
    preview: Preview
    relies_on: dict[str, str | int | None]
    actor: str
    expires_at: int


class Done(Struct, frozen=True):
    """What was carried out, and the audit entry that says so. `user_id` is who is there afterwards, if anybody.

    `continued` maps conversations that went back to their user to those in which what was said since goes on.
    """

    kind: PlanKind
    audit_number: int
    audit_hash: str
    user_id: str | None = None
    resolution: Resolution | None = None
    merge_id: str | None = None
    receipt: Receipt | None = None
    continued: dict[str, str] = {}


class PlanNotFound(DomainError):
    """No such plan: it was carried out, has expired, or never was."""

    kind = "not_found"
    code = "plan_not_found"

    def __init__(self) -> None:
        super().__init__("Plan not found: it was carried out already, or is older than an hour; make a new one")


class PlanStale(DomainError):
    """The world has changed since the plan was shown; `why` says what is in the way now, where that is known."""

    kind = "conflict"
    code = "plan_stale"

    def __init__(self, why: str = "") -> None:
        now = f" {why}." if why else ""
        super().__init__(
            f"What this plan is about has changed since it was made.{now} Nothing was done: make a new plan"
        )


class ReasonMissing(DomainError):
    """Every act needs a reason, for the audit log."""

    kind = "invalid"
    code = "reason_required"

    def __init__(self) -> None:
        super().__init__(f"Give a reason, of 1 to {NOTE_AT_MOST} characters: it is kept in the audit log")


def check_reason(note: str) -> None:
    """Raises ReasonMissing where there is none, or a book. Pure."""
    if not 1 <= len(note.strip()) <= NOTE_AT_MOST:
        raise ReasonMissing


class InvalidPlan(DomainError):
    """The plan asks for something that there is not; the text says what is missing."""

    kind = "invalid"
    code = "bad_request"


class Plans(Protocol):
    """What verbs ask of the app's stored plans."""

    async def by_id(self, plan_id: str) -> Plan | None:
        """The plan, or None."""
        ...

    def add(self, plan: Plan, subjects: tuple[str, ...]) -> None:
        """Hold the new plan, which goes when one of its subjects is erased."""
        ...

    def take(self, plan: Plan) -> None:
        """Hold its removal; loses its race when somebody else carries it out."""
        ...

    def forget(self, subjects: list[str]) -> None:
        """Hold the removal of all plans about these ids."""
        ...

    async def expired(self, limit: int) -> int:
        """Hold the removal of some plans that nobody can carry out any more; answers how many."""
        ...
