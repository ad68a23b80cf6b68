"""`python -m bench`: measure, print, and write bench/results.json (bench/README.md)."""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from time import monotonic

import uvloop
from rich.console import Console

from bench import report, server
from bench.databases import ENGINES, Database
from bench.load import Address, BadAnswer, Meters
from bench.measure import Bench, Figure, Settings
from bench.processes import ROOT, Cores, cpu_s, memory_mib
from bench.scenarios import SCENARIOS, Scenario
from bench.seed import BY_HTTP, TEMPLATE, sample_ids, seed_bulk, seed_by_http
from bench.seed_messages import seed_messages, template
from bench.targets import Memory, verdicts
from bench.tokens import Signer
from bench.world import World, known_person

BARE_ONLY = "bare"


class Runner:
    """One run: figures and memory collect here, so that an interrupted run still shows what it has."""

    def __init__(self, settings: Settings, scenarios: Sequence[Scenario], folder: Path, console: Console) -> None:
        self.cores = Cores()
        self.figures: list[Figure] = []
        self.memory: list[Memory] = []
        self.databases: dict[str, Mapping[str, str]] = {}
        self._settings = settings
        self._scenarios = scenarios
        self._folder = folder
        self._console = console

    async def bare(self) -> None:
        """Only the yardstick: is the server's core full, and has the load generator room?"""
        async with server.bare(self.cores.server, self._folder / "bare.log") as bare:
            bench = Bench(self._settings, bare.address, {"server": partial(cpu_s, bare.pid)}, {})
            for _ in range(self._settings.rounds):
                window = await bench.bare()
                shares = ", ".join(f"{name} {share:.0%}" for name, share in window.cpu.items())
                self._console.print(f"bare: {window.rate:,.0f}/s, p99 {window.p99_ms:.1f} ms, {shares}")

    async def engine(self, engine: str, users: int) -> None:
        """All scenarios on a fresh database of `engine` with `users` users."""
        folder = self._folder / f"{engine}-{users}"
        folder.mkdir()
        async with AsyncExitStack() as stack:
            database = stack.enter_context(ENGINES[engine](folder, self.cores.load))
            self.databases[engine] = database.facts
            bare = await stack.enter_async_context(server.bare(self.cores.server, folder / "bare.log"))
            app, conversations = await self._seed(database, users, folder)
            running = await stack.enter_async_context(
                server.knownas(database.url, self.cores.server, folder / "server.log")
            )
            world = _world(app, running.address, users)
            world.user_ids = await sample_ids(world)
            world.conversations = conversations
            meters: Meters = {"server": partial(cpu_s, running.pid), **database.meters}
            bench = Bench(self._settings, bare.address, {"server": partial(cpu_s, bare.pid)}, meters)
            for scenario in self._scenarios:
                figure = await bench.figure(engine, world, scenario)
                self.figures.append(figure)
                self._console.print(
                    f"{engine}, {users:,} users, {scenario.name} ({scenario.does}):"
                    f" {figure.rate:,.0f}/s, {figure.share:.1%} of bare"
                )
            used = memory_mib(running.pid)
            self.memory.append(Memory(engine, users, used["rss"], used["peak"]))

    async def _seed(self, database: Database, users: int, folder: Path) -> tuple[server.App, list[tuple[str, str]]]:
        """Make the schema, the app, its users and their conversations; the server that helped is stopped again."""
        in_conversations = any(scenario.in_conversations for scenario in self._scenarios)
        self._console.print(f"seeding {users:,} users")
        async with server.knownas(database.url, self.cores.server, folder / "seed.log") as running:
            app = server.create_app(database.url)
            people = [known_person(number) for number in range(users)] if users <= BY_HTTP else [TEMPLATE]
            world = _world(app, running.address, users)
            await seed_by_http(world, people)
            copied = await template(world, people[0].external_id) if in_conversations else None
        if users > BY_HTTP:
            started_at = monotonic()
            await seed_bulk(database.url, app.id, users)
            self._console.print(f"loaded in {monotonic() - started_at:.0f} s")
        if copied is None:
            return app, []
        started_at = monotonic()
        conversations = await seed_messages(database.url, app.id, *copied, users)
        self._console.print(f"messages loaded in {monotonic() - started_at:.0f} s")
        return app, conversations


def _world(app: server.App, address: Address, users: int) -> World:
    return World(address, app.id, app.integration_id, Signer(app.key_id, app.secret), users)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="What Knownas costs, beside a bare route.")
    parser.add_argument("--only", choices=[*ENGINES, BARE_ONLY], help="one engine, or the bare route alone")
    parser.add_argument("--scenarios", default=",".join(SCENARIOS), help="comma-separated (default: all)")
    parser.add_argument("--users", default="1000,1000000", help="numbers of stored users, comma-separated")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a window")
    parser.add_argument("--rounds", type=int, default=5, help="windows of each kind per scenario")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results.json")
    arguments = parser.parse_args()
    unknown = set(arguments.scenarios.split(",")) - set(SCENARIOS)
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))} (there are: {', '.join(SCENARIOS)})")
    return arguments


async def _run(arguments: argparse.Namespace) -> None:
    # A terminated run takes its servers with it, as an interrupted one does.
    if this_run := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this_run.cancel)
    settings = Settings(arguments.connections, arguments.seconds, arguments.rounds)
    scenarios = [SCENARIOS[name] for name in arguments.scenarios.split(",")]
    console = Console(width=None if sys.stdout.isatty() else 170)
    with tempfile.TemporaryDirectory(prefix="knownas-bench-") as folder:
        runner = Runner(settings, scenarios, Path(folder), console)
        os.sched_setaffinity(0, {runner.cores.load})
        if arguments.only == BARE_ONLY:
            await runner.bare()
            return
        try:
            for engine in [arguments.only] if arguments.only else ENGINES:
                for users in map(int, arguments.users.split(",")):
                    await runner.engine(engine, users)
        finally:
            judged = verdicts(runner.figures, runner.memory)
            report.show(console, runner.figures, runner.memory, judged)
    with_cores = {**asdict(settings), "server_core": runner.cores.server, "load_core": runner.cores.load}
    report.write(arguments.out, runner.figures, runner.memory, judged, with_cores, runner.databases)
    console.print(f"written to {arguments.out}")


def main() -> None:
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            loop.run(_run(_arguments()))
    except (BadAnswer, RuntimeError, NotImplementedError) as error:
        sys.exit(f"bench failed: {error}")
    except asyncio.CancelledError:
        sys.exit("bench terminated")


if __name__ == "__main__":
    main()
