"""What the edges know of storage: read, write, and look keys, apps and integrations up."""

from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from knownas.apps import App, AppSettings
from knownas.integrations import Integration
from knownas.keys.tokens import PreparedKey, ServerClaims

P = ParamSpec("P")
T = TypeVar("T")
Verb = Callable[Concatenate[Any, P], Awaitable[T]]


class Binding(Protocol):
    """What a transaction is bound to: an app, or one about to be made."""

    @property
    def id(self) -> str: ...
    @property
    def settings(self) -> AppSettings: ...


class Directory(Protocol):
    """Look-ups that most requests begin with, at most a second behind the database."""

    @property
    def generation(self) -> int:
        """Changes whenever something in here was changed through this process."""
        ...

    async def key(self, key_id: str) -> PreparedKey | None:
        """The live key, ready to verify with, or None."""
        ...

    async def app(self, app_id: str) -> App | None:
        """The app, or None."""
        ...

    async def access(self, token_hash: str) -> ServerClaims | None:
        """What the holder of this OAuth access token may do, or None when it is not, or no longer, one."""
        ...

    async def integration(self, integration_id: str) -> Integration | None:
        """The integration of whichever app, or None."""
        ...


class Database(Protocol):
    """One of the two engines."""

    @property
    def directory(self) -> Directory:
        """Keys, apps and integrations by id."""
        ...

    @property
    def waiting_writes(self) -> int:
        """How many callers wait for the database."""
        ...

    @property
    def shared(self) -> bool:
        """Whether other processes may serve the same database at this moment."""
        ...

    def on_events(self, wake: Callable[[], None]) -> None:
        """Have `wake` called, on the loop's thread, whenever this process has committed events."""
        ...

    def new_app(self) -> Binding:
        """What a transaction is bound to that makes an app, or that looks at what lies above the apps."""
        ...

    async def start(self) -> None:
        """Connect and bring the schema up to date. Raises SchemaTooNew."""
        ...

    async def close(self) -> None:
        """Finish what was taken and let go of the database."""
        ...

    async def ping(self) -> None:
        """Return when the database answers. Raises Unavailable."""
        ...

    async def read(self, app: Binding, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a verb that only reads."""
        ...

    async def write(self, app: Binding, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a verb as one transaction, again when it lost a race; the answer means that it is durable.

        Raises what the verb raises, and Unavailable when nothing can be written now.
        """
        ...
