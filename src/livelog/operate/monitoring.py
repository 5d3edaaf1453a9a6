"""Monitoring, on the producers' port: health, readiness and metrics.

    /healthz    200 while the event loop runs
    /readyz     200 if a log could begin now, else 503 with the reason
    /metrics    metrics in the formats of Prometheus and OpenMetrics

These need no token, and so say nothing about single logs. The objects of the server count for themselves; their figures are collected for
each request. Only the event loop's delay is measured here.
"""

import asyncio
import importlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from livelog import __version__
from livelog.log.catalogue import Catalogue
from livelog.log.info import State
from livelog.wire import problem
from livelog.wire.listener import Listener
from livelog.wire.request import Request
from livelog.wire.response import Response
from livelog.wire.routes import Resource

from .metrics import Histogram

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

PATHS = frozenset({"/healthz", "/readyz", "/metrics"})

DELAY_CHECK = 0.5
"""Seconds between two measurements of the event loop's delay."""

DELAY_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Monitoring:
    """Answers the requests for `PATHS`.

    `sides`: the ports by name; it may be filled until the first request. `lags`: returns, for each reader that follows a log, how many
    bytes it was not sent yet. `pass_seconds`: the durations of all fan-outs' passes. `headers`: fields of every answer.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        sides: Mapping[str, Listener],
        lags: Callable[[], list[int]],
        pass_seconds: Histogram,
        headers: Mapping[str, str],
    ) -> None:
        self._catalogue = catalogue
        self._sides = sides
        self._lags = lags
        self._pass_seconds = pass_seconds
        self._headers = headers
        handlers = {"/healthz": self._healthz, "/readyz": self._readyz, "/metrics": self._metrics}
        self._resources = {
            path: Resource({"GET": handler, "HEAD": handler}, problem.READ_WITH_GET)
            for path, handler in handlers.items()
        }
        self._delay = Histogram(DELAY_BOUNDS)

    async def answer(self, request: Request) -> Response:
        """Answer one request. Raises: RequestError."""
        return await self._resources[request.path].handler(request.method)(request)

    async def _healthz(self, _request: Request) -> Response:
        return self._ok()

    async def _readyz(self, _request: Request) -> Response:
        if (reason := await self._catalogue.refusal()) is not None:
            raise problem.NOT_READY.error({"Retry-After": "10"}, reason=reason)
        return self._ok()

    async def watch_loop(self) -> None:
        """Run for ever: measure by how many seconds the event loop is late."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + DELAY_CHECK
            await asyncio.sleep(DELAY_CHECK)
            self._delay.observe(max(0.0, loop.time() - due))

    async def _metrics(self, request: Request) -> Response:
        # Loading the library takes a tenth of the server's start: it is loaded in a thread by the first request.
        await asyncio.to_thread(importlib.import_module, "prometheus_client")
        from prometheus_client import CollectorRegistry, ProcessCollector  # noqa: PLC0415
        from prometheus_client.exposition import choose_encoder  # noqa: PLC0415

        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(self)
        encode, content_type = choose_encoder(request.fields.get("Accept", ""))
        headers = {**self._headers, "Cache-Control": "no-store", "Content-Type": content_type}
        return Response(200, headers, encode(registry))

    def collect(self) -> "Iterator[Metric]":
        """All figures: see `prometheus_client.registry.Collector`."""
        from prometheus_client.metrics_core import (  # noqa: PLC0415
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
            InfoMetricFamily,
        )

        yield InfoMetricFamily("livelog", "What runs here.", {"version": __version__})
        logs = GaugeMetricFamily("livelog_logs", "Logs that there are, by state.", labels=["state"])
        counted = Counter(journal.state for journal in self._catalogue.all())
        for state in State:
            logs.add_metric([state.value], counted[state])
        yield logs
        ended = CounterMetricFamily("livelog_logs_ended", "Logs that ended, by state.", labels=["state"])
        for state in (State.COMPLETE, State.ABORTED):
            ended.add_metric([state.value], self._catalogue.ended_count[state])
        yield ended
        removed = "Ended logs that were removed to make room, or for their age."
        yield CounterMetricFamily("livelog_logs_retired", removed, self._catalogue.retired_count)
        yield GaugeMetricFamily("livelog_stored_bytes", "Bytes of all logs together.", self._catalogue.used)
        yield CounterMetricFamily(
            "livelog_received_bytes",
            "Bytes of logs from producers.",
            sum(side.received for side in self._sides.values()),
        )

        sent = CounterMetricFamily("livelog_sent_bytes", "Bytes of streamed answers, by port.", labels=["port"])
        open_now = GaugeMetricFamily("livelog_connections", "Open connections, by port.", labels=["port"])
        refused = CounterMetricFamily(
            "livelog_refusals", "Requests refused, by port and reason.", labels=["port", "reason"]
        )
        for name, side in self._sides.items():
            sent.add_metric([name], side.sent)
            open_now.add_metric([name], side.open_connections)
            for reason, count in sorted(side.refusals.items()):
                refused.add_metric([name, reason], count)
        yield from (sent, open_now, refused)

        lags = self._lags()
        yield GaugeMetricFamily("livelog_readers", "Readers that follow a log.", len(lags))
        behind = "Readers that follow a log and have not been given all of it."
        yield GaugeMetricFamily("livelog_readers_behind", behind, sum(lag > 0 for lag in lags))
        farthest = "Bytes that the reader who is farthest behind has not been given."
        yield GaugeMetricFamily("livelog_reader_lag_max_bytes", farthest, max(lags, default=0))
        for name, help_text, histogram in (
            (
                "livelog_fanout_pass_seconds",
                "Time to give new bytes to all readers of a log.",
                self._pass_seconds,
            ),
            ("livelog_event_loop_delay_seconds", "By how much the event loop was late.", self._delay),
        ):
            yield HistogramMetricFamily(name, help_text, histogram.cumulative(), histogram.total)

    def _ok(self) -> Response:
        headers = {**self._headers, "Cache-Control": "no-store", "Content-Type": "text/plain; charset=utf-8"}
        return Response(200, headers, b"ok\n")
