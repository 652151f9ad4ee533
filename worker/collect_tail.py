"""Settings in, a tail that follows log files out, until SIGTERM.

Separate from the tail itself, which knows no settings, clock, signals or logs.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import structlog

from ingest.collectors.checkpoint_file import BadCheckpointError, CheckpointFile
from ingest.collectors.counts import CollectorCounts
from ingest.collectors.producer import ProducerFailedError, RecordProducer
from ingest.collectors.tail import Tail, TailOptions
from ingest.collectors.tail_checkpoint import Place
from worker.collector_process import (
    DONE,
    FAILED,
    STOP_S,
    open_port,
    patient_producer,
    stop_on_signals,
)
from worker.collector_watch import watching_workers
from worker.configuration import InvalidSettingsError
from worker.health import Heartbeat
from worker.logs import configure_logs, log_uncaught

if TYPE_CHECKING:
    import threading

    from worker.configuration import Settings
    from worker.health import HealthServer
    from worker.metrics import Samples

HEARTBEAT_LIMIT_S: Final = 30.0
"""A line of 1 GB is salvaged within one step: about 10 s."""

WARNINGS: Final = frozenset(
    {
        "checkpoint_not_saved",
        "cut_off",
        "damaged",
        "delivery_failed",
        "too_large",
        "too_large_for_the_topic",
        "unreadable",
    }
)


def collect_tail(settings: Settings, version: str) -> int:
    """Run until SIGTERM or SIGINT; return the exit code: 0 done, 1 it cannot go on.

    Raises
        InvalidSettingsError: a setting or a file cannot be used.
    """
    configure_logs(settings.telemetry.log_level)
    log_uncaught()
    options = _options(settings)
    stop = stop_on_signals()
    producer = patient_producer(settings)
    counts, beat = CollectorCounts(), Heartbeat(HEARTBEAT_LIMIT_S)
    tail = _tail(settings, options, producer, counts)
    log = structlog.get_logger()
    with (
        watching_workers(settings) as watch,
        _health(settings, watch, counts, beat, producer, version=version) as health,
    ):
        log.info("following", paths=list(options.patterns), health_port=health.port)
        try:
            _follow(tail, producer, beat, stop)
            missing = tail.close(STOP_S)
        except ProducerFailedError as error:
            log.critical("stopped: cannot go on", reason=str(error))
            return FAILED
        finally:
            producer.close()
    log.info("stopped", acknowledged=counts.acknowledged, missing=missing)
    return DONE


def _follow(tail: Tail, producer: RecordProducer, beat: Heartbeat, stop: threading.Event) -> None:
    while not stop.is_set():
        wait_s = tail.step(datetime.now(UTC), time.monotonic())
        beat.beat()
        producer.poll(wait_s)


def _options(settings: Settings) -> TailOptions:
    tail, collect = settings.tail, settings.collect
    if not tail.cluster:
        raise InvalidSettingsError("tail.cluster: the cluster that the files come from is needed")
    if not tail.paths:
        raise InvalidSettingsError("tail.paths: nothing to follow")
    return TailOptions(
        tail.cluster,
        collect.name,
        tuple(tail.paths),
        collect.spool,
        tail.poll_s,
        collect.canary_interval_s,
    )


def _tail(
    settings: Settings, options: TailOptions, producer: RecordProducer, counts: CollectorCounts
) -> Tail:
    def note(event: str, **fields: object) -> None:
        log = structlog.get_logger()
        serious = event in WARNINGS or fields.get("unread")
        (log.warning if serious else log.info)(event, **fields)

    try:
        checkpoint = CheckpointFile(settings.tail.checkpoint_file, Place)
        return Tail(options, producer, checkpoint, note, counts)
    except BadCheckpointError as error:
        raise InvalidSettingsError(f"tail.checkpoint_file: {error}") from error


def _health(
    settings: Settings,
    watch: list[Samples],
    counts: CollectorCounts,
    beat: Heartbeat,
    producer: RecordProducer,
    *,
    version: str,
) -> HealthServer:
    started, limit_s = datetime.now(UTC), 2 * (settings.collect.canary_interval_s or float("inf"))

    def missing() -> str | None:
        return _missing(producer, counts, started, limit_s)

    return open_port(settings, watch, counts, beat, version=version, kafka=missing)


def _missing(
    producer: RecordProducer, counts: CollectorCounts, started: datetime, limit_s: float
) -> str | None:
    """Say why Kafka takes nothing: canaries alone are acknowledged more often than that."""
    last = max(time for time in (counts.last_record, counts.last_canary, started) if time)
    silent_s = (datetime.now(UTC) - last).total_seconds()
    if silent_s < limit_s:
        return None
    return producer.last_error or f"nothing was acknowledged for {silent_s:.0f} s"
