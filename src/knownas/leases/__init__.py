"""A lease: the right to do some work of which one process per database is enough."""

from typing import Protocol

from msgspec import Struct


class Lease(Struct, frozen=True):
    """Who holds it and until when, in milliseconds; nobody holds one whose time is over."""

    name: str
    holder: str
    held_until: int


class Leases(Protocol):
    """What verbs ask of leases. They belong to the whole database, not to an app."""

    async def by_name(self, name: str) -> Lease | None:
        """The lease as it was last taken, or None."""
        ...

    def add(self, lease: Lease) -> None:
        """Hold a lease that nobody ever took; loses its race when somebody does meanwhile."""
        ...

    def move(self, former: Lease, lease: Lease) -> None:
        """Hold the lease's new state; loses its race when it is no longer `former`."""
        ...
