"""What can go wrong, said once in the domain's words; each facade turns kinds into its own statuses and shapes."""

from typing import Literal

Kind = Literal[
    "invalid",
    "unauthenticated",
    "forbidden",
    "not_found",
    "conflict",
    "too_large",
    "unavailable",
    "payment_required",
    "locked",
    "not_implemented",
]


class DomainError(Exception):
    """A refusal that a caller is meant to see: `kind` says what sort, `code` is stable, the text is for people.

    With `keeps_trace` the unit of work commits the writes held so far although the caller gets the error:
    a conflict case or a failed attempt outlives its refusal.
    """

    kind: Kind = "invalid"
    code: str = "bad_request"
    keeps_trace: bool = False

    @property
    def message(self) -> str:
        """The sentence for people. It names no other user's data."""
        return str(self)


class LostRace(Exception):
    """A write found the world changed since it was read: nothing is kept, and the edge runs the verb again."""


class Unavailable(DomainError):
    """The server cannot answer now, and the same request may succeed after `retry_after_s` seconds."""

    kind = "unavailable"
    code = "unavailable"

    def __init__(self, message: str = "The service is temporarily unavailable", retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
