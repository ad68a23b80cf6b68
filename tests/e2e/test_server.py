"""The server as whoever runs it meets it: health, limits of trust, restarts, crashes, and a log that keeps secrets."""

import asyncio
import random
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import aiohttp
import asyncpg
import jwt
import pytest

from tests.e2e.acme import (
    Acme,
    Reply,
    basic,
    bearer,
    new_email,
    new_external_id,
    new_guid,
    open_shop,
    run_command,
    server_on,
    wait_for_log,
)
from tests.servers import Postgres, fresh_database, wait_until


@pytest.fixture
def own(database_url: str) -> Iterator[Acme]:
    """An app on a server that the test may stop; a log without its secrets is a part of every such test."""
    with server_on(database_url) as server:
        acme = open_shop(server).new_app()
        yield acme
        acme.secrets.assert_not_in(server.log_text())


class Restartable(Postgres):
    """A PostgreSQL server that can be taken away for a while."""

    def stop(self) -> None:
        self._end(signal.SIGINT)

    def start_again(self) -> None:
        self._start_process(start_new_session=True, **self._how)


# --- what machines ask about its health -----------------------------------------------------------------------------


def test_it_says_that_it_is_alive_and_ready(acme: Acme) -> None:
    assert acme.send("GET", "/healthz").status == 200
    assert acme.send("GET", "/readyz").status == 200
    assert acme.send("GET", "/").status == 200
    assert acme.send("GET", "/no/such/page").status == 404


def test_without_its_database_it_is_alive_but_not_ready_and_recovers_by_itself() -> None:
    with Restartable() as postgres, fresh_database(postgres.url) as url, server_on(url) as server:
        acme = open_shop(server).new_app()
        external_id = new_external_id()
        token = acme.token(external_id, new_email())
        before = acme.log_in(token).json["appUser"]["_id"]

        postgres.stop()
        try:
            for _ in range(3):
                gone = acme.send("GET", "/readyz")
                assert gone.status == 503
                assert gone.headers["retry-after"]
                assert acme.send("GET", "/healthz").status == 200
                login = acme.log_in(token, new_guid())
                assert login.status == 503, login.body
                assert login.headers["retry-after"]
                assert login.headers["access-control-allow-origin"] == "*"
                assert set(login.json["error"]) >= {"code", "description"}
                api = acme.v2("GET", f"/users/{external_id}")
                assert api.status == 503
                assert api.json["errors"][0]["code"]
        finally:
            postgres.start_again()

        wait_until(lambda: acme.send("GET", "/readyz").status == 200, what="ready again", timeout_s=10)
        after = acme.log_in(token)
        assert (after.status, after.json["appUser"]["_id"]) == (200, before)
        acme.secrets.assert_not_in(wait_for_log(server))


def metric(acme: Acme, name: str, **labels: str) -> float:
    """One counter's value, 0 when it has none yet."""
    wanted = {f'{label}="{value}"' for label, value in labels.items()}
    total = 0.0
    for line in acme.send("GET", "/metrics").body.decode().splitlines():
        head, _, value = line.rpartition(" ")
        if head.partition("{")[0] == name and wanted <= set(head.partition("{")[2].rstrip("}").split(",")):
            total += float(value)
    return total


def test_metrics_count_by_facade_and_name_nobody(acme: Acme) -> None:
    counters: list[tuple[str, dict[str, str], int]] = [
        ("knownas_http_requests_total", {"facade": "sdk", "method": "POST", "status": "200"}, 2),
        ("knownas_http_requests_total", {"facade": "sdk", "method": "POST", "status": "409"}, 1),
        ("knownas_http_requests_total", {"facade": "sdk", "method": "POST", "status": "401"}, 1),
        ("knownas_http_requests_total", {"facade": "sdk", "method": "POST", "status": "201"}, 1),
        ("knownas_http_requests_total", {"facade": "sunshine_v2", "method": "GET", "status": "200"}, 1),
        ("knownas_http_requests_total", {"facade": "sunshine_v2", "method": "GET", "status": "404"}, 1),
        ("knownas_logins_total", {"outcome": "created"}, 1),
        ("knownas_logins_total", {"outcome": "known"}, 1),
        ("knownas_logins_total", {"outcome": "contested"}, 1),
        ("knownas_refused_credentials_total", {"cause": "jwt.kid.unknown"}, 1),
        ("knownas_http_requests_total", {"facade": "sunshine_v2", "method": "other", "status": "405"}, 1),
    ]
    before = [metric(acme, name, **labels) for name, labels, _ in counters]
    external_id, email, guid = new_external_id(), new_email(), new_guid()
    token = acme.token(external_id, email, name="Ada Lovelace")
    user_id = acme.log_in(token, guid).json["appUser"]["_id"]
    acme.log_in(token, guid)
    acme.log_in(acme.token(new_external_id(), email))
    acme.log_in(token.replace(token.partition(".")[0], head_of_a_dead_key()))
    visitor, session = acme.visit()
    acme.user(external_id)
    acme.user("5d8cff3cd55b040010928b5b")
    acme.v2("PROPFIND", f"/users/{user_id}")
    after = [metric(acme, name, **labels) for name, labels, _ in counters]
    grown = [later - earlier for earlier, later in zip(before, after, strict=True)]
    assert grown == [count for _, _, count in counters]

    text = acme.send("GET", "/metrics").body.decode()
    acme.secrets.assert_not_in(text)
    for told in (acme.app_id, acme.key.id, user_id, visitor, session, external_id, email, guid, "Lovelace", "PROPFIND"):
        assert told not in text


def head_of_a_dead_key() -> str:
    """A token's header that names a key which nobody has."""
    headers = {"kid": "app_5d8cff3cd55b040010928b5b"}
    return jwt.encode({}, "a secret of thirty-two characters", "HS256", headers=headers).partition(".")[0]


# --- browsers -------------------------------------------------------------------------------------------------------


def assert_open_to_browsers(reply: Reply) -> None:
    assert reply.headers.get_all("access-control-allow-origin") == ["*"]
    assert "access-control-allow-credentials" not in reply.headers


def test_every_answer_of_the_sdk_api_may_be_read_by_a_browser(acme: Acme) -> None:
    """Errors too: a browser that hides a 401 never renews its token (facts on the SDK, web#707)."""
    email, origin = new_email(), {"origin": "https://shop.example.org"}
    token = acme.token(new_external_id(), email)
    answers = {
        200: acme.log_in(token),
        201: acme.sdk("POST", "/appusers", {}, **origin),
        400: acme.sdk("POST", "/login", b"{", bearer(token), **origin),
        401: acme.sdk("POST", "/login", {}, **origin),
        403: acme.sdk("GET", "/appusers/somebody", None, bearer(token), **origin),
        404: acme.send("POST", "/sdk/v2/apps/5d8cff3cd55b040010928b5b/appusers", {}, **origin),
        405: acme.sdk("DELETE", "/login", None, **origin),
        409: acme.log_in(acme.token(new_external_id(), email)),
        413: acme.sdk("POST", "/appusers", b"x" * 200_000, **origin),
        431: acme.sdk("POST", "/appusers", {}, **{f"x_{number}": "x" for number in range(120)}),
        501: acme.sdk("POST", "/appusers", {"conversation": {"type": "personal"}}, **origin),
    }
    for status, reply in answers.items():
        assert reply.status == status, (status, reply.body)
        assert_open_to_browsers(reply)
        if status >= 400:
            assert reply.json["error"]["code"]
    for path in (
        "/sdk",
        "/sdk/",
        "/sdk/v9/x",
        "/sc/sdk/v2/nothing",
        "/sdk/v2/apps/%ff/appusers",
        "/sdk/v2/apps/a%00/appusers",
    ):
        reply = acme.send("GET", path)
        assert reply.status in (400, 404)
        assert_open_to_browsers(reply)
        assert reply.json["error"]["code"]


def test_a_browsers_preflight_is_allowed_what_sdks_send(acme: Acme) -> None:
    asked = "authorization, content-type, x-smooch-appid, x-smooch-clientid, x-smooch-sdk"
    for prefix in ("/sdk", "/sc/sdk"):
        for method, path in (("POST", "/login"), ("GET", "/appusers/x"), ("PUT", "/appusers/x"), ("POST", "/appusers")):
            reply = acme.send(
                "OPTIONS",
                f"{prefix}/v2/apps/{acme.app_id}{path}",
                origin="https://shop.example.org",
                access_control_request_method=method,
                access_control_request_headers=asked,
            )
            assert reply.status in (200, 204)
            assert_open_to_browsers(reply)
            assert method in reply.headers["access-control-allow-methods"]
            allowed = {name.strip() for name in reply.headers["access-control-allow-headers"].lower().split(",")}
            assert set(asked.split(", ")) <= allowed
            assert int(reply.headers["access-control-max-age"]) > 0


def test_no_answer_of_the_backends_api_may_be_read_by_a_browser(acme: Acme) -> None:
    """A page that could call it would have to hold the key."""
    origin = {"origin": "https://shop.example.org"}
    paths = ("/users/nobody", "/users?filter[identities.email]=a@example.org", "/nothing/here")
    replies = [acme.v2("GET", path, None, **origin) for path in paths]
    replies += [acme.send("GET", f"/sc/v2/apps/{acme.app_id}", None, acme.as_backend, **origin)]
    replies += [acme.send("GET", "/v2/apps", None, None, **origin), acme.send("GET", "/v2", None, None, **origin)]
    preflight = {"access_control_request_method": "GET", "access_control_request_headers": "authorization"}
    replies += [acme.send("OPTIONS", f"/v2/apps/{acme.app_id}/users/x", **origin, **preflight)]
    replies += [acme.send("GET", path, **origin) for path in ("/metrics", "/healthz", "/")]
    for reply in replies:
        assert not [name for name in reply.headers if name.lower().startswith("access-control-")]
    assert replies[-4].status == 405


# --- HTTP -----------------------------------------------------------------------------------------------------------


def test_the_vendors_prefix_leads_to_the_same_server(acme: Acme) -> None:
    external_id = new_external_id()
    token = acme.token(external_id)
    login = acme.send("POST", f"/sc/sdk/v2/apps/{acme.app_id}/login", {}, bearer(token))
    assert login.status == 200
    user = acme.send("GET", f"/sc/v2/apps/{acme.app_id}/users/{external_id}", None, acme.as_backend)
    assert user.json["user"]["id"] == login.json["appUser"]["_id"] == acme.user(external_id)["id"]
    assert acme.send("GET", "/sc/v2/tokenInfo", None, acme.as_backend).json["app"]["id"] == acme.app_id
    for path in ("/sc", "/sc/", "/scv2/apps", "/v2x", "/sc/sc/v2/apps"):
        assert acme.send("GET", path).status == 404


def raw(acme: Acme, *lines: str) -> bytes:
    """Everything that comes back for one request as it is written here, until the server closes."""
    place = urlsplit(acme.server.url)
    with socket.create_connection((str(place.hostname), place.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


def test_a_connection_that_is_to_be_closed_is_said_to_be_closed(acme: Acme) -> None:
    """smooch-core sends `Connection: close`; Node fails its next call when that is not said back (facts on clients)."""
    for path, status in (
        (f"/v2/apps/{acme.app_id}/users/x", 404),
        ("/v2/apps", 401),
        (f"/sdk/v2/apps/{acme.app_id}/appusers/x", 401),
        ("/healthz", 200),
        ("/nothing", 404),
    ):
        own_key = f"authorization: {acme.as_backend}" if status == 404 else "accept: */*"
        received = raw(acme, f"GET {path} HTTP/1.1", "host: acme", own_key, "Connection: close")
        head = received.partition(b"\r\n\r\n")[0].decode().lower().splitlines()
        assert f" {status} " in head[0]
        assert "connection: close" in head
    old = raw(acme, "GET /healthz HTTP/1.0", "host: acme")
    assert old.endswith(b"ok\n"), "HTTP/1.0 closes by itself"


def test_one_connection_serves_many_requests(acme: Acme) -> None:
    place = urlsplit(acme.server.url)
    request = f"GET /v2/apps/{acme.app_id} HTTP/1.1\r\nhost: acme\r\nauthorization: {acme.as_backend}\r\n\r\n".encode()
    with socket.create_connection((str(place.hostname), place.port), timeout=10) as connection:
        connection.sendall(request * 20)
        received = b""
        while received.count(b"HTTP/1.1 200") < 20 or not received.endswith(b"}}"):
            chunk = connection.recv(65536)
            assert chunk, received[-500:]
            received += chunk


def test_a_head_without_end_is_refused_and_costs_nobody_else_anything(acme: Acme) -> None:
    place = urlsplit(acme.server.url)
    with socket.create_connection((str(place.hostname), place.port), timeout=10) as connection:
        connection.sendall(b"GET /v2/apps HTTP/1.1\r\nhost: acme\r\nx-long: ")
        received = b""
        try:
            for _ in range(100):
                connection.sendall(b"x" * 65536)
            received = connection.recv(65536)
        except OSError:
            received = received or b"HTTP/1.1 431"  # closed while we wrote: the answer may be lost with it
    assert b" 431" in received
    assert acme.send("GET", "/healthz").status == 200


# --- stopping, crashing, starting again -----------------------------------------------------------------------------


def test_a_restart_keeps_everything(own: Acme) -> None:
    guid, external_id, email = new_guid(), new_external_id(), new_email()
    token = own.token(external_id, email, name="Ada Lovelace")
    known = own.log_in(token, guid).json["appUser"]["_id"]
    visitor, session = own.visit(givenName="Eve", properties={"cart": 3})
    absorbed, proof = own.visit()
    own.log_in(token, new_guid(), proof=(absorbed, proof))
    second = own.new_key("second")
    own.v2("PATCH", "", {"displayName": "Renamed", "metadata": {"a": 1}}, own.as_account)
    assert own.log_in(own.token(new_external_id(), email)).status == 409
    seen = (own.user(external_id), own.user(visitor), own.devices(external_id))

    for end in (own.server.stop, own.server.kill):
        end()
        own.server.start()
        assert (own.user(external_id), own.user(visitor), own.devices(external_id)) == seen
        assert own.user(absorbed)["id"] == known
        assert own.sdk("GET", f"/appusers/{visitor}", None, basic(visitor, session)).status == 200
        assert own.sdk("GET", f"/appusers/{known}", None, bearer(token)).status == 200
        again = own.log_in(own.token(external_id, email, key=second), guid)
        assert again.json["appUser"]["_id"] == known
        assert own.log_in(own.token(new_external_id(), email)).status == 409
        shown = own.v2("GET", "").json["app"]
        assert (shown["displayName"], shown["metadata"]) == ("Renamed", {"a": 1})
        assert len(own.v2("GET", "/keys", None, own.as_account).json["keys"]) == 2


@contextmanager
def half_sent(acme: Acme, token: str, body: bytes) -> Iterator[socket.socket]:
    """A login whose head has arrived and whose body has not."""
    place = urlsplit(acme.server.url)
    head = [
        f"POST /sdk/v2/apps/{acme.app_id}/login HTTP/1.1", "host: acme", f"authorization: {bearer(token)}",
        "content-type: application/json", f"content-length: {len(body)}", "", "",
    ]  # fmt: skip
    with socket.create_connection((str(place.hostname), place.port), timeout=20) as connection:
        connection.sendall("\r\n".join(head).encode() + body[:1])
        yield connection


def test_sigterm_lets_running_requests_finish(own: Acme) -> None:
    external_id = new_external_id()
    body = b'{"client": {"id": "0123456789abcdef"}}'
    place = urlsplit(own.server.url)
    with half_sent(own, own.token(external_id), body) as connection:
        # The server has read the head once it answers somebody who came later.
        assert own.send("GET", "/healthz").status == 200
        process = own.server._process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: not accepts(place.port or 0), what="no new connections", timeout_s=5)
        with pytest.raises(subprocess.TimeoutExpired):  # it waits for the request that is running
            process.wait(0.5)
        connection.sendall(body[1:])
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        assert received.startswith(b"HTTP/1.1 200"), received[:200]
        assert process.wait(10) in (0, -signal.SIGTERM)
    own.server.start()
    assert own.devices(external_id) == {"0123456789abcdef": "active"}


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def log_in_until_it_dies(acme: Acme, after_s: float) -> dict[str, str]:
    """Eight devices log new users in, one after the other, until the server is killed: what was answered."""
    answered: dict[str, str] = {}

    async def one_after_the_other(session: aiohttp.ClientSession) -> None:
        while True:
            external_id = new_external_id()
            headers = {"authorization": bearer(acme.token(external_id, new_email()))}
            body = {"client": {"id": new_guid()}}
            try:
                async with session.post(
                    f"{acme.server.url}/sdk/v2/apps/{acme.app_id}/login", json=body, headers=headers
                ) as answer:
                    state = await answer.json()
                    assert answer.status == 200, state
            except aiohttp.ClientError:
                return
            answered[external_id] = state["appUser"]["_id"]

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        devices = [asyncio.create_task(one_after_the_other(session)) for _ in range(8)]
        await asyncio.sleep(after_s)  # the random moment itself; nothing is awaited by it
        acme.server.kill()
        await asyncio.gather(*devices)
    return answered


async def ids_now(acme: Acme, external_ids: list[str]) -> dict[str, str]:
    """Who has these external ids, as the backend sees it."""
    found: dict[str, str] = {}
    headers = {"authorization": acme.as_backend}
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=16)) as session:

        async def look(external_id: str) -> None:
            async with session.get(f"{acme.server.url}/v2/apps/{acme.app_id}/users/{external_id}") as answer:
                if answer.status == 200:
                    found[external_id] = (await answer.json())["user"]["id"]

        await asyncio.gather(*map(look, external_ids))
    return found


async def test_sigkill_loses_no_login_that_was_answered(own: Acme) -> None:
    rounds = 10 if own.server.database.startswith("sqlite") else 5
    seed = random.SystemRandom().randrange(2**32)
    moments = random.Random(seed)
    answered: dict[str, str] = {}
    for number in range(rounds):
        answered |= await log_in_until_it_dies(own, moments.uniform(0.03, 0.3))
        own.server.start()
        now = await ids_now(own, list(answered))
        assert now == answered, f"lost in round {number} with seed {seed}"
    assert len(answered) > rounds, "there were logins to lose"


# --- a schema from the future ---------------------------------------------------------------------------------------


async def test_a_schema_that_is_too_new_is_refused_in_a_sentence(database_url: str) -> None:
    assert run_command("apps", "create", "Acme", database=database_url).returncode == 0
    insert = "INSERT INTO schema_history (version, name, applied_at) VALUES (9999, 'from_the_future', 0)"
    if database_url.startswith("sqlite"):
        file = sqlite3.connect(database_url.removeprefix("sqlite:///"))
        with file:
            file.execute(insert)
        file.close()
    else:
        connection = await asyncpg.connect(database_url)
        await connection.execute(insert)
        await connection.close()
    for refused in (
        run_command("serve", "--port", "0", database=database_url),
        run_command("apps", "create", "Acme", database=database_url),
    ):
        assert refused.returncode == 1
        said = refused.stderr + refused.stdout
        assert "9999" in said
        assert "newer Knownas" in said
        assert "Traceback" not in said
        assert len(said.strip().splitlines()) == 1


# --- the log --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["info", "debug"])
def test_the_log_keeps_secrets_whatever_happens_and_however_much_it_says(database_url: str, level: str) -> None:
    with server_on(database_url, KNOWNAS_LOG_LEVEL=level) as server:
        acme = open_shop(server).new_app()
        everything_that_can_go_wrong(acme)
        acme.secrets.assert_not_in(wait_for_log(server))
        server.stop()
        acme.secrets.assert_not_in(server.log_text())
        assert "Traceback" not in server.log_text()


def everything_that_can_go_wrong(acme: Acme) -> None:
    email, external_id, guid = new_email(), new_external_id(), new_guid()
    acme.secrets.keep(email, "pushtoken-0123456789")
    token = acme.token(external_id, email)
    visitor, session = acme.visit(guid, email=new_email())
    assert acme.log_in(token, guid, proof=(visitor, session)).status == 200
    assert acme.log_in(acme.token(new_external_id(), email)).status == 409
    acme.sdk("GET", f"/appusers/{visitor}", None, basic(visitor, session))
    acme.sdk("POST", "/login", {"client": {"id": guid, "pushNotificationToken": "pushtoken-0123456789"}}, bearer(token))
    acme.sdk("POST", "/login", b"{" + session.encode(), bearer(token))
    acme.sdk("POST", "/login", {"sessionToken": 7, "email": email}, bearer(token[:-2]))
    acme.v2("GET", f"/users?filter[identities.email]={email}")
    acme.v2("POST", "/users", {"externalId": external_id, "profile": {"email": email}})
    acme.v2("POST", "/users", {"externalId": new_external_id(), "metadata": {"deep": {"a": email}}})
    acme.v2("GET", f"/users/{email}%00")
    acme.v2("GET", "/users/x", None, basic(acme.key.id, acme.key.secret + "x"))
    acme.send("GET", f"/v2/apps?access_token={token}")
    acme.send("GET", f"/{email}?jwt={token}")
    doomed = acme.new_key("doomed")
    acme.delete_key(doomed.id)
    acme.log_in(acme.token(external_id, email, key=doomed))
    acme.v2("DELETE", f"/users/{external_id}/personalinformation")
    acme.v2("DELETE", f"/users/{external_id}")
    place = urlsplit(acme.server.url)
    with socket.create_connection((str(place.hostname), place.port), timeout=10) as connection:
        connection.sendall(f"GET /v2/apps HTTP/1.1\r\nauthorization {bearer(token)}\r\n\r\n".encode())
        connection.recv(65536)


def test_strangers_are_not_told_what_program_this_is(acme: Acme) -> None:
    for path in ("/v2/apps", f"/sdk/v2/apps/{acme.app_id}/appusers/x", "/healthz"):
        assert "server" not in acme.send("GET", path).headers
