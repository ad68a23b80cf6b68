"""The figures as a table for people and as JSON for the repository."""

import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import apsw
from rich.console import Console
from rich.table import Table

from bench.measure import Figure
from bench.processes import ROOT
from bench.targets import Memory, Verdict

FULL = 0.95
"""A server that uses less of its core than this was waiting for something else."""

COLUMNS = (
    *("engine", "users", "scenario", "req/s", "bare", "share", "low-high", "cpu share", "µs", "p50 ms", "p99 ms"),
    *("server", "postgres", "load"),
)
PACKAGES = ("uvicorn", "starlette", "uvloop", "httptools", "msgspec", "PyJWT", "apsw", "asyncpg")


def show(console: Console, figures: Sequence[Figure], memory: Sequence[Memory], judged: Sequence[Verdict]) -> None:
    """Print all of it."""
    table = Table(title="Shares of the bare route, medians")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("engine", "scenario") else "right")
    for figure in figures:
        table.add_row(
            figure.engine,
            f"{figure.users:,}",
            figure.scenario,
            f"{figure.rate:,.0f}",
            f"{figure.bare_rate:,.0f}",
            f"{figure.share:.1%}",
            f"{figure.share_low:.0%}-{figure.share_high:.0%}",
            f"{figure.cpu_share:.1%}",
            f"{figure.server_us:.0f}",
            f"{figure.p50_ms:.1f}",
            f"{figure.p99_ms:.1f}",
            _utilisation(figure.cpu.get("server")),
            _utilisation(figure.cpu.get("postgres"), mark=False),
            _utilisation(figure.cpu.get("load"), mark=False),
        )
    console.print(table)
    for used in memory:
        size = f"{used.rss_mib:.0f} MiB, at its highest {used.peak_mib:.0f} MiB"
        console.print(f"{used.engine}, {used.users:,} users: the server holds {size}")
    targets = Table(title="Targets")
    for column in ("engine", "rule", "value", "limit", "met"):
        targets.add_column(column)
    for verdict in judged:
        limit = f"{'>=' if verdict.at_least else '<='} {verdict.limit:g}"
        met = "[green]yes[/]" if verdict.met else "[red]NO[/]"
        targets.add_row(verdict.engine, verdict.rule, f"{verdict.value:.3g}", limit, met)
    console.print(targets)


def _utilisation(share: float | None, *, mark: bool = True) -> str:
    if share is None:
        return ""
    return f"[yellow]{share:.0%}[/]" if mark and share < FULL else f"{share:.0%}"


def write(
    path: Path,
    figures: Sequence[Figure],
    memory: Sequence[Memory],
    judged: Sequence[Verdict],
    settings: Mapping[str, object],
    databases: Mapping[str, Mapping[str, str]],
) -> None:
    """Write everything that is needed to read the figures later."""
    document = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": _revision(),
        "machine": _machine(),
        "versions": _versions(),
        "databases": databases,
        "settings": settings,
        "targets": [{**asdict(verdict), "met": verdict.met} for verdict in judged],
        "figures": [figure.as_json() for figure in figures],
        "memory": [asdict(used) for used in memory],
    }
    path.write_text(json.dumps(_rounded(document), indent=2) + "\n")


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return round(value, 4) if isinstance(value, float) else value


def _revision() -> str:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout.strip()

    revision = git("rev-parse", "--short=12", "--verify", "-q", "HEAD") or "none"
    return (
        f"{revision}-dirty" if git("status", "--porcelain", "--", "src", "bench", ":!bench/results.json") else revision
    )


def _machine() -> dict[str, str]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cpus": str(len(models)),
        "system": f"{platform.system()} {platform.release()}",
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "sqlite": apsw.sqlite_lib_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
