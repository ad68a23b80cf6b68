"""What the server tells Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.registry import REGISTRY  # the process and platform collectors live there


class Metrics:
    """Counters of one process. Labels are few and bounded: no path, no id, nothing about a user."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._requests = Counter(
            "knownas_http_requests", "Requests answered", ["facade", "method", "status"], registry=self.registry
        )
        self._refusals = Counter(
            "knownas_refused_credentials", "Credentials refused, by cause", ["cause"], registry=self.registry
        )
        self._logins = Counter("knownas_logins", "SDK logins, by outcome", ["outcome"], registry=self.registry)
        self._outcomes = {outcome: self._logins.labels(outcome) for outcome in ("created", "known", "contested")}
        self.waiting_writes = Gauge(
            "knownas_waiting_writes", "Callers that wait for the database", registry=self.registry
        )
        self._children: dict[tuple[str, str, int], Counter] = {}

    def answered(self, facade: str, method: str, status: int) -> None:
        """Count one answer. Unusual methods count as `other`, since strangers may invent any number of them."""
        key = (facade, method if method in _METHODS else "other", status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._requests.labels(key[0], key[1], str(status))
        child.inc()

    def refused(self, cause: str) -> None:
        """Count credentials that were refused."""
        self._refusals.labels(cause).inc()

    def logged_in(self, outcome: str) -> None:
        """Count a login: `created`, `known` or `contested`."""
        self._outcomes[outcome].inc()

    def text(self) -> bytes:
        """Everything in the exposition format."""
        return generate_latest(REGISTRY) + generate_latest(self.registry)


_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"})
