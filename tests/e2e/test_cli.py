"""The command line as operators and scripts meet it: real processes, real databases."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.servers import Server, fresh_database, wait_until

MASTER_KEY = "5a" * 32
SECRET = "0123456789abcdef0123456789abcdef0123456789a"
KEY = "app_0123456789abcdef01234567"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `knownas` in an empty folder, with one master key for whatever database."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KNOWNAS_")}
    environment = kept | {"KNOWNAS_MASTER_KEY": MASTER_KEY}

    def start(*arguments: str, text: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "knownas", *arguments]
        return subprocess.run(
            command, input=text, capture_output=True, text=True, env=environment | more, cwd=tmp_path, timeout=60
        )

    return start


@pytest.fixture
def app(run: Run) -> dict[str, Any]:
    """An app in ./knownas.db, the database that commands take when none is named."""
    return printed(run("apps", "create", "Acme", "--json"))


def printed(done: subprocess.CompletedProcess[str]) -> Any:
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


def refusal(done: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    """The code and the sentence of a command that ended with 1 and one JSON document on standard error."""
    assert (done.returncode, done.stdout) == (1, ""), done.stdout + done.stderr
    error = json.loads(done.stderr)["error"]
    assert error.keys() == {"code", "message"}
    return error["code"], error["message"]


def test_an_app_is_made_whole_and_its_users_are_found(run: Run, database_url: str) -> None:
    made = printed(run("apps", "create", "Acme", "--json", "--database", database_url))
    assert {name: set(part) for name, part in made.items()} == {
        "app": {"id"}, "key": {"id", "secret"}, "integration": {"id"}, "account": {"id"},
    }  # fmt: skip
    token = printed(
        run("token", "--key", made["key"]["id"], "--secret", made["key"]["secret"], "--external-id", "1234",
            "--email", "Ada@Example.org", "--email-verified", "--name", "Ada Lovelace", "--json")
    )["token"]  # fmt: skip
    with Server(database_url, env={"KNOWNAS_MASTER_KEY": MASTER_KEY}) as server:
        body = {"client": {"id": "phone", "platform": "web", "integrationId": made["integration"]["id"]}}
        login = Request(
            f"{server.url}/sdk/v2/apps/{made['app']['id']}/login",
            json.dumps(body).encode(),
            {"authorization": f"Bearer {token}", "content-type": "application/json"},
        )
        with urlopen(login) as answer:
            user_id = json.load(answer)["appUser"]["_id"]

    for way in (["1234"], [user_id], ["--external-id", "1234"], ["--email", "ada@EXAMPLE.org"]):
        [user] = printed(run("users", "find", "--app", made["app"]["id"], *way, "--json", "--database", database_url))[
            "users"
        ]
        assert (user["id"], user["externalId"], user["displayName"]) == (user_id, "1234", "Ada Lovelace")
        assert user["identities"] == [
            {"type": "email", "value": "Ada@Example.org", "owned": True, "verification": "sso"}
        ]
        assert [(device["guid"], device["status"]) for device in user["devices"]] == [("phone", "active")]

    second = printed(run("apps", "create", "Second", "--json", "--database", database_url))
    assert second["account"] == made["account"]
    apps = printed(run("apps", "list", "--json", "--database", database_url))["apps"]
    assert [app["displayName"] for app in apps] == ["Acme", "Second"]
    nobody = run("users", "find", "--app", second["app"]["id"], "1234", "--json", "--database", database_url)
    assert refusal(nobody)[0] == "user_not_found"


def test_people_get_a_table_that_says_the_secret_is_shown_once(run: Run) -> None:
    done = run("apps", "create", "Acme", "--platform", "ios")
    assert done.returncode == 0
    assert "shown this once" in done.stdout
    assert "integration (ios)" in done.stdout


def test_a_key_is_made_listed_and_deleted(run: Run, app: dict[str, Any]) -> None:
    app_id = app["app"]["id"]
    made = printed(run("keys", "create", "--app", app_id, "--name", "second", "--json"))["key"]
    assert set(made) == {"id", "secret"}
    listed = run("keys", "list", "--app", app_id, "--json")
    assert [(key["id"], key["displayName"]) for key in printed(listed)["keys"]] == [
        (app["key"]["id"], "default"), (made["id"], "second"),
    ]  # fmt: skip
    assert made["secret"] not in listed.stdout
    assert printed(run("keys", "delete", made["id"], "--json")) == {"key": {"id": made["id"]}}
    assert refusal(run("keys", "delete", made["id"], "--json"))[0] == "not_found"
    assert len(printed(run("keys", "list", "--app", app_id, "--json"))["keys"]) == 1


def test_an_account_key_can_come_first_and_can_go(run: Run) -> None:
    made = printed(run("keys", "create", "--account", "--json"))["key"]
    assert made["id"].startswith("act_")
    printed(run("keys", "delete", made["id"], "--json"))
    assert refusal(run("keys", "delete", made["id"], "--json"))[0] == "not_found"


def test_a_public_key_is_registered_without_a_secret(run: Run, app: dict[str, Any], tmp_path: Path) -> None:
    pem = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "public.pem").write_bytes(pem)
    arguments = ("keys", "create", "--app", app["app"]["id"], "--json", "--public-key")
    assert set(printed(run(*arguments, "public.pem"))["key"]) == {"id"}
    (tmp_path / "broken.pem").write_bytes(b"\xff not a key")
    assert refusal(run(*arguments, "broken.pem"))[0] == "bad_request"


def test_a_token_is_signed_as_the_compatible_vendor_documents_it(run: Run) -> None:
    done = run(
        "token", "--key", KEY, "--secret", SECRET, "--external-id", "1234", "--email", "a@b.example", "--ttl", "60"
    )
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    token = done.stdout.strip()
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT", "kid": KEY}
    claims = jwt.decode(token, SECRET, algorithms=["HS256"])
    del claims["exp"]
    assert claims == {"scope": "user", "external_id": "1234", "email": "a@b.example", "email_verified": False}


def test_a_secret_may_begin_with_a_dash(run: Run) -> None:
    assert run("token", "--key", KEY, "--secret", "-" + SECRET, "--external-id", "1").returncode == 0


def test_a_token_that_cannot_work_is_announced_in_one_line(run: Run) -> None:
    done = run("token", "--key", KEY, "--secret", "short", "--external-id", "1")
    assert done.returncode == 0
    assert "will be refused" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--key", "nonsense", "--external-id", "1"],
        ["--key", KEY],
        ["--key", KEY, "--external-id", ""],
        ["--key", KEY, "--external-id", "1", "--email-verified"],
        ["--key", KEY, "--external-id", "1", "--scope", "god"],
        ["--key", KEY, "--external-id", "1", "--scope", "app"],
    ],
)
def test_a_token_that_means_nothing_is_not_signed(run: Run, arguments: list[str]) -> None:
    assert refusal(run("token", "--secret", SECRET, "--json", *arguments))[0] == "bad_request"


def test_explain_needs_no_database_for_the_shape(run: Run) -> None:
    good = jwt.encode({"scope": "user", "external_id": "1"}, SECRET, headers={"kid": KEY})
    verdict = printed(run("explain", good, "--json"))
    assert (verdict["accepted"], verdict["cause"]) == (False, "jwt.unchecked")
    number = run("explain", jwt.encode({"scope": "user", "external_id": 1234}, SECRET, headers={"kid": KEY}))
    assert number.returncode == 1
    assert '"external_id": "1234"' in number.stdout


def test_explain_with_the_database_checks_key_and_signature(run: Run, app: dict[str, Any]) -> None:
    key, database = app["key"], ("--json", "--database", "sqlite:///./knownas.db")
    claims = {"scope": "user", "external_id": "1"}

    def cause_of(token: str, **settings: str) -> Any:
        done = run("explain", "-", *(database if not settings else ("--json",)), text=f"{token}\n", **settings)
        verdict = json.loads(done.stdout)
        assert done.returncode == (0 if verdict["accepted"] else 1)
        return verdict["cause"]

    good = jwt.encode(claims, key["secret"], headers={"kid": key["id"]})
    assert cause_of(good) is None
    assert cause_of(good, KNOWNAS_DATABASE="sqlite:///knownas.db") is None
    assert cause_of(jwt.encode(claims, SECRET, headers={"kid": key["id"]})) == "jwt.signature"
    assert cause_of(jwt.encode(claims, SECRET, headers={"kid": KEY})) == "jwt.kid.unknown"
    assert cause_of(jwt.encode(claims, SECRET)) == "jwt.kid.missing"
    printed(run("keys", "delete", key["id"], "--json"))
    assert cause_of(good) == "jwt.kid.unknown"


@pytest.mark.parametrize("options", [[], ["--json"], ["--database", "sqlite:///./knownas.db"]])
def test_explain_shows_no_secret_no_signature_and_no_whole_token(
    run: Run, app: dict[str, Any], options: list[str]
) -> None:
    key, secret = app["key"]["id"], app["key"]["secret"]
    token = jwt.encode({"scope": "user", "external_id": "1"}, secret, headers={"kid": key})
    in_header = jwt.encode({"scope": "user", "external_id": "1"}, secret, headers={"kid": secret})
    for words in ([token], ["Bearer", token], [f"{token}x"], [token, token], [in_header]):
        done = run("explain", *words, *options)
        for hidden in (secret, words[-1], words[-1].rpartition(".")[2]):
            assert hidden not in done.stdout + done.stderr


def test_explain_hides_a_secret_that_was_put_into_a_claim(run: Run, app: dict[str, Any]) -> None:
    key, secret = app["key"]["id"], app["key"]["secret"]
    token = jwt.encode({"scope": "user", "external_id": "1", "name": f"x{secret}"}, secret, headers={"kid": key})
    done = run("explain", token, "--database", "sqlite:///./knownas.db")
    assert done.returncode == 0
    assert secret not in done.stdout


def test_numbers_that_json_lacks_are_still_one_json_document(run: Run) -> None:
    body = '{"scope":"user","external_id":"1","exp":1e999,"n":' + "9" * 400 + "}"
    header = jwt.encode({}, SECRET, headers={"kid": KEY}).split(".")[0]
    done = run("explain", f"{header}.{jwt.utils.base64url_encode(body.encode()).decode()}.c2ln", "--json")
    assert json.loads(done.stdout)["cause"] == "jwt.exp.malformed"
    assert "Infinity" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["keys", "create"], "bad_request"),
        (["keys", "create", "--app", "x", "--account"], "bad_request"),
        (["keys", "create", "--app", "0" * 24], "app_not_found"),
        (["keys", "create", "--account", "--name", " "], "bad_request"),
        (["keys", "delete", "nonsense"], "not_found"),
        (["apps", "create", ""], "bad_request"),
        (["apps", "create", "x" * 101], "bad_request"),
        (["apps", "create", "Acme", "--platform", "fridge"], "bad_request"),
        (["users", "find", "--app", "0" * 24, "1"], "app_not_found"),
        (["users", "find", "--app", "0" * 24], "bad_request"),
        (["users", "find", "--app", "0" * 24, "1", "--email", "a@b.example"], "bad_request"),
        (["apps", "list", "--database", "mysql://host/name"], "unknown_database"),
        (["apps", "list", "--database", "sqlite:///missing.db"], "database_not_found"),
        (["apps", "list", "--database", "postgresql://u:geheim@127.0.0.1:1/name"], "unavailable"),
        (["apps", "list", "--database", "postgresql://u:ge/heim@127.0.0.1:1/name"], "unknown_database"),
    ],
)
def test_bad_input_is_refused_with_a_stable_code(
    run: Run, app: dict[str, Any], arguments: list[str], code: str
) -> None:
    found, message = refusal(run(*arguments, "--json"))
    assert found == code
    assert "heim" not in message


def test_a_look_up_makes_no_database(run: Run, tmp_path: Path) -> None:
    assert refusal(run("apps", "list", "--json"))[0] == "database_not_found"
    assert list(tmp_path.iterdir()) == []


def test_a_name_cannot_steer_the_terminal(run: Run) -> None:
    assert run("apps", "create", "\x1b[2Jred[red]").returncode == 0
    shown = run("apps", "list").stdout
    assert "\x1b" not in shown
    assert "red[red]" in shown


def test_the_wrong_master_key_is_found_out_at_the_start(run: Run, app: dict[str, Any]) -> None:
    for command in (["serve", "--port", "0"], ["keys", "list", "--app", app["app"]["id"]]):
        done = run(*command, KNOWNAS_MASTER_KEY="11" * 32)
        assert (done.returncode, done.stdout) == (1, "")
        assert "cannot be opened with this master key" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "settings", "sentence"),
    [
        (["--workers", "2"], {}, "more than one worker needs PostgreSQL"),
        (["--database", "mysql://host/name"], {}, "should look like"),
        (["--database", "postgresql://u:geheim@127.0.0.1:1/x"], {}, "PostgreSQL cannot be reached"),
        ([], {"KNOWNAS_MASTER_KEY": "short"}, "32 random bytes"),
        ([], {"KNOWNAS_LOG_LEVEL": "loud"}, "log_level"),
        ([], {"KNOWNAS_WORKERS": "none"}, "workers"),
        (["--host", "192.0.2.1"], {}, "Cannot listen"),
    ],
)
def test_a_server_that_cannot_start_says_so_in_one_line(
    run: Run, options: list[str], settings: dict[str, str], sentence: str
) -> None:
    done = run("serve", "--port", "0", *options, **settings)
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert "geheim" not in done.stderr


def test_a_port_in_use_is_said_and_nothing_is_made(run: Run, tmp_path: Path) -> None:
    with Server(f"sqlite:///{tmp_path / 'served.db'}") as server:
        done = run("serve", "--port", str(server.port))
        assert server.log_text() == f"Knownas 0.1.0 serves {server.url} from {server.database}\n"
    assert done.returncode == 1
    assert "Address already in use" in done.stderr
    assert not (tmp_path / "knownas.db").exists()


def test_a_database_of_a_newer_program_is_left_alone(run: Run, app: dict[str, Any], tmp_path: Path) -> None:
    import apsw

    later = apsw.Connection(str(tmp_path / "knownas.db"))
    later.execute("INSERT INTO schema_history VALUES (9999, 'from_the_future', 0)")
    later.close()
    done = run("serve", "--port", "0")
    assert (done.returncode, done.stdout) == (1, "")
    assert "schema version 9999" in done.stderr
    assert done.stderr.count("\n") == 1


def test_workers_share_postgresql(postgres_url: str) -> None:
    with fresh_database(postgres_url) as url:
        with_password = url.replace("postgres@", "postgres:geheim@")
        settings = {"KNOWNAS_MASTER_KEY": MASTER_KEY}
        with Server(with_password, "--workers", "2", env=settings) as server:
            shown = url.replace("postgres@", "postgres:***@")
            wait_until(lambda: shown in server.log_text(), what="both workers serve")
            assert "geheim" not in server.log_text()


def test_the_demo_keeps_its_app_from_one_start_to_the_next(run: Run, tmp_path: Path) -> None:
    first, again = _demo(tmp_path), _demo(tmp_path)
    assert first.keys() == {"BASE", "APP", "KEY", "SECRET", "KNOWNAS_DATABASE", "PATH"}
    assert {name: again[name] for name in ("APP", "KEY", "SECRET")} == {
        name: first[name] for name in ("APP", "KEY", "SECRET")
    }
    where = first["KNOWNAS_DATABASE"]
    assert where == f"sqlite:///{tmp_path / 'demo.db'}", "from any folder"
    found = printed(run("users", "find", "--app", first["APP"], "1001", "--json", "--database", where))
    assert [device["platform"] for device in found["users"][0]["devices"]] == ["ios", "web"]


def _demo(folder: Path) -> dict[str, str]:
    """What a demo tells to export, once it serves; it has ended when this returns."""
    command = [sys.executable, "-m", "knownas", "demo", "--port", "0", "--database", "sqlite:///./demo.db"]
    exports = {}
    environment = os.environ | {"KNOWNAS_MASTER_KEY": MASTER_KEY}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line.strip().startswith("export "):
                    name, _, value = line.strip().removeprefix("export ").partition("=")
                    exports[name] = value
                if " serves http://" in line:
                    return exports
        finally:
            process.terminate()
            process.wait(15)
    raise AssertionError("the demo ended before it served")


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").stdout == "knownas 0.1.0\n"
