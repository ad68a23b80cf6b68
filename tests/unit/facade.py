"""Talk to the v2 facade in this process, as a backend with a key does, on the database of a test's world."""

import base64
import time
from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec import Struct
from starlette.applications import Starlette

from knownas.http import sdk, sunshine_v2
from knownas.http.edge import Edge
from knownas.http.metrics import Metrics
from knownas.http.services import Services
from knownas.keys import Key, Scope
from knownas.keys.create import create_key
from knownas.keys.verified import VerifiedTokens
from tests.given import World

if TYPE_CHECKING:
    from knownas.attachments import Files


class Reply(Struct):
    """What came back."""

    status: int
    json: Any

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, code and title of a refusal."""
        [error] = self.json["errors"]
        return self.status, error["code"], error["title"]


def services_of(world: World) -> Services:
    """What endpoints are given, on the world's database."""
    return Services(
        database=world.database,
        tokens=VerifiedTokens(),
        metrics=Metrics(),
        clock=time.time,
        files=cast("Files", None),  # nothing here attaches a file
    )


class Backend:
    """A program of the business that has a key of the app."""

    def __init__(self, world: World, key: Key) -> None:
        self._edge = Edge(services_of(world), [sunshine_v2.FACADE, sdk.FACADE], Starlette())
        self._authorization = b"Basic " + base64.b64encode(f"{key.id}:{key.secret}".encode())
        self.key = key
        self.base = f"/v2/apps/{world.app.id}"

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: str = "",
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> Reply:
        """One request below the app's path."""
        sent = b"" if body is None else msgspec.json.encode(body)
        return await self._send(
            method, self.base + path, sent, query, (b"authorization", self._authorization), *headers
        )

    async def configuration(self, integration_id: str, origin: str) -> Reply:
        """What a page of this origin gets when it starts the SDK."""
        path = f"/sdk/v2/integrations/{integration_id}/config"
        return await self._send("GET", path, b"", "", (b"origin", origin.encode()))

    async def _send(self, method: str, path: str, body: bytes, query: str, *headers: tuple[bytes, bytes]) -> Reply:
        scope = {
            "type": "http",
            "method": method,
            "scheme": "http",
            "raw_path": path.encode(),
            "path": path,
            "query_string": query.encode(),
            "headers": [(b"host", b"test"), *headers],
        }
        answered: list[Any] = []

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def keep(message: Any) -> None:
            answered.append(message)

        await self._edge(scope, receive, keep)
        return Reply(answered[0]["status"], msgspec.json.decode(answered[1]["body"]))


async def backend(world: World, scope: Scope = "app", integration_id: str | None = None) -> Backend:
    """A backend with a fresh key of this scope."""
    return Backend(world, await world.do(create_key, world.app.account_id, "backend", scope, integration_id))
