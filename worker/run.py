"""Settings in, a running worker until SIGTERM; the wiring of `trailwarden run`.

Separate from the loop, which knows no signals, threads or ports, and from its parts, which are made
before anything runs.
"""

from __future__ import annotations

import signal
import threading
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import structlog

from detectors.sigma.errors import InvalidRulesError
from ingest.sources.kafka import KafkaFailedError
from sinks.alarm import Alarm, AlarmName
from sinks.elasticsearch.retention import apply_retention
from sinks.elasticsearch.transport import (
    NotAllowedError,
    SetupMissingError,
    UnavailableError,
)
from sinks.quarantine import QuarantineError
from sinks.signals import SignalsError
from worker.chores import QuarantineLimit, QuarantineLimitError
from worker.configuration import InvalidSettingsError
from worker.counts import WorkerCounts
from worker.crash_points import CrashPoint, reach
from worker.drain import Stopped
from worker.garbage import collect_rarely
from worker.health import Heartbeat
from worker.health_port import open_health
from worker.logs import configure_logs, log_uncaught
from worker.metrics import (
    Samples,
    bulk_samples,
    correlate_samples,
    learned_samples,
    metrics_registry,
    notifier_samples,
    sent_samples,
    worker_samples,
)
from worker.pace import Watch
from worker.parts import Parts, Surroundings, assemble, renew_rules
from worker.roles import Role
from worker.takeover import StoreMismatchError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from prometheus_client import CollectorRegistry

    from ingest.sources.kafka import Record
    from sinks.elasticsearch.connection import Client
    from worker.configuration import Settings
    from worker.health import HealthServer

HEARTBEAT_LIMIT_S: Final = 10.0
DONE, FAILED = 0, 1
_MOMENT_S: Final = 0.01

_STOPS: Final = (
    KafkaFailedError,
    NotAllowedError,
    QuarantineError,
    QuarantineLimitError,
    SetupMissingError,
    SignalsError,
    StoreMismatchError,
)
"""What stops a worker loudly, before the commit; anything else is a bug, and stops it as well."""


class _StoppedLoudlyError(Exception):
    """One of `_STOPS` while the worker ran, its cause; at a start they go to the caller."""


class Service:
    """One worker process: the loop, its heartbeat, its port, its end."""

    def __init__(
        self,
        settings: Settings,
        version: str,
        config: Path | None = None,
        roles: frozenset[Role] = frozenset({Role.DETECT}),
    ) -> None:
        self.counts = WorkerCounts()
        self._roles = roles
        self._settings = settings
        self._config = config
        self._version = version
        self._log = structlog.get_logger()
        self._stopping = threading.Event()
        self._reloading = threading.Event()
        self._heart = Heartbeat(HEARTBEAT_LIMIT_S)
        worker = settings.worker
        self._limit = QuarantineLimit(worker.quarantine_share, worker.quarantine_window)
        self._parts: Parts
        self._is_waiting = False

    def stop(self) -> None:
        """Ask the loop to end after its step; may be called from a signal handler."""
        self._stopping.set()

    def reload(self) -> None:
        """Ask for rules, site and exceptions to be loaded anew; may be called from a signal."""
        self._reloading.set()

    def run(self) -> int:
        """Run until stopped; return the exit code.

        Raises
            what `worker.parts.assemble` raises, before anything was joined.
        """
        try:
            with ExitStack() as closing:
                self._begin(closing)
                self._work()
        except _StoppedLoudlyError as stopped:
            # After all else that leaving has to say: people look at the last line first.
            error = stopped.__cause__
            self._log.critical("stopped", kind=type(error).__name__, reason=str(error))
            return FAILED
        self._log.info("ended", records=self.counts.records, events=self.counts.events)
        return DONE

    def _begin(self, closing: ExitStack) -> None:
        around = Surroundings(self.counts, self._watch(), self._retain, self._warn, self._config)
        self._parts = assemble(self._settings, around, closing, self._roles)
        port = closing.enter_context(self._health()).port
        for source in self._parts.sources:
            source.start()
        roles, group = sorted(self._roles), self._settings.kafka.group
        self._log.info("started", health_port=port, group=group, roles=roles)

    def _work(self) -> None:
        left = list(self._parts.sources)
        try:
            self._turn()
            while left:
                left.pop(0).close()
        except _STOPS as error:
            if isinstance(error, QuarantineLimitError):
                self._tell_limit(error)
            for source in left:
                source.abandon()
            raise _StoppedLoudlyError from error

    def _turn(self) -> None:
        """Turn until stopped; the checkpoint of the end is that of the partitions given up."""
        parts = self._parts
        loops = parts.loops
        with suppress(Stopped):
            while not self._stopping.is_set():
                for loop in loops:
                    loop.run_once()
                if self._reloading.is_set():
                    self._reload()
                parts.chores.tick(time.monotonic(), parts.raw_partitions, reading=True)

    def _reload(self) -> None:
        """Go on with what the files say now, or, if anything in them is refused, as before.

        Between two steps: a batch is of the old rules or of the new ones, never of both.
        """
        self._reloading.clear()
        reach(CrashPoint.IN_RELOAD)
        try:
            rules = renew_rules(self._parts, self._config)
        except (InvalidRulesError, InvalidSettingsError) as error:
            self.counts.reloads["refused"] += 1
            self._log.error("rules-kept", reason=str(error))
            return
        self.counts.reloads["loaded"] += 1
        self._log.info("rules-loaded", pack=rules.hash, rules=len(rules.pack.reporting))

    def _tell_limit(self, error: QuarantineLimitError) -> None:
        name, group = AlarmName.QUARANTINE_LIMIT, self._settings.kafka.group
        self._parts.notifier.alarm(Alarm(name, "", group, datetime.now(UTC), str(error)))

    def _watch(self) -> Watch:
        return Watch(
            log=self._tell,
            beat=self._heart.beat,
            asking=self._asking,
            stopping=self._stopping.is_set,
            batch=self._batch,
            waiting=self._waiting,
            idling=self._idling,
            flowing=self._flowing,
        )

    def _tell(self, event: str, **values: Any) -> None:
        self._log.info(event, **values)

    def _warn(self, problem: str) -> None:
        self._log.warning("trouble", problem=problem)

    def _asking(self, begins: bool) -> None:
        """Let the heart be still for as long as a server may keep us waiting for an answer."""
        settings = self._settings
        longest_s = max(settings.elasticsearch.request_timeout_s, settings.kafka.session_timeout_s)
        self._heart.beat()
        self._heart.limit_s = HEARTBEAT_LIMIT_S + (longest_s if begins else 0.0)

    def _batch(self, records: Sequence[Record], refused: int) -> None:
        self._parts.chores.observe(records)
        self._limit.observe(len(records), refused)

    def _waiting(self, sink: str, seconds: float, reason: str) -> None:
        if not self._is_waiting:
            self._log.warning("waiting", sink=sink, seconds=round(seconds, 3), reason=reason)
        self._is_waiting = True
        now_s = time.monotonic()
        self._parts.chores.waiting(sink, reason, now_s)
        self._parts.chores.tick(now_s, self._parts.raw_partitions, reading=False)

    def _idling(self) -> None:
        """Keep both memberships where there are two: one waits for a sink of the other."""
        sources = self._parts.sources
        for source in sources if len(sources) > 1 else ():
            source.idle(_MOMENT_S)

    def _flowing(self) -> None:
        if self._is_waiting:
            self._is_waiting = False
            self._log.info("flowing")
            self._parts.chores.flowing()

    def _retain(self, client: Client) -> None:
        elastic, days = self._settings.elasticsearch, self._settings.worker.retention_days
        try:
            gone = apply_retention(client, elastic.prefix, days, datetime.now(UTC))
        except (NotAllowedError, SetupMissingError, UnavailableError) as error:
            self._log.warning("retention failed", reason=str(error))
        else:
            self._log.info("retention applied", deleted=len(gone))

    def _health(self) -> HealthServer:
        checks = {"partitions": self._not_assigned, "sinks": self._not_flowing}
        return open_health(
            self._settings.telemetry, self._registry(), {"loop": self._heart}, checks
        )

    def _registry(self) -> CollectorRegistry:
        parts = self._parts
        samples: list[Samples] = [lambda: notifier_samples(parts.notifier)]
        if (detect := parts.detect) is not None:
            samples += [
                lambda: worker_samples(self.counts, time.monotonic()),
                lambda: learned_samples(self.counts),
                lambda: bulk_samples(detect.bulk.counts),
                lambda: sent_samples(detect.signals.counts.sent),
            ]
        if (correlate := parts.correlate) is not None:
            samples += [
                lambda: correlate_samples(correlate.counts, correlate.correlator.outcomes),
                lambda: bulk_samples(correlate.bulk.counts),
            ]
        return metrics_registry(self._version, samples)

    def _not_assigned(self) -> str | None:
        """Return a reason where the first role has nothing: `signals` has few partitions."""
        parts = self._parts
        held = bool(parts.raw_partitions)
        if parts.detect is None and parts.correlate is not None:
            held = bool(parts.correlate.correlator.partitions)
        return None if held else "no partition is assigned"

    def _not_flowing(self) -> str | None:
        return "a sink takes nothing at present" if self._is_waiting else None


def run(
    settings: Settings,
    version: str,
    config: Path | None = None,
    roles: frozenset[Role] = frozenset({Role.DETECT}),
) -> int:
    """Run a worker until SIGTERM or SIGINT; return the exit code: 0 done, 1 stopped loudly.

    SIGHUP loads rules, site and exceptions anew.
    """
    configure_logs(settings.telemetry.log_level)
    log_uncaught()
    service = Service(settings, version, config, roles)
    signal.signal(signal.SIGHUP, lambda *_: service.reload())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stop())
    collect_rarely()
    return service.run()
