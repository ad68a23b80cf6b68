"""The shape of the code, read from its imports and its syntax, because a rule kept by prose alone leaks.

Each rule is a function from one file to complaints that say what to do. It is applied to every file of src/knownas, and
shown to fail on bad examples, so that a rule that has stopped looking does not pass in silence.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "knownas"

# The layers. A new folder or file at the top of src/knownas is entered here, and so gets its rules.
NOUNS = frozenset(
    "accounts apps attachments audit clients conflicts conversations deliveries devices erasures events identities"
    " integrations keys leases merges messages oauth plans resolutions sessions switchboards users webhooks".split()
)
CORE = frozenset({"errors", "ids", "times", "transaction"})  # what nouns may use besides each other; as pure
PORT = frozenset({"database"})  # what edges know of storage
STORAGE = frozenset({"storage"})
EDGES = frozenset({"cli", "dashboard", "delivery", "documents", "http", "realtime", "upkeep"})
ASSEMBLY = frozenset({"__init__", "__main__", "main", "settings"})
FACADES = frozenset({"admin", "fusionauth", "oauth", "sdk", "sunshine_v1", "sunshine_v2"})  # folders of http/

PURE_LIBRARIES = frozenset("cryptography idna jwt markdown_it msgspec phonenumbers precis_i18n".split())

# The parts of the standard library that reach the clock, chance, the machine or the network.
IMPURE_STDLIB = frozenset(
    "asyncio concurrent ctypes ftplib http importlib multiprocessing os random secrets select selectors signal smtplib"
    " socket socketserver sqlite3 ssl subprocess sys tempfile threading time urllib.error urllib.request".split()
)

# Where the clock and chance are read; everybody else is handed `tx.now` and `tx.new_id()`. Each entry says why.
READS_CLOCK_AND_CHANCE = {
    "main.py": "puts the parts together and hands clock and chance to them",
    "storage/": "gives each transaction its `now` and its ids",
    "delivery/signing.py": "makes the keys that calls are signed with, before any transaction",
    "cli/": "signs tokens and makes demo data at the terminal",
}
CLOCK_AND_CHANCE = frozenset(
    "time.time time.time_ns time.gmtime time.localtime datetime.datetime.now datetime.datetime.utcnow"
    " datetime.datetime.today datetime.date.today random secrets os.urandom os.getrandom uuid.uuid1 uuid.uuid4"
    " uuid.uuid6 uuid.uuid7".split()
)

SQL = re.compile(
    r"\bSELECT\b.*?\bFROM\b|\bINSERT\s+(OR\s+\w+\s+)?INTO\b|\bUPDATE\b.+?\bSET\b|\bDELETE\s+FROM\b", re.DOTALL
)

MAX_LINES = 400


@dataclass(frozen=True)
class File:
    """One Python file, by its path below src/knownas."""

    path: str
    source: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source, self.path)

    @property
    def part(self) -> str:
        """The top-level folder or module it belongs to: `users` for users/identify.py, `main` for main.py."""
        return self.path.split("/")[0].removesuffix(".py")

    @property
    def package(self) -> list[str]:
        return ["knownas", *self.path.split("/")[:-1]]

    @cached_property
    def imports(self) -> list[tuple[int, str]]:
        """(line, dotted name) of all it imports, wherever in the file; `from a import b` is `a.b`."""
        return [(line, name) for line, name, _ in self._bindings]

    @cached_property
    def _bindings(self) -> list[tuple[int, str, str]]:
        """(line, dotted name of what is imported, the name it is bound to here)."""
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [(node.lineno, alias.name, alias.asname or "") for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                start = ".".join(self.package[: len(self.package) - node.level + 1]) if node.level else ""
                module = ".".join(filter(None, [start, node.module]))
                found += [(node.lineno, f"{module}.{a.name}", a.asname or a.name) for a in node.names]
        return found

    @cached_property
    def names(self) -> list[tuple[int, str]]:
        """(line, dotted name) of every name and attribute it mentions, with import aliases resolved."""
        bound = {here: name for _, name, here in self._bindings if here}
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name | ast.Attribute) and (dotted := _dotted(node)):
                head, _, rest = dotted.partition(".")
                found.append((node.lineno, ".".join(filter(None, [bound.get(head, head), rest]))))
        return found

    @cached_property
    def texts(self) -> list[tuple[int, str]]:
        """(line, text) of its strings, with `{}` for what an f-string fills in; docstrings are prose and left out."""
        skipped = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                skipped.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                skipped.update(part for part in node.values if isinstance(part, ast.Constant))
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.JoinedStr):
                found.append((node.lineno, "".join(_literal(part) for part in node.values)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped:
                found.append((node.lineno, node.value))
        return found


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (value := _dotted(node.value)):
        return f"{value}.{node.attr}"
    return ""


def _literal(part: ast.expr) -> str:
    return part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "{}"


def _is_in(name: str, group: frozenset[str]) -> bool:
    """Whether a dotted name is one of the group or lies below one."""
    words = name.split(".")
    return any(".".join(words[:length]) in group for length in range(1, len(words) + 1))


def _parts(file: File) -> Iterator[tuple[int, str]]:
    """(line, part) of each of our own top-level parts that the file imports."""
    for line, name in file.imports:
        words = name.split(".")
        if words[0] == "knownas" and len(words) > 1:
            yield line, words[1]


def every_part_has_a_layer(file: File) -> Iterator[str]:
    if file.part not in NOUNS | CORE | PORT | STORAGE | EDGES | ASSEMBLY:
        yield f"`{file.part}` belongs to no layer: enter it in one of the layers above"


def nouns_are_pure(file: File) -> Iterator[str]:
    if file.part not in NOUNS | CORE:
        return
    for line, name in file.imports:
        top = name.split(".")[0]
        if top == "knownas":
            part = [*name.split("."), ""][1]
            if part and part not in NOUNS | CORE:
                yield f"{line}: imports `{name}`; nouns know {_listed(CORE)} and each other: let the edge pass it in"
        elif top in sys.stdlib_module_names:
            if _is_in(name, IMPURE_STDLIB):
                yield f"{line}: imports `{name}`; nouns reach no clock, chance or network: take a value, or ask `tx`"
        elif top not in PURE_LIBRARIES:
            yield f"{line}: imports `{name}`; nouns use only {_listed(PURE_LIBRARIES)}: move it to an edge"


def storage_knows_no_edge(file: File) -> Iterator[str]:
    if file.part not in STORAGE:
        return
    for line, part in _parts(file):
        if part in EDGES | {"main"}:
            yield f"{line}: storage imports `knownas.{part}`; storage never calls an edge: turn it round"


def facades_do_not_know_each_other(file: File) -> Iterator[str]:
    own = file.path.split("/")[1] if file.path.startswith("http/") else ""
    if own not in FACADES:
        return
    for line, name in file.imports:
        other = [*name.split("."), "", "", ""][2]
        if name.startswith("knownas.http.") and other in FACADES - {own}:
            yield f"{line}: {own} imports `{name}`; facades are strangers: share it in http/*.py or the core"


def only_the_assembly_joins_storage_and_http(file: File) -> Iterator[str]:
    if file.part in {"main", "cli"}:
        return
    parts = {part for _, part in _parts(file)}
    if "storage" in parts and ("http" in parts or file.part == "http"):
        yield "joins storage and http; only main.py and cli/ do: take the Transaction or the repository as an argument"


def sql_lives_in_storage(file: File) -> Iterator[str]:
    if file.part in STORAGE:
        return
    for line, text in file.texts:
        if SQL.search(text):
            yield f"{line}: holds SQL; move it into a method of the noun's module under storage/"


def clock_and_chance_come_from_outside(file: File) -> Iterator[str]:
    if any(
        file.path == place or (place.endswith("/") and file.path.startswith(place)) for place in READS_CLOCK_AND_CHANCE
    ):
        return
    found = {(line, name) for line, name in [*file.names, *file.imports] if _is_in(name, CLOCK_AND_CHANCE)}
    for line, name in sorted(found):
        if name == "secrets.compare_digest":
            yield f"{line}: uses `{name}`; call it by its other name, hmac.compare_digest, which is no chance"
        else:
            yield (
                f"{line}: uses `{name}`; clock and chance come in as values (`tx.now`, `tx.new_id()`, an argument),"
                f" or the file is entered with a reason in READS_CLOCK_AND_CHANCE of this test"
            )


def files_stay_small(file: File) -> Iterator[str]:
    lines = len(file.source.splitlines())
    if lines > MAX_LINES:
        yield f"{lines} lines, and {MAX_LINES} are the most: it holds two nouns or two verbs, so split it"


def _listed(group: frozenset[str]) -> str:
    return ", ".join(sorted(group))


Rule = Callable[[File], Iterator[str]]
RULES: list[Rule] = [
    every_part_has_a_layer,
    nouns_are_pure,
    storage_knows_no_edge,
    facades_do_not_know_each_other,
    only_the_assembly_joins_storage_and_http,
    sql_lives_in_storage,
    clock_and_chance_come_from_outside,
    files_stay_small,
]


def source_files() -> list[File]:
    paths = sorted(SOURCE.rglob("*.py"))
    return [File(path.relative_to(SOURCE).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


def test_the_source_is_found() -> None:
    assert source_files(), f"no Python file under {SOURCE}: the rules below would pass on nothing"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_code_keeps(rule: Rule) -> None:
    complaints = [f"src/knownas/{file.path}: {complaint}" for file in source_files() for complaint in rule(file)]
    assert not complaints, "\n" + "\n".join(complaints)


def test_sql_files_live_in_storage() -> None:
    stray = [path for path in SOURCE.rglob("*.sql") if path.relative_to(SOURCE).parts[0] not in STORAGE]
    assert not stray, f"move these under storage/: {stray}"


BAD: list[tuple[Rule, str, str]] = [
    (every_part_has_a_layer, "helpers.py", ""),
    (every_part_has_a_layer, "billing/charge.py", ""),
    (nouns_are_pure, "users/create.py", "from knownas.http.edge import read"),
    (nouns_are_pure, "users/create.py", "from knownas import settings"),
    (nouns_are_pure, "users/create.py", "from ..storage import engine"),
    (nouns_are_pure, "users/create.py", "import knownas.realtime.bus"),
    (nouns_are_pure, "users/create.py", "def late():\n    from knownas.delivery import outbox"),
    (nouns_are_pure, "users/create.py", "import time"),
    (nouns_are_pure, "users/create.py", "from os import environ"),
    (nouns_are_pure, "users/create.py", "from http import HTTPStatus"),
    (nouns_are_pure, "users/create.py", "from urllib import request"),
    (nouns_are_pure, "users/create.py", "from urllib.request import urlopen"),
    (nouns_are_pure, "users/create.py", "import aiohttp"),
    (nouns_are_pure, "transaction.py", "from knownas.storage.engine import Engine"),
    (storage_knows_no_edge, "storage/users.py", "from knownas.http.edge import read"),
    (storage_knows_no_edge, "storage/users.py", "from knownas import cli"),
    (facades_do_not_know_each_other, "http/sdk/sessions.py", "from knownas.http.sunshine_v2 import wire"),
    (facades_do_not_know_each_other, "http/sdk/sessions.py", "from knownas.http import fusionauth"),
    (facades_do_not_know_each_other, "http/sdk/sessions.py", "from ..admin.wire import conflict"),
    (only_the_assembly_joins_storage_and_http, "http/edge.py", "from knownas.storage.engine import Engine"),
    (
        only_the_assembly_joins_storage_and_http,
        "realtime/hub.py",
        "import knownas.storage.engine\nfrom knownas.http import edge",
    ),
    (sql_lives_in_storage, "users/create.py", "q = 'SELECT id\\nFROM users'"),
    (sql_lives_in_storage, "users/create.py", "q = f'SELECT {columns} FROM users WHERE id = $1'"),
    (sql_lives_in_storage, "cli/users.py", "q = 'INSERT INTO users VALUES ($1)'"),
    (sql_lives_in_storage, "http/edge.py", "q = 'UPDATE users SET name = $1'"),
    (sql_lives_in_storage, "delivery/outbox.py", "q = f'DELETE FROM {table}'"),
    (clock_and_chance_come_from_outside, "users/create.py", "import time\nnow = time.time()"),
    (clock_and_chance_come_from_outside, "users/create.py", "from time import time_ns"),
    (clock_and_chance_come_from_outside, "users/create.py", "from datetime import datetime as d\nnow = d.now()"),
    (clock_and_chance_come_from_outside, "users/create.py", "import datetime\nnow = datetime.datetime.now()"),
    (clock_and_chance_come_from_outside, "http/sdk/wire.py", "import secrets"),
    (clock_and_chance_come_from_outside, "http/sdk/wire.py", "from random import choice"),
    (clock_and_chance_come_from_outside, "http/sdk/wire.py", "import os as o\nkey = o.urandom(16)"),
    (clock_and_chance_come_from_outside, "settings.py", "import uuid\nname = uuid.uuid4()"),
    (clock_and_chance_come_from_outside, "keys/tokens.py", "import secrets\nsame = secrets.compare_digest(a, b)"),
    (files_stay_small, "users/create.py", "x = 1\n" * (MAX_LINES + 1)),
]

GOOD: list[tuple[Rule, str, str]] = [
    (every_part_has_a_layer, "users/create.py", ""),
    (every_part_has_a_layer, "main.py", ""),
    (
        nouns_are_pure,
        "users/create.py",
        "import msgspec, re, hmac\nfrom datetime import datetime\nfrom urllib.parse import urlsplit",
    ),
    (
        nouns_are_pure,
        "users/create.py",
        "from knownas.transaction import Transaction\nfrom knownas.identities import decide",
    ),
    (nouns_are_pure, "http/edge.py", "import asyncio, aiohttp"),
    (storage_knows_no_edge, "storage/users.py", "from knownas.users import User"),
    (
        facades_do_not_know_each_other,
        "http/sdk/sessions.py",
        "from knownas.http.sdk import wire\nfrom knownas.http import edge",
    ),
    (facades_do_not_know_each_other, "http/routes.py", "from knownas.http import sdk, sunshine_v2"),
    (only_the_assembly_joins_storage_and_http, "main.py", "from knownas.storage import a\nfrom knownas.http import b"),
    (only_the_assembly_joins_storage_and_http, "delivery/outbox.py", "from knownas.storage import outbox"),
    (sql_lives_in_storage, "storage/users.py", "q = 'SELECT id FROM users'"),
    (sql_lives_in_storage, "users/create.py", '"""SELECT a name FROM the list."""\nx = "Select one from the list"'),
    (clock_and_chance_come_from_outside, "storage/engine.py", "import time, secrets\nnow = time.time()"),
    (clock_and_chance_come_from_outside, "main.py", "import secrets"),
    (clock_and_chance_come_from_outside, "realtime/hub.py", "import time\nstart = time.monotonic()"),
    (
        clock_and_chance_come_from_outside,
        "users/create.py",
        "import datetime\nt = datetime.datetime.fromisoformat(text)",
    ),
    (files_stay_small, "users/create.py", "x = 1\n" * MAX_LINES),
]


@pytest.mark.parametrize(("rule", "path", "source"), BAD)
def test_a_breach_is_noticed(rule: Rule, path: str, source: str) -> None:
    assert list(rule(File(path, source))), f"{rule.__name__} does not notice it"


@pytest.mark.parametrize(("rule", "path", "source"), GOOD)
def test_what_is_allowed_passes(rule: Rule, path: str, source: str) -> None:
    assert list(rule(File(path, source))) == []


def test_every_rule_has_a_breach_to_notice() -> None:
    assert {rule for rule, _, _ in BAD} == set(RULES)
