"""What the figures must reach. Shares and slowdowns are ratios within one run, so they hold on any machine."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.measure import Figure

SHARES = {
    # scenario: engine: least share of the bare route, at the smallest number of users
    "get_user": {"sqlite": 0.58, "postgres": 0.28},
    "login_known": {"sqlite": 0.22, "postgres": 0.14},
    "login_first": {"sqlite": 0.18, "postgres": 0.12},
    "message_post": {"sqlite": 0.12, "postgres": 0.09},
    "messages_last_100": {"sqlite": 0.15, "postgres": 0.15},
}
COSTS = {
    # scenario: clean scenarios, and how many times dearer than each of them it may be
    "login_refused": {"login_known": 1.3, "login_first": 1.3},
}
GROWTH = {
    # scenario: how many times slower at the largest number of users than at the smallest
    "get_user": 1.3,
    "login_known": 1.3,
    "login_first": 1.3,
    # 150,000 messages beside 10,000,000 (seed_messages.py)
    "message_post": 1.5,
    "messages_last_100": 1.5,
}
PEAK_MIB = 200.0


@dataclass(frozen=True)
class Memory:
    """The server's resident memory after its scenarios, since it was started on its seeded database."""

    engine: str
    users: int
    rss_mib: float
    peak_mib: float


@dataclass(frozen=True)
class Verdict:
    """`limit` is a floor when `at_least`, else a ceiling."""

    engine: str
    rule: str
    value: float
    limit: float
    at_least: bool

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit


class Figures:
    """The figures of one engine, by scenario and number of users."""

    def __init__(self, figures: Sequence[Figure]) -> None:
        self._by_key = {(figure.scenario, figure.users): figure for figure in figures}
        sizes = [figure.users for figure in figures]
        self.fewest, self.most = min(sizes), max(sizes)

    def at(self, scenario: str, users: int) -> Figure | None:
        return self._by_key.get((scenario, users))


def verdicts(figures: Sequence[Figure], memory: Sequence[Memory]) -> list[Verdict]:
    """Judge what was measured; a target whose figures are missing is left out."""
    found: list[Verdict] = []
    for engine in dict.fromkeys(figure.engine for figure in figures):
        of_engine = Figures([figure for figure in figures if figure.engine == engine])
        for rule in RULES:
            found.extend(rule(engine, of_engine))
    found.extend(
        Verdict(used.engine, f"server memory, {used.users:,} users (MiB, peak)", used.peak_mib, PEAK_MIB, False)
        for used in memory
    )
    return found


def _shares(engine: str, figures: Figures) -> Iterator[Verdict]:
    for scenario, limits in SHARES.items():
        figure = figures.at(scenario, figures.fewest)
        if figure and engine in limits:
            yield Verdict(engine, f"{scenario} / bare", figure.share, limits[engine], True)


def _costs(engine: str, figures: Figures) -> Iterator[Verdict]:
    for scenario, limits in COSTS.items():
        dear = figures.at(scenario, figures.fewest)
        for clean_name, limit in limits.items():
            clean = figures.at(clean_name, figures.fewest)
            if dear and clean:
                yield Verdict(engine, f"time {scenario} / {clean_name}", clean.share / dear.share, limit, False)


def _growth(engine: str, figures: Figures) -> Iterator[Verdict]:
    for scenario, limit in GROWTH.items():
        few, many = figures.at(scenario, figures.fewest), figures.at(scenario, figures.most)
        if few and many and few is not many:
            rule = f"time {scenario}, {figures.most:,} / {figures.fewest:,} users"
            yield Verdict(engine, rule, few.share / many.share, limit, False)


RULES: tuple[Callable[[str, Figures], Iterator[Verdict]], ...] = (_shares, _costs, _growth)
