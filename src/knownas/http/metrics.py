"""What the server tells Prometheus."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import REGISTRY, Collector  # the process and platform collectors live there


class Tally(Collector):
    """Counts what nearly every request adds to, in one thread: without the lock and the clock of a Counter."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: tuple[str, ...],
        registry: CollectorRegistry,
        known: Iterable[tuple[str, ...]] = (),
    ) -> None:
        """`known` are labels' values that are told of before any came."""
        self._name, self._documentation, self._labels = name, documentation, labels
        self._counts: dict[tuple[str | int, ...], int] = dict.fromkeys(known, 0)
        registry.register(self)

    def add(self, *values: str | int) -> None:
        """Count one more with these labels' values."""
        self._counts[values] = self._counts.get(values, 0) + 1

    def collect(self) -> Iterable[CounterMetricFamily]:
        """All counts, for whoever scrapes them."""
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, count in self._counts.items():
            family.add_metric([str(value) for value in values], count)
        return [family]


class Metrics:
    """Counters of one process. Labels are few and bounded: no path, no id, nothing about a user."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._requests = Tally(
            "knownas_http_requests", "Requests answered", ("facade", "method", "status"), self.registry
        )
        self._refusals = Counter(
            "knownas_refused_credentials", "Credentials refused, by cause", ["cause"], registry=self.registry
        )
        outcomes = [("created",), ("known",), ("contested",)]
        self._logins = Tally("knownas_logins", "SDK logins, by outcome", ("outcome",), self.registry, outcomes)
        self.waiting_writes = Gauge(
            "knownas_waiting_writes", "Callers that wait for the database", registry=self.registry
        )

    def answered(self, facade: str, method: str, status: int) -> None:
        """Count one answer. Unusual methods count as `other`, since strangers may invent any number of them."""
        self._requests.add(facade, method if method in _METHODS else "other", status)

    def refused(self, cause: str) -> None:
        """Count credentials that were refused."""
        self._refusals.labels(cause).inc()

    def logged_in(self, outcome: str) -> None:
        """Count a login: `created`, `known` or `contested`."""
        self._logins.add(outcome)

    def text(self) -> bytes:
        """Everything in the exposition format."""
        return generate_latest(REGISTRY) + generate_latest(self.registry)


_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"})
