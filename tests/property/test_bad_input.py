"""Whatever is sent is answered: in the facade's own shape, with words that help, and with nothing half done.

Every route of every facade is tried, on both engines. The ASGI application runs in this process, so that thousands of
requests take seconds; tests/e2e/test_bad_requests.py tries what only a socket can do.
"""

import asyncio
import base64
import importlib
import json
import pkgutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode

import apsw
import asyncpg
import jwt
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import knownas.http
from knownas.apps import App
from knownas.apps.create import create_app as make_app
from knownas.apps.create import open_account
from knownas.http.edge import Facade
from knownas.integrations.create import create_integration
from knownas.keys import Key
from knownas.keys.create import create_key
from knownas.main import create_app
from knownas.settings import load_settings
from knownas.transaction import Transaction
from tests.servers import fresh_database
from tests.unit import test_tokens as tokens

Headers = list[tuple[bytes, bytes]]
FACADES: list[Facade] = [
    facade
    for module in pkgutil.iter_modules(knownas.http.__path__)
    if module.ispkg
    and module.name != "templates"
    # FusionAuth's has no routes yet, only events.
    and (facade := getattr(importlib.import_module(f"knownas.http.{module.name}"), "FACADE", None)) is not None
]
ROUTES = [(facade, method, path) for facade in FACADES for method, path, _ in facade.routes]
NAMES = [f"{method} {facade.prefixes[0]}{path}" for facade, method, path in ROUTES]
V2 = next(facade for facade in FACADES if facade.name == "sunshine_v2")
ADMIN = next(facade for facade in FACADES if facade.name == "admin")
SDK = next(facade for facade in FACADES if facade.name == "sdk")
OAUTH = next(facade for facade in FACADES if facade.name == "oauth")
ANSWER_WITHIN_S = 10
CONTESTED = "ada@example.com"
JSON_TYPE = (b"content-type", b"application/json")


# The running application


@dataclass
class Reply:
    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class World:
    """The application on one database, with an app in which Ada is known and a visitor is not."""

    url: str
    folder: Path
    examples: int
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)
    secrets: list[str] = field(default_factory=list)
    spare_key: str = ""

    def __enter__(self) -> Self:
        self.edge = create_app(
            load_settings(
                {},
                database=self.url,
                master_key_file=str(self.folder / "key"),
                public_url="http://test",
                background=False,
            )
        )
        self._signals: asyncio.Queue[Any] = asyncio.Queue()
        self._told: asyncio.Queue[Any] = asyncio.Queue()
        self._life = self.runner.get_loop().create_task(
            self.edge({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, self._signals.get, self._told.put)
        )
        self._lifespan("startup")
        self._watcher: Any = None
        self._version, self._rows = -1, 0
        self._peer = apsw.Connection(str(self.folder / "knownas.db")) if self.url.startswith("sqlite") else None
        self._found()
        return self

    def __exit__(self, *_: object) -> None:
        if self._peer is not None:
            self._peer.close()
        if self._watcher is not None:
            self.runner.run(self._watcher.close())
        self._lifespan("shutdown")
        self.runner.run(self._until_over())
        self.runner.close()

    async def _until_over(self) -> None:
        await self._life

    def _lifespan(self, phase: str) -> None:
        async def pass_on() -> Any:
            await self._signals.put({"type": f"lifespan.{phase}"})
            return await asyncio.wait_for(self._told.get(), ANSWER_WITHIN_S)

        assert self.runner.run(pass_on()) == {"type": f"lifespan.{phase}.complete"}

    def _found(self) -> None:
        database = self.edge._services.database

        async def found() -> None:
            new = database.new_app()
            account = await database.write(new, open_account, "Acme")
            self.account_key = await database.write(new, create_key, account.id, "account", "account")
            self.app: App = await database.write(new, make_app, account.id, "Acme")
            self.app_key = await database.write(self.app, create_key, account.id, "app")
            self.integration = await database.write(self.app, create_integration, "web")
            # Of its own, because DELETE /oauth/authorization takes the integration whose key it is asked with.
            own = await database.write(self.app, create_integration, "web")
            self.integration_key = await database.write(
                self.app, create_key, account.id, "integration", "integration", own.id
            )
            # The key of the hostile tokens: one that they are signed with, in this app.
            key = msgspec.structs.replace(tokens.key_for(), app_id=self.app.id, account_id=account.id)
            await database.write(self.app, add_key, key)

        self.runner.run(found())
        self.secrets += [str(key.secret) for key in (self.account_key, self.app_key, self.integration_key)]
        self.account = basic(self.account_key.id, str(self.account_key.secret))
        self.ada = self.token("ada", email=CONTESTED, email_verified=True)
        self.rival = self.token("rival", email=CONTESTED, email_verified=True)
        body = {"client": {"id": "ada-phone", "platform": "web", "integrationId": self.integration.id}}
        login = self.send("POST", f"/sdk/v2/apps/{self.app.id}/login", json_of(body), self.ada)
        self.ada_id = login.json["appUser"]["_id"]
        device = self.send("GET", f"/v2/apps/{self.app.id}/users/ada/devices", b"", self.account).json["devices"][0]
        self.device_id, self.client_id = device["id"], device["clientId"]
        self.renew_spares()
        self.renew_visitor()

    def renew_spares(self) -> None:
        """An app, a key, a user and an integration that a DELETE may take."""
        made = self.send("POST", "/v2/apps", b'{"displayName":"spare"}', self.account)
        self.spare_app = made.json["app"]["id"]
        made = self.send("POST", f"/v2/apps/{self.app.id}/users", b"{}", self.account)
        self.spare_user = made.json["user"]["id"]
        made = self.send("POST", f"/v2/apps/{self.app.id}/keys", b'{"displayName":"spare"}', self.account)
        self.spare_key = made.json["key"]["id"] if made.status == 201 else self.spare_key

        made = self.send("POST", f"/v2/apps/{self.app.id}/integrations", b'{"type":"ios"}', self.account)
        self.spare_integration = made.json["integration"]["id"]

    def renew_visitor(self) -> None:
        """An anonymous user with a session."""
        made = self.send("POST", f"/sdk/v2/apps/{self.app.id}/appusers", b'{"client":{"id":"visitor"}}').json
        self.visitor_id, self.visitor_session = made["appUser"]["_id"], made["sessionToken"]
        self.visitor = basic(self.visitor_id, self.visitor_session)
        self.secrets = [*self.secrets[:3], self.visitor_session]

    def token(self, external_id: str, **claims: Any) -> bytes:
        claims = {"scope": "user", "external_id": external_id, "exp": int(time.time()) + 9999} | claims
        return self.signed(claims)

    def signed(self, claims: dict[str, Any]) -> bytes:
        token = jwt.encode(claims, str(self.app_key.secret), "HS256", headers={"kid": self.app_key.id})
        return b"Bearer " + token.encode()

    def send(
        self,
        method: str,
        path: str | bytes,
        body: bytes = b"",
        authorization: bytes | None = None,
        headers: Headers | None = None,
        query: bytes = b"",
    ) -> Reply:
        """One request; nothing of it is checked or repaired on its way."""
        sent = [(b"host", b"test"), *(headers if headers is not None else [JSON_TYPE])]
        if authorization is not None:
            sent.append((b"authorization", authorization))
        raw_path = path.encode() if isinstance(path, str) else path
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": method,
            "path": raw_path.decode("latin-1"), "raw_path": raw_path, "query_string": query, "root_path": "",
            "headers": sent, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "state": {},
        }  # fmt: skip
        half = len(body) // 2
        arriving = [
            {"type": "http.request", "body": body[:half], "more_body": True},
            {"type": "http.request", "body": body[half:], "more_body": False},
        ]
        told: list[Any] = []

        async def receive() -> Any:
            return arriving.pop(0) if arriving else {"type": "http.disconnect"}

        async def tell(message: Any) -> None:
            told.append(message)

        self.runner.run(asyncio.wait_for(self.edge(scope, receive, tell), ANSWER_WITHIN_S))
        assert [message["type"] for message in told] == ["http.response.start", "http.response.body"]
        assert all(name == name.lower() for name, _ in told[0]["headers"])
        return Reply(told[0]["status"], dict(told[0]["headers"]), told[1]["body"])

    # What is stored

    def changes(self) -> object:
        """Something that differs when any row was changed in between; None where there is no such thing.

        SQLite's own number of commits differs too when the file is rewritten, some time after an erasure.
        """
        if self._peer is None:
            return None
        version = self._peer.pragma("data_version")
        if version != self._version:
            self._version, self._rows = version, hash(repr(self.tables()))
        return self._rows

    def tables(self) -> dict[str, list[str]]:
        """Every row of every table, as text."""
        if self._peer is not None:
            names = [row[0] for row in self._peer.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {name: sorted(repr(row) for row in self._peer.execute(f'SELECT * FROM "{name}"')) for name in names}
        return self.runner.run(self._postgres_tables())

    async def _postgres_tables(self) -> dict[str, list[str]]:
        if self._watcher is None:
            self._watcher = await asyncpg.connect(self.url)
        names = await self._watcher.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {
            name: sorted(row[0] for row in await self._watcher.fetch(f'SELECT t::text FROM "{name}" t'))
            for (name,) in names
        }


async def add_key(tx: Transaction, key: Key) -> None:
    tx.keys.add(key)


def basic(user: str, password: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{user}:{password}".encode())


def json_of(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def world(request: Any, tmp_path_factory: Any) -> Iterator[World]:
    """SQLite is tried at length; PostgreSQL, whose every write and snapshot is dearer, more briefly."""
    folder, at_most = tmp_path_factory.mktemp(request.param), settings().max_examples
    if request.param == "sqlite":
        with World(f"sqlite:///{folder / 'knownas.db'}", folder, max(at_most // 2, 1)) as world:
            yield world
    else:
        with (
            fresh_database(request.getfixturevalue("postgres_url")) as url,
            World(url, folder, max(at_most // 12, 1)) as world,
        ):
            yield world


def tried(world: World, strategy: Any, check: Callable[..., None], share: float = 1.0, *examples: Any) -> None:
    """Run `check` on examples of the strategy, as many as this world is worth, after the `examples` given."""
    for sample in examples:
        check(sample)

    @settings(max_examples=max(int(world.examples * share), 5), suppress_health_check=list(HealthCheck))
    @given(strategy)
    def attempt(sample: Any) -> None:
        check(sample)

    attempt()


# What must hold of every answer


def assert_proper(world: World, facade: Facade, reply: Reply, *, allowed: tuple[int, ...] = ()) -> None:
    """2xx or 4xx, JSON, and in an error the facade's own shape with words for people and without secrets."""
    assert 200 <= reply.status < 300 or 400 <= reply.status < 500 or reply.status in allowed, reply
    if facade is OAUTH:
        assert_proper_oauth(world, reply)
        return
    assert reply.headers[b"content-type"] == b"application/json; charset=utf-8", reply
    assert reply.headers[b"content-length"] == b"%d" % len(reply.body)
    body = reply.json
    if reply.status < 400:
        assert isinstance(body, dict), reply
        return
    if facade is V2:
        assert list(body) == ["errors"], reply
        assert len(body["errors"]) == 1
        error, text = body["errors"][0], "title"
    else:
        assert list(body) == ["error"], reply
        error, text = body["error"], "message" if facade is ADMIN else "description"
    assert error.keys() - {"cause"} == {"code", text}, reply
    assert all(isinstance(value, str) for value in error.values()), reply
    assert error["code"].isascii()
    assert error["code"].isprintable()
    assert error["code"]
    assert 5 <= len(error[text]) < 500, reply
    assert error[text].isprintable(), reply
    for secret in world.secrets:
        assert secret.encode() not in reply.body, reply
    if reply.status == 401:
        assert reply.headers[b"www-authenticate"]
        assert "cause" in error


def assert_proper_oauth(world: World, reply: Reply) -> None:
    """A page for people, or JSON whose errors have RFC 6749's shape; nobody is sent anywhere."""
    assert b"location" not in reply.headers, reply
    assert all(secret.encode() not in reply.body for secret in world.secrets), reply
    kind = reply.headers[b"content-type"]
    if kind == b"text/html; charset=utf-8":
        assert b"frame-ancestors 'none'" in reply.headers[b"content-security-policy"]
        assert reply.headers[b"cache-control"] == b"no-store"
    elif kind != b"text/css; charset=utf-8":
        assert kind == b"application/json; charset=utf-8", reply
        assert reply.status == 200 or {"error", "error_description"} <= reply.json.keys(), reply
        assert reply.status != 401 or reply.headers[b"www-authenticate"]


def checked(world: World, facade: Facade, *request: Any, rows: bool = False, allowed: tuple[int, ...] = ()) -> Reply:
    """Send the request and hold its answer against the rule; a refusal must have changed nothing."""
    rows = rows or world.url.startswith("postgresql")
    version, before = world.changes(), world.tables() if rows else None
    reply = world.send(*request)
    assert_proper(world, facade, reply, allowed=allowed)
    if reply.status >= 400:
        if b"already in use by another user" in reply.body:
            assert reply.status == 409
            if before is not None:
                assert_only_the_case_is_kept(before, world.tables())
        else:
            assert world.changes() == version, reply
            assert before is None or world.tables() == before, reply
    return reply


def assert_only_the_case_is_kept(before: dict[str, list[str]], after: dict[str, list[str]]) -> None:
    """One case, one event more, and in the owner's row nothing but the number of that event."""
    assert len(after["events"]) == len(before["events"]) + 1
    assert set(before["events"]) < set(after["events"])
    assert len(after["conflicts"]) - len(before["conflicts"]) in (0, 1)
    assert after["users"] == before["users"], "the case counts its own events"
    apart = {"events", "conflicts", "conflict_evidence", "users", "sqlite_sequence"}
    assert {name: rows for name, rows in before.items() if name not in apart} == {
        name: rows for name, rows in after.items() if name not in apart
    }


# What is sent

FULL_WIDTH = "ａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ"
TEXTS = [
    "", " ", "\t", "x", "x" * 65, "x" * 101, "x" * 129, "x" * 1025, "x" * 2049, "x" * 90_000, "\x7f", "\x85", "\u2028",
    "\ufeff", "\U0001f469\u200d\U0001f680", "e\u0301" * 600, "%00", "%2F", "../../etc/passwd", "' OR 1=1 --", "null",
    "507f1f77bcf86cd799439011", "Robert'); DROP TABLE users;--", "<script>", "\u202egnp.exe", "\u0000", "a\u0000b",
    "ada@example.com", "ADA@EXAMPLE.COM", FULL_WIDTH, "ada\u200b@example.com", "\u202eada@example.com", "a@b@c", "@",
    "ada@" + "x" * 124, "ada@xn--a", "ada@\u05d0b.com", "İ@example.com", "ß@ß.de", "ada@example..com", "1.e400",
    "http://", "https://" + "x" * 2041, "javascript:alert(1)", "\n", "x@\uff0e", "\u00adada@example.com",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.9999999-14:00", "9999-12-31T23:59:59.999999-00:01",
    "1970-01-01T00:00:00Z", "2016-12-31T23:59:60Z", "2020-05-21", "2020-05-21T15:53:30", "-0001-01-01T00:00:00Z",
]  # fmt: skip
FRAGMENTS = [
    b"null", b"true", b"false", b"0", b"-0", b"-1", b"1.5", b"1e400", b"-1e400", b"1e-400", b"1" + b"0" * 400,
    b"-" + b"9" * 4301, b"1" + b"0" * 5000, b"2147483648", b"9007199254740993", b"9223372036854775808",
    b"18446744073709551616", b"-9223372036854775809", b"NaN", b"Infinity", b"-Infinity", b"nan", b"01", b"1_0", b"+1",
    b".5", b"[]", b"{}", b'{"a":1,"a":2}', b'{"":""}', b'{"a":null}', b'{"a":{}}', b'{"a":[1]}',
    b'{"\\ud800":1}', b'{"a":"\\ud800"}', b'{"a\\u0001\\u202e":{}}', b'{"a":"\\u0000"}', b'{"id":""}',
    b'{"id":"x\\u00e9"}', b'{"id":"x","platform":"\\u0001\\u202e"}', b'{"id":"x","integrationId":"x"}',
    b'{"id":"x","info":{"a":1' + b"0" * 400 + b',"b":-9223372036854775809,"c":[{}],"d":null,"e":true}}',
    b'{"multiConvoEnabled":1}', b'{"nonsense\\u0007":1}', b'{"conversationRetentionSeconds":1' + b"0" * 60 + b"}",
    b'{"conversationRetentionSeconds":-1}', b'{"disableConversationReopen":true}',
    b'"\\ud800"', b'"\\udc00"', b'"\\ud83dx"', b'"\\ud83d\\ude00"', b'"\\u0000"', b'"\\x"', b'"\\', b'"', b"'x'",
    b'"\x00"', b'"\x1f"', b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\xaf"', b'"\xf4\x90\x80\x80"', b"\xef\xbb\xbf1", b"",
    b"{" + b",".join(b'"k%d":%d' % (number, number) for number in range(4000)) + b"}",
    b'{"' + b"k" * 5000 + b'":[]}',
    *(b"[" * depth + b"]" * depth for depth in (10, 900, 990, 1000, 1100, 40_000, 200_000)),
    *(b'{"a":' * depth + b"1" + b"}" * depth for depth in (10, 990, 16_000)),
    *(json.dumps(text).encode() for text in TEXTS),
    *(json.dumps(text, ensure_ascii=False).encode() for text in TEXTS if text.isprintable()),
]  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
fragments = st.sampled_from(FRAGMENTS) | json_values.map(json_of)


def valid_body(world: World) -> dict[str, Any]:
    """The fields of all bodies of all routes at once: what a route does not know it ignores."""
    profile = {
        "givenName": "Ada", "surname": "Byron", "email": "label@example.com", "avatarUrl": "https://example.com/a.png",
        "locale": "en-GB",
    }  # fmt: skip
    return {
        "displayName": "Acme",
        "settings": {"echoPostback": True},
        "metadata": {"plan": "gold", "visits": 3, "vip": True},
        "profile": profile,
        **profile,
        "properties": {"plan": "gold"},
        "signedUpAt": "2020-05-21T15:53:30.197Z",
        "toBeRetained": True,
        "client": {"id": "fuzz-phone", "platform": "ios", "integrationId": world.integration.id, "info": {"a": "b"}},
        "appUserId": world.visitor_id,
        "sessionToken": "no-such-session",  # or each login would merge one more visitor into Ada
    }


# Of a body: fields to replace, outermost first, and fields that are not there yet.
FIELDS = [
    ("displayName",), ("settings",), ("settings", "conversationRetentionSeconds"), ("settings", "multiConvoEnabled"),
    ("settings", "nonsense"), ("metadata",), ("metadata", "plan"), ("metadata", "x\x01\u202e"), ("profile",),
    ("profile", "givenName"), ("profile", "email"), ("profile", "avatarUrl"), ("profile", "locale"), ("givenName",),
    ("surname",), ("email",), ("avatarUrl",), ("locale",), ("properties",), ("properties", ""), ("signedUpAt",),
    ("toBeRetained",), ("client",), ("client", "id"), ("client", "platform"), ("client", "integrationId"),
    ("client", "info"), ("client", "info", "a"), ("client", "appVersion"), ("client", "pushNotificationToken"),
    ("appUserId",), ("sessionToken",), ("userId",), ("externalId",), ("publicKey",), ("conversation",), ("unknown",),
]  # fmt: skip
replacements = st.lists(st.tuples(st.sampled_from(FIELDS), fragments), min_size=1, max_size=3)


def body_with(world: World, replaced: list[tuple[tuple[str, ...], bytes]], *, twice: bool = False) -> bytes:
    """The valid body with pieces of JSON text, or of something else, in the place of some fields."""
    whole = valid_body(world)
    marks: dict[str, bytes] = {}
    for number, (path, text) in enumerate(replaced):
        at = whole
        for name in path[:-1]:
            at = at[name] if isinstance(at.get(name), dict) else at.setdefault(name, {}) if name not in at else {}
        mark = f"@@{number}@@"
        at[path[-1]] = mark
        marks[mark] = text
    body = json_of(whole)
    for mark, text in marks.items():
        body = body.replace(json_of(mark), text, 1)
    if twice:
        path, text = replaced[0]
        body = body[:-1] + b"," + json_of(path[0]) + b":" + text + b"}"
    return body


bodies = st.one_of(
    st.binary(max_size=60),
    fragments,
    st.sampled_from([b"", b" \r\n", b"x" * (100 * 1024), b"x" * (100 * 1024 + 1), b"{" * 90_000, b'{"displayName"']),
    st.tuples(replacements, st.booleans()),
)
SEGMENTS = [
    b"%00", b"%2F", b"%2f..%2f", b"%", b"%%", b"%zz", b"%FF", b"%ED%A0%80", b"%C0%AF", b"..", b".", b"%20", b"+",
    b"%0A", b"%7F", b"%C2%85", b"%E2%80%AE", b"%F0%9F%98%80", b"\xff", b"\xf0\x9f\x98\x80", b"a" * 9000, b"%41" * 3000,
    b"me", b"507f1f77bcf86cd799439011", b"%35%30%37f1f77bcf86cd799439011", b"'", b";", b"app_" + b"0" * 24, b"\x00",
    b"x\r\ny: z", b"(", b"{app}", b"0", b"-1", b"x" * 1024, b"x" * 1025, "é".encode(), b"%25",
]  # fmt: skip
segments = st.sampled_from(SEGMENTS) | st.binary(min_size=1, max_size=12).map(lambda raw: quote(raw, safe="").encode())
QUERIES = [
    b"page[size]=0", b"page[size]=101", b"page[size]=-1", b"page[size]=1e9", b"page[size]=%D9%A1", b"page[size]=",
    b"page[size]=" + b"9" * 5000, b"page={%22size%22:null}", b"page={%22size%22:true}", b"page={%22size%22:1e400}",
    b"page={%22size%22:1" + b"0" * 400 + b"}", b"page={%22after%22:[]}", b"page={%22x%22:1}", b"page={", b"page=[]",
    b"page={" + b"%22a%22:{" * 2000, b"page={%22after%22:%22\xff%22}", b"page[after]=x",
    b"page[after]=507f1f77bcf86cd799439011&page[before]=507f1f77bcf86cd799439011", b"page", b"page=1", b"page[]=1",
    b"page[after]=507f1f77bcf86cd799439011", b"page[before]=507f1f77bcf86cd799439011&page[size]=1", b"page[size][x]=1",
    b"page[a]=1&page=2", b"page=2&page[a]=1", b"filter=x&filter=y", b"filter={}&filter[identities.email]=a@b.c",
    b"filter[identities.email]=ada@example.com", b"filter%5Bidentities.email%5D=ada@example.com",
    b"filter={%22identities.email%22:%22ada@example.com%22}", b"filter={%22identities.email%22:1}",
    b"filter={%22identities.email%22:%22\\ud800%22}", b"filter[identities.email]=%ED%A0%80",
    b"filter[identities.email]=%00", b"filter[identities.email]=" + b"x" * 9000, b"filter[serviceAccountId]=x",
    b"filter=[1,2]", b"&".join(b"a%d=1" % number for number in range(10_000)), b"&" * 5000, b"=", b"&&=&", b"%",
    b"a=%FF", b"brandId=%00", b"a;b", b"page[size]=10&page={%22size%22:5}", b"page=%7B%22size%22%3A%2010%7D", b"?",
    b"#", b"\xff",
]  # fmt: skip
queries = (
    st.sampled_from(QUERIES)
    | st.binary(max_size=30)
    | st.dictionaries(
        st.sampled_from(["page", "page[size]", "page[after]", "filter", "filter[identities.email]", "brandId", "x"]),
        st.sampled_from(TEXTS).map(lambda text: text[:2000]) | json_values.map(json.dumps),
        max_size=3,
    ).map(lambda pairs: urlencode(pairs, errors="surrogatepass").encode())
)


def authorizations(world: World) -> list[bytes]:
    """Every way to say who one is, and many that say nothing."""
    secret = str(world.app_key.secret)
    short = world.ada.decode().removeprefix("Bearer ")
    return [
        world.account, basic(world.app_key.id, secret), world.ada, world.visitor, world.rival,
        basic(world.integration_key.id, str(world.integration_key.secret)),
        world.signed({"scope": "app"}), world.signed({"scope": "user"}), world.signed({"scope": "account"}),
        b"", b" ", b"Basic", b"Basic ", b"Basic =", b"Basic !!!!", b"Basic YQ", b"Basic YQ==", b"Basic Og==", b"Bearer",
        b"Basic " + base64.b64encode(b"\xff\xfe:x"), b"Basic " + base64.b64encode(b"a\x00b:c"), b"Bearer ", b"Bearer .",
        b"Basic " + base64.b64encode(b"act_" + b"0" * 24 + b":\xed\xa0\x80"), b"Basic \xe9", b"Bearer \xe9.\xff.x",
        basic(world.app_key.id, ""), basic(world.app_key.id, secret[:-1]), basic(world.app_key.id, secret + "\x00"),
        basic(world.app_key.id, "é" * 40), basic(world.visitor_id, "x"), basic(world.ada_id, world.visitor_session),
        basic("x" * 3000, "y" * 3000), b"Digest username=x", b"basic", b"BEARER " + short.encode(), b"Bearer\t" + b"x",
        b"Bearer " + short.encode() + b"," + short.encode(), b"Bearer " + b"x" * 8193, b"Bearer " + b"x" * 20_000,
        b"\x00", b"Bearer \x00", b"\xa0Basic x", short.encode(), b"Bearer null", b"Bearer undefined", b"Bearer {}",
    ]  # fmt: skip


HEADERS: list[Headers] = [
    [], [(b"content-type", b"")], [(b"content-type", b"text/plain")], [(b"content-type", b"\xff\x00")],
    [(b"content-type", b"application/x-www-form-urlencoded")], [(b"content-type", b"application/json; charset=utf-16")],
    [(b"content-type", b"multipart/form-data")], [JSON_TYPE] * 2, [(b"content-length", b"5")],
    [(b"content-length", b"0")], [(b"content-length", b"-1")], [(b"content-length", b"9" * 5000)],
    [(b"content-length", b"0" * 5000 + b"5")], [(b"content-length", b"1e3")], [(b"content-length", b"\xb2")],
    [(b"content-length", b"102401")], [(b"content-length", b"")], [(b"content-length", b"5"), (b"content-length", b"")],
    [(b"x-smooch-clientid", b"")], [(b"x-smooch-clientid", b"\x00")], [(b"x-smooch-clientid", b"\xff" * 300)],
    [(b"x-smooch-clientid", b"x" * 9000)], [(b"x-smooch-appid", b"\x00"), (b"x-smooch-sdk", b"\xff")],
    [(b"host", b"")], [(b"host", b"\xff\"<>\x01")], [(b"host", b"x" * 9000)],
    [(b"x-%d" % number, b"y") for number in range(5000)], [(b"x", b"y" * 40_000)],
    [(b"accept", b"text/html")], [(b"transfer-encoding", b"chunked")], [(b"expect", b"100-continue")],
    [(b"access-control-request-headers", b"\xff\x00")], [(b"origin", b"null")], [(b"accept-encoding", b"br;q=\xff")],
]  # fmt: skip


def known_path(world: World, facade: Facade, method: str, path: str) -> bytes:
    """The route's path with ids of what there is; a DELETE gets what it may take."""
    takes = method == "DELETE"
    ends = path.rsplit("/", 1)[1]
    known = {
        "{app}": world.spare_app if takes and ends == "{app}" else world.app.id,
        "{user}": world.spare_user if takes and "client" not in path else world.ada_id,
        "{key}": world.spare_key if takes else world.app_key.id,
        "{client}": world.client_id,
        "{device}": world.device_id,
        "{integration}": world.spare_integration if takes else world.integration.id,
    }
    for name, value in known.items():
        path = path.replace(name, value)
    return (facade.prefixes[0] + path).encode()


def usual_caller(world: World, facade: Facade) -> bytes:
    return world.account if facade in (V2, ADMIN) else world.ada


def tidy(world: World, method: str, path: str, reply: Reply) -> None:
    """Make good what a request that was accepted took away or used up."""
    if reply.status >= 300:
        return
    if method == "DELETE":
        world.renew_spares()
    elif path.endswith("/keys") and method == "POST":
        key_id = reply.json["key"]["id"]
        world.send("DELETE", f"/v2/apps/{world.app.id}/keys/{key_id}", b"", world.account)
    elif path.endswith("/logout"):
        world.renew_visitor()


def routes_reading(world: World, field: tuple[str, ...]) -> list[tuple[Facade, str, str]]:
    """The routes that mind what stands in the field; all that take bodies where none can be found to."""
    taking = [route for route in ROUTES if route[1] in ("POST", "PUT", "PATCH")]
    reading = []
    for facade, method, path in taking:
        where, caller = known_path(world, facade, method, path), usual_caller(world, facade)
        reply = world.send(method, where, body_with(world, [(field, b"[[]]")]), caller)
        tidy(world, method, path, reply)
        if reply.status >= 300:
            reading.append((facade, method, path))
    return reading or taking


def may_refuse_conversations(method: str, path: str, body: bytes) -> tuple[int, ...]:
    return (501,) if method == "POST" and path.endswith("/appusers") and b'"conversation"' in body else ()


# The tests


def test_the_valid_body_is_accepted(world: World) -> None:
    """Else what follows would try nothing but the first check of each route.

    That goes for the routes whose bodies can be one body; what conversations, messages, switchboards and webhooks make
    of theirs is seen by tests/e2e/test_schemathesis.py.
    """
    accepted = 0
    for facade, method, path in ROUTES:
        body = body_with(world, [(("unknown",), b"1")])
        query = b"filter[identities.email]=ada@example.com" if path.endswith("/users") else b""
        where = known_path(world, facade, method, path)
        reply = checked(world, facade, method, where, body, usual_caller(world, facade), None, query)
        accepted += reply.status < 300
        tidy(world, method, path, reply)
    assert accepted >= 32


@pytest.mark.parametrize(("facade", "method", "path"), ROUTES, ids=NAMES)
def test_any_body_is_answered(world: World, facade: Facade, method: str, path: str) -> None:
    def check(body: Any) -> None:
        sent = body if isinstance(body, bytes) else body_with(world, body[0], twice=body[1])
        where, caller = known_path(world, facade, method, path), usual_caller(world, facade)
        allowed = may_refuse_conversations(method, path, sent)
        reply = checked(world, facade, method, where, sent, caller, rows=len(sent) % 8 == 0, allowed=allowed)
        tidy(world, method, path, reply)

    tried(world, bodies, check, 0.8 if method not in ("GET", "DELETE") else 0.1)


@pytest.mark.parametrize("field", FIELDS, ids=".".join)
def test_any_value_in_a_field_is_answered(world: World, field: tuple[str, ...]) -> None:
    """Each field with each of the fixed fragments, on the routes that read it in turn."""
    routes = routes_reading(world, field)
    step = 1 if world.url.startswith("sqlite") else 7
    for number, text in enumerate(FRAGMENTS[::step]):
        facade, method, path = routes[number % len(routes)]
        sent = body_with(world, [(field, text)])
        where, caller = known_path(world, facade, method, path), usual_caller(world, facade)
        reply = checked(
            world, facade, method, where, sent, caller, allowed=may_refuse_conversations(method, path, sent)
        )
        tidy(world, method, path, reply)


@pytest.mark.parametrize(("facade", "method", "path"), ROUTES, ids=NAMES)
def test_any_path_and_query_is_answered(world: World, facade: Facade, method: str, path: str) -> None:
    def check(sample: tuple[list[bytes], bytes]) -> None:
        replaced, query = sample
        parts = known_path(world, facade, method, path).split(b"/")
        for back, segment in enumerate(replaced):
            at = len(parts) - 1 - 2 * back
            if at > 2:
                parts[at] = segment
        reply = checked(
            world, facade, method, b"/".join(parts), b"", usual_caller(world, facade), None, query,
            rows=len(query) % 8 == 1,
        )  # fmt: skip
        tidy(world, method, path, reply)

    tried(world, st.tuples(st.lists(segments, max_size=2), queries), check, 0.4)


@pytest.mark.parametrize("query", QUERIES)
def test_any_query_of_a_list_is_answered(world: World, query: bytes) -> None:
    for path in ("/v2/apps", f"/v2/apps/{world.app.id}/users", f"/v2/apps/{world.app.id}/users/ada/clients"):
        checked(world, V2, "GET", path, b"", world.account, None, query)


@pytest.mark.parametrize(("facade", "method", "path"), ROUTES, ids=NAMES)
def test_any_header_is_answered(world: World, facade: Facade, method: str, path: str) -> None:
    """Every malformed kind of credentials once per route, and odd headers beside good ones."""
    where = known_path(world, facade, method, path)
    body = b"" if method in ("GET", "DELETE") else b'{"displayName":"x"}'
    step = 1 if world.url.startswith("sqlite") else 9
    for authorization in authorizations(world)[::step]:
        reply = checked(world, facade, method, where, body, authorization)
        tidy(world, method, path, reply)
        where = known_path(world, facade, method, path)
    for headers in HEADERS[::step]:
        reply = checked(world, facade, method, where, body, usual_caller(world, facade), headers)
        tidy(world, method, path, reply)
        where = known_path(world, facade, method, path)
    assert checked(world, facade, method, where, body, None, [(b"x", b"y")] * 5000).status == 431
    twice = [(b"authorization", usual_caller(world, facade)), (b"authorization", b"Basic x")]
    tidy(world, method, path, checked(world, facade, method, where, body, None, twice))


@pytest.mark.parametrize("facade", FACADES, ids=[facade.name for facade in FACADES])
def test_any_method_is_answered(world: World, facade: Facade) -> None:
    paths = sorted({path for _, path, _ in facade.routes})
    for path in paths if facade.cors else []:
        preflight = world.send("OPTIONS", facade.prefixes[0] + path)
        assert (preflight.status, preflight.body, b"content-length" in preflight.headers) == (204, b"", False)
    for method in ("HEAD", "TRACE", "CONNECT", "PROPFIND", "get", "", "X" * 3000, "PO ST", "\xff", "QUERY"):
        for path in paths[:: 1 if world.url.startswith("sqlite") else 5]:
            where = known_path(world, facade, "GET", path)
            reply = checked(world, facade, method, where, b"{}", usual_caller(world, facade))
            assert reply.status == 405
            assert reply.headers[b"allow"]
    where = (facade.prefixes[-1] + "/no/such/place").encode()
    assert checked(world, facade, "GET", where).status == 404
    assert checked(world, facade, "GET", facade.prefixes[0].encode()).status == 404


@given(method=st.text(max_size=8), path=st.binary(max_size=30), query=queries, body=st.binary(max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_request_below_a_prefix_is_answered(
    world: World, method: str, path: bytes, query: bytes, body: bytes
) -> None:
    for facade in FACADES:
        if method != "OPTIONS" or not facade.cors:
            where = facade.prefixes[0].encode() + b"/" + path
            checked(world, facade, method, where, body, usual_caller(world, facade), None, query)


def test_a_contested_login_keeps_its_case_and_nothing_else(world: World) -> None:
    path = f"/sdk/v2/apps/{world.app.id}/login"
    for body in (body_with(world, [(("unknown",), b"1")]), b"{}", b""):
        reply = checked(world, SDK, "POST", path, body, world.rival, rows=True)
        assert reply.status == 409
        assert CONTESTED.encode() not in reply.body
        assert world.ada_id.encode() not in reply.body
    assert world.send("GET", f"/v2/apps/{world.app.id}/users/rival", b"", world.account).status == 404


# What is accepted comes back unchanged

storable = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
exact = st.characters(exclude_categories=["Cs", "Cc"])
external_ids = st.one_of(
    st.text(exact, min_size=1, max_size=20),
    st.text(exact, min_size=1, max_size=4).map(lambda text: (text * 1024)[:1024]),
    st.from_regex(r"[0-9a-f]{24}", fullmatch=True),
    st.sampled_from([text for text in TEXTS if text and text.isprintable() and len(text) <= 1024]),
    st.sampled_from(
        [".", "..", "/", "//", "%", "%41", "%2F", "a/b", "?", "#", "a?b=c", "+", "me", "\U0010ffff" * 1024]
    ),
)
short = st.text(storable, min_size=1, max_size=12) | st.text(storable, min_size=1, max_size=2).map(
    lambda text: (text * 128)[:128]
)
profiles = st.fixed_dictionaries(
    {},
    optional={
        "givenName": short,
        "surname": short,
        "email": st.sampled_from(
            [" ada@example.com\t", "ADA+x@Example.COM", FULL_WIDTH, "a@b", "ß@straße.de", "\tä@ö"]
        ),
        "avatarUrl": st.text(storable, max_size=20).map(lambda rest: "https://" + rest),
        "locale": st.text(storable, min_size=1, max_size=64),
    },
)
numbers = (
    st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        [2**53 + 1, -(2**53) - 1, 2**63, -(2**63) - 1, 2**64, 10**400, -(10**400), -0.0, 5e-324, 1.7976931348623157e308]
    )
)
properties = st.dictionaries(
    st.text(storable, max_size=10), st.text(storable, max_size=20) | numbers | st.booleans(), max_size=5
)
times = st.datetimes(
    timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
) | st.sampled_from(
    [
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 998_999, tzinfo=UTC),
    ]
)


def same(one: Any, other: Any) -> bool:
    """Equal as JSON texts: 1 is not true, and -0.0 is not 0."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def made_and_read(world: World, body: dict[str, Any]) -> dict[str, Any] | None:
    """The user made of this body as both answers show her, or None when it is refused with words."""
    users = f"/v2/apps/{world.app.id}/users"
    made = checked(world, V2, "POST", users, json_of(body), world.account)
    if made.status >= 400:
        assert made.status == 400
        return None
    user = made.json["user"]
    read = checked(world, V2, "GET", f"{users}/{user['id']}", b"", world.account).json["user"]
    assert same(user, read)
    return user


def test_an_external_id_comes_back_unchanged(world: World) -> None:
    users = f"/v2/apps/{world.app.id}/users"

    def check(external_id: str) -> None:
        where = f"{users}/{quote(external_id, safe='')}"
        world.send("DELETE", where, b"", world.account)  # other tests may have made one
        user = made_and_read(world, {"externalId": external_id})
        assert user is not None
        assert user["externalId"] == external_id
        assert checked(world, V2, "GET", where, b"", world.account).json["user"]["id"] == user["id"]
        body = json.dumps({"externalId": external_id}, ensure_ascii=False).encode()
        assert checked(world, V2, "POST", users, body, world.account).status == 409
        if len(external_id) <= 255:
            token = world.token(external_id)
            login = checked(world, SDK, "POST", f"/sdk/v2/apps/{world.app.id}/login", b"", token).json
            assert (login["appUser"]["_id"], login["appUser"]["userId"]) == (user["id"], external_id)
            own = f"/sdk/v2/apps/{world.app.id}/appusers/{quote(external_id, safe='')}"
            assert checked(world, SDK, "GET", own, b"", token).json["appUser"]["_id"] == user["id"]
        assert checked(world, V2, "DELETE", where, b"", world.account).status == 200
        assert checked(world, V2, "GET", where, b"", world.account).status == 404

    tried(world, external_ids, check)


def test_an_external_id_that_cannot_be_is_refused_everywhere(world: World) -> None:
    users = f"/v2/apps/{world.app.id}/users"
    for external_id in ("", "\n", "a\x00b", "a\x7f", "\x85", "x" * 1025, "\U0010ffff" * 1025):
        assert made_and_read(world, {"externalId": external_id}) is None
        body = json_of({"externalId": external_id})
        assert checked(world, V2, "PATCH", f"{users}/{world.spare_user}", body, world.account).status == 400
        where = f"{users}/{quote(external_id, safe='')}"
        assert checked(world, V2, "GET", where, b"", world.account).status in (400, 404)


def test_a_profile_comes_back_unchanged(world: World) -> None:
    own = f"/sdk/v2/apps/{world.app.id}/appusers/ada"

    def check(profile: dict[str, str]) -> None:
        user = made_and_read(world, {"profile": profile})
        assert user is not None
        assert user["profile"] == profile
        shown = checked(world, SDK, "PUT", own, json_of(profile), world.ada).json["appUser"]
        assert profile.items() <= shown.items()
        assert checked(world, SDK, "GET", own, b"", world.ada).json["appUser"] == shown

    tried(world, profiles, check)


def test_properties_come_back_unchanged(world: World) -> None:
    """Whole numbers of any size do, or are refused; no number is turned into another one."""

    def check(metadata: dict[str, Any]) -> None:
        user = made_and_read(world, {"metadata": metadata})
        if user is None:
            assert len(msgspec.json.encode(metadata)) > 4096
        else:
            assert same(user["metadata"], metadata)
        where = f"/v2/apps/{world.app.id}"
        reply = checked(world, V2, "PATCH", where, json_of({"metadata": None}), world.account)
        reply = checked(world, V2, "PATCH", where, json_of({"metadata": metadata}), world.account)
        assert reply.status == 400 or same(reply.json["app"]["metadata"], metadata)

    tried(world, properties, check, 2, {"n": 10**4000}, {"n": 10**4299}, {"n": 1e300, "m": 2**63})


def test_a_number_too_long_to_be_read_is_refused_with_words(world: World) -> None:
    body = b'{"metadata":{"n":1' + b"0" * 5000 + b"}}"
    reply = checked(world, V2, "POST", f"/v2/apps/{world.app.id}/users", body, world.account)
    assert (reply.status, "out of range" in reply.json["errors"][0]["title"]) == (400, True)


def test_a_sign_up_time_comes_back_to_the_millisecond(world: World) -> None:
    """Also before 1970 and far from now; what lies outside the years 1 to 9999 of UTC is refused."""

    def check(time: datetime) -> None:
        user = made_and_read(world, {"signedUpAt": time.isoformat()})
        try:
            instant = time.astimezone(UTC)
        except OverflowError:
            assert user is None
            return
        assert user is not None
        assert user["signedUpAt"] == instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    tried(world, times.filter(lambda time: abs(time.timestamp()) >= 0.001), check, 2)


def test_the_first_millisecond_of_1970_is_a_sign_up_time(world: World) -> None:
    user = made_and_read(world, {"signedUpAt": "1970-01-01T00:00:00Z"})
    assert user is not None
    assert user.get("signedUpAt") == "1970-01-01T00:00:00.000Z"


@pytest.mark.parametrize(("one", "other"), [(1, True), (0, False), (True, 1), (1, 1.0), (0.0, -0.0)])
def test_a_property_may_change_its_type(world: World, one: Any, other: Any) -> None:
    """Python holds 1 and true for equal; to a caller they are two values."""
    for where, name in ((f"/v2/apps/{world.app.id}/users/ada", "user"), (f"/v2/apps/{world.app.id}", "app")):
        for value in (one, other):
            body = json_of({"metadata": {"vip": value}})
            reply = checked(world, V2, "PATCH", where, body, world.account)
            assert same(reply.json[name]["metadata"]["vip"], value)
            reply = checked(world, V2, "GET", where, b"", world.account)
            assert same(reply.json[name]["metadata"]["vip"], value)


# Tokens


@pytest.mark.parametrize(
    ("cause", "token"),
    [(cause, token) for cause, token in tokens.HOSTILE if not token.endswith("\n")],  # no header ends in a line feed
    ids=str,
)
def test_a_hostile_token_is_refused_for_its_cause(
    world: World, monkeypatch: pytest.MonkeyPatch, cause: str, token: str
) -> None:
    monkeypatch.setattr(world.edge._services, "clock", lambda: tokens.NOW)
    bearer = b"Bearer " + token.encode("utf-8", "surrogatepass")
    body = body_with(world, [(("unknown",), b"1")])
    login = checked(world, SDK, "POST", f"/sdk/v2/apps/{world.app.id}/login", body, bearer)
    assert (login.status, login.json["error"]["code"], login.json["error"]["cause"]) == (401, "invalid_auth", cause)
    read = checked(world, V2, "GET", f"/v2/apps/{world.app.id}/users/ada", b"", bearer)
    error = read.json["errors"][0]
    assert (read.status, error["code"], error["cause"]) == (401, "invalid_auth", cause)


def test_a_good_token_in_the_wrong_place_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    login = f"/sdk/v2/apps/{world.app.id}/login"
    refused = [
        ("jwt.scope.not_user", world.app.id, world.signed({"scope": "app"})),
        ("jwt.key.other_app", world.spare_app, world.ada),
        ("login.not_bearer", world.app.id, world.visitor),
    ]
    for cause, app_id, authorization in refused:
        reply = checked(world, SDK, "POST", login.replace(world.app.id, app_id), b"", authorization)
        assert (reply.status, reply.json["error"]["code"], reply.json["error"]["cause"]) == (401, "invalid_auth", cause)
    reply = checked(world, SDK, "POST", login, b'{"userId":"eve"}', world.ada)
    assert (reply.status, reply.json["error"]["cause"]) == (401, "login.user_id.mismatch")
    assert checked(world, V2, "GET", f"/v2/apps/{world.app.id}/users/ada", b"", world.ada).status == 403


claims = st.dictionaries(
    st.sampled_from(["external_id", "userId", "email", "email_verified", "name", "exp", "nbf", "iat", "scope", "x"]),
    json_values | st.sampled_from([*TEXTS, True, "user", "appUser", 10**30]).filter(lambda text: len(str(text)) < 3000),
    max_size=4,
)


def test_any_claims_are_answered(world: World) -> None:
    """Signed by the right key, whatever they say."""

    def check(stated: dict[str, Any]) -> None:
        bearer = world.signed({"scope": "user", "external_id": "claims", "email_verified": True} | stated)
        login = checked(world, SDK, "POST", f"/sdk/v2/apps/{world.app.id}/login", b"", bearer)
        if login.status == 200 and isinstance(stated.get("external_id"), str):
            assert login.json["appUser"]["userId"] == stated["external_id"]

    fixed = [{name: text} for name in ("name", "email", "external_id") for text in TEXTS if len(text) < 3000]
    unverified = [{**stated, "email_verified": False} for stated in fixed]
    tried(world, claims, check, 2, *fixed, *unverified)
