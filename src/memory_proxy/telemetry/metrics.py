"""What Prometheus reads at /metrics. One registry per application: two apps share nothing."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._requests = Counter(
            "memory_proxy_requests", "Requests answered", ("route", "status"), registry=registry
        )
        self._latency = Histogram(
            "memory_proxy_request_seconds",
            "From the request's first byte to the answer's last",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._upstream = Histogram(
            "memory_proxy_upstream_seconds",
            "From sending to LiteLLM to its response head",
            buckets=_SECONDS,
            registry=registry,
        )
        self._recall = Histogram(
            "memory_proxy_recall_seconds",
            "Reading history and long-term memory",
            buckets=_SECONDS,
            registry=registry,
        )
        self._store = Histogram(
            "memory_proxy_store_seconds",
            "From the end of an exchange until the store has it",
            buckets=_SECONDS,
            registry=registry,
        )
        self._recalled = Counter(
            "memory_proxy_recalled_turns", "Turns put into requests", registry=registry
        )
        self._hits = Counter(
            "memory_proxy_recall_hits", "Recalls that found something", registry=registry
        )
        self._errors = Counter(
            "memory_proxy_errors", "Our own errors", ("kind",), registry=registry
        )
        self._degraded = Counter(
            "memory_proxy_degraded", "Chats served without memory", ("reason",), registry=registry
        )
        self._dropped = Counter(
            "memory_proxy_dropped_exchanges", "Exchanges that were not stored", registry=registry
        )
        self._sessions = Gauge("memory_proxy_sessions", "Sessions stored", registry=registry)
        self._waiting = Gauge(
            "memory_proxy_waiting_exchanges", "Exchanges on their way", registry=registry
        )
        self._unembedded = Gauge(
            "memory_proxy_embedding_backlog",
            "Turns that wait for their vector",
            registry=registry,
        )
        self._routes: dict[tuple[str, int], Callable[[], None]] = {}
        self._latencies: dict[str, Callable[[float], None]] = {}

    def request(self, route: str, status: int, seconds: float) -> None:
        """`route` is one of a few names, never a path: a caller must not grow the registry."""
        count = self._routes.get((route, status))
        if count is None:
            count = self._routes[route, status] = self._requests.labels(route, str(status)).inc
            self._latencies[route] = self._latency.labels(route).observe
        count()
        self._latencies[route](seconds)

    def upstream_answered(self, seconds: float) -> None:
        self._upstream.observe(seconds)

    def recalled(self, seconds: float, turns: int) -> None:
        self._recall.observe(seconds)
        if turns:
            self._hits.inc()
            self._recalled.inc(turns)

    def stored(self, seconds: float) -> None:
        self._store.observe(seconds)

    def failed(self, kind: str) -> None:
        self._errors.labels(kind).inc()

    def degraded(self, reason: str) -> None:
        self._degraded.labels(reason).inc()

    def dropped(self) -> None:
        self._dropped.inc()

    def exposition(self, *, sessions: int, waiting: int, unembedded: int) -> bytes:
        """The text format that Prometheus scrapes."""
        self._sessions.set(sessions)
        self._waiting.set(waiting)
        self._unembedded.set(unembedded)
        return generate_latest(self._registry)
