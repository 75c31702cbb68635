"""What a monitor reads, in Prometheus's text format: what the web knows of the engine, and what Temporal's SDK counts.

No figure names a person, an agreement or a case. ``docs/health.md`` lists them.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from config.settings import Settings
from models.errors import ConfigurationError
from queries.figures import Figures
from starter.health import Health

CONTENT_TYPE = CONTENT_TYPE_LATEST


def exposition(health: Health) -> bytes:
    """What was found, for a monitor; what nobody can say is left out rather than shown as nothing."""
    registry = CollectorRegistry()
    registry.register(_Found(health))
    return generate_latest(registry)


class _Found(Collector):
    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """Each figure that is known."""
        health = self._health
        yield _gauge("duenotice_ready", "Whether every part is in order.", health.is_ready())
        checks = GaugeMetricFamily("duenotice_check_ok", "Whether a part is in order.", labels=["check"])
        for check in health.checks:
            checks.add_metric([check.name], check.ok)
        yield checks
        pollers = GaugeMetricFamily("duenotice_pollers", "Worker processes that ask for work.", labels=["type"])
        for name, who in health.pollers.items():
            pollers.add_metric([name], len(who))
        yield pollers
        if health.figures:
            yield from _counted(health.figures, health)


def _counted(figures: Figures, health: Health) -> Iterator[Metric]:
    open_cases = GaugeMetricFamily("duenotice_open_cases", "Open cases.", labels=["kind"])
    for kind, count in sorted(figures.open_cases.items()):
        open_cases.add_metric([kind], count)
    yield open_cases
    yield _gauge("duenotice_stuck_cases", "Open cases that do not go on.", figures.stuck_cases)
    yield _gauge("duenotice_overdue_duties", "Running duties past their due instants.", figures.overdue_duties)
    yield _gauge("duenotice_waiting_notices", "Notices that wait since no mail leaves.", figures.waiting_notices)
    yield _gauge(
        "duenotice_unknown_deliveries",
        "Messages of which nobody can say whether they arrived.",
        figures.unknown_deliveries,
    )
    away, paused = figures.mail_away_since is not None, figures.mail_paused_at is not None
    yield _gauge("duenotice_mail_away", "Whether the mail server takes no mail at all.", away)
    yield _gauge("duenotice_mail_paused", "Whether mail is paused.", paused)
    if figures.sweep:
        age = (health.at - figures.sweep.ended_at).total_seconds()
        yield _gauge("duenotice_last_sweep_age_seconds", "How long ago the watchdog's last sweep ended.", age)
    yield _gauge(
        "duenotice_unsigned_entries", "Entries of the ledger that no signed head covers yet.", figures.unsigned_entries
    )
    waits = (health.at - figures.unsigned_since).total_seconds() if figures.unsigned_since else 0
    yield _gauge("duenotice_unsigned_age_seconds", "How long the oldest of them waits.", waits)
    clocks = GaugeMetricFamily(
        "duenotice_clock_ahead_seconds", "How far a clock of ours is ahead of another's.", labels=["of"]
    )
    if health.database_clock is not None:
        clocks.add_metric(["database"], health.database_clock)
    if figures.sweep:
        clocks.add_metric(["temporal"], figures.sweep.clock_ahead)
    yield clocks


def _gauge(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(name, says, value=float(value))


def sdk_runtime(settings: Settings, process: int = 0) -> Runtime | None:
    """What shows the counters of Temporal's SDK in a worker process, where the settings name an address for it.

    Args:
        settings: the installation's settings.
        process: which worker process this is, from 0; each shows its own, on a port of its own.

    Raises:
        ConfigurationError: nothing can listen at that address.
    """
    address = settings.metrics.worker_address
    if address is None:
        return None
    host, _, port = address.rpartition(":")
    own = f"{host}:{int(port) + process}"
    try:
        return Runtime(telemetry=TelemetryConfig(metrics=PrometheusConfig(bind_address=own)))
    except (RuntimeError, ValueError) as error:
        raise ConfigurationError(
            f"Nothing can listen on {own}.",
            where="DUENOTICE_METRICS__WORKER_ADDRESS",
            next_step="Choose an address of this machine whose port is free, with as many free ports as processes.",
        ) from error
