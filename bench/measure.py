"""Interleaved windows: bare, scenario, bare, scenario ... so that what the machine does meanwhile hits both alike."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

from bench import bare
from bench.load import Address, Meters, Window, ask_all, drive
from bench.scenarios import Scenario
from bench.world import World

WARM_UP_S = 1.0
WARM_UP_REQUESTS = 10_000
BEFORE_S = 60.0
HEADROOM = 1.5
"""Requests made ready for a window, in multiples of what the fastest window so far would use."""


@dataclass(frozen=True)
class Settings:
    connections: int
    seconds: float
    rounds: int


@dataclass(frozen=True)
class Figure:
    """Medians over the rounds. `share` is of rates over those of the bare windows beside them, so that a machine that
    grows slower meanwhile moves it less than two medians apart; `cpu` is in cores; `_us` are per request.
    """

    engine: str
    users: int
    scenario: str
    rate: float
    bare_rate: float
    share: float
    share_low: float
    share_high: float
    p50_ms: float
    p99_ms: float
    server_us: float
    bare_server_us: float
    cpu: dict[str, float]
    bare_cpu: dict[str, float]
    answered: int

    @property
    def cpu_share(self) -> float:
        """Bare's server CPU per request over the scenario's: `share`, if both had kept the server's core full."""
        return self.bare_server_us / self.server_us if self.server_us else 0.0

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "cpu_share": self.cpu_share}


class Bench:
    """The two servers under load: bare and Knownas."""

    def __init__(self, settings: Settings, bare_address: Address, bare_meters: Meters, meters: Meters) -> None:
        self._settings = settings
        self._bare_address = bare_address
        self._bare_meters = bare_meters
        self._meters = meters
        self._bare_requests = [f"GET {bare.PATH} HTTP/1.1\r\nhost: {bare_address.host}\r\n\r\n".encode()] * 100_000

    async def bare(self) -> Window:
        """One window on the bare route."""
        requests = self._bare_requests * (1 + int(self._settings.seconds))
        return await self._window(self._bare_address, requests, 200, self._bare_meters, self._settings.seconds)

    async def figure(self, engine: str, world: World, scenario: Scenario) -> Figure:
        """Warm up, then measure `scenario` against bare."""
        settings = self._settings
        warm_up = await self._scenario(world, scenario, WARM_UP_REQUESTS, WARM_UP_S)
        fastest = warm_up.rate
        bares, windows = [], []
        for _ in range(settings.rounds):
            bares.append(await self.bare())
            count = int(fastest * settings.seconds * HEADROOM) + settings.connections
            windows.append(await self._scenario(world, scenario, count, settings.seconds))
            fastest = max(fastest, windows[-1].rate)
        return _summary(engine, world.users, scenario.name, bares, windows)

    async def _scenario(self, world: World, scenario: Scenario, count: int, seconds: float) -> Window:
        if scenario.before:
            ahead = scenario.before(world, count)
            await ask_all(world.address, ahead, 200, connections=self._settings.connections, seconds=BEFORE_S)
        requests = scenario.requests(world, count)
        return await self._window(world.address, requests, scenario.expected, self._meters, seconds)

    async def _window(
        self, address: Address, requests: Sequence[bytes], expected: int, meters: Meters, seconds: float
    ) -> Window:
        connections = self._settings.connections
        return await drive(address, requests, expected, connections=connections, seconds=seconds, meters=meters)


def _summary(engine: str, users: int, scenario: str, bares: list[Window], windows: list[Window]) -> Figure:
    rate, bare_rate = _rate(windows), _rate(bares)
    shares = [window.rate / beside.rate for beside, window in zip(bares, windows, strict=True)]
    return Figure(
        engine=engine,
        users=users,
        scenario=scenario,
        rate=rate,
        bare_rate=bare_rate,
        share=median(shares),
        share_low=min(shares),
        share_high=max(shares),
        p50_ms=median(window.p50_ms for window in windows),
        p99_ms=median(window.p99_ms for window in windows),
        server_us=_server_us(windows),
        bare_server_us=_server_us(bares),
        cpu=_cpu(windows),
        bare_cpu=_cpu(bares),
        answered=sum(window.answered for window in windows),
    )


def _rate(windows: list[Window]) -> float:
    return median(window.rate for window in windows)


def _server_us(windows: list[Window]) -> float:
    return median(window.cpu["server"] / window.rate * 1e6 for window in windows)


def _cpu(windows: list[Window]) -> dict[str, float]:
    return {name: median(window.cpu[name] for window in windows) for name in windows[0].cpu}
