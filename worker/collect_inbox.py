"""Settings in, a running mover of inbox topics out, until SIGTERM.

Separate from the inbox itself, which knows no settings, clock, signals or logs.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import structlog

from ingest.collectors.counts import CollectorCounts
from ingest.collectors.inbox import Inbox, InboxFailedError, InboxOptions
from ingest.collectors.producer import ProducerFailedError, RecordProducer
from worker.collector_process import (
    DONE,
    FAILED,
    open_port,
    patient_producer,
    stop_on_signals,
    topic_check,
)
from worker.collector_watch import watching_workers
from worker.configuration import InvalidSettingsError
from worker.health import Heartbeat
from worker.kafka_client import client_config
from worker.logs import configure_logs, log_uncaught

if TYPE_CHECKING:
    from worker.configuration import Settings

HEARTBEAT_LIMIT_S: Final = 30.0
"""Longest step: a rebalance waits 10 s for what is on its way."""


def collect_inbox(settings: Settings, version: str) -> int:
    """Run until SIGTERM or SIGINT; return the exit code: 0 done, 1 it cannot go on.

    Raises
        InvalidSettingsError: a setting or a file cannot be used.
    """
    configure_logs(settings.telemetry.log_level)
    log_uncaught()
    options = _options(settings)
    stop = stop_on_signals()
    counts, beat = CollectorCounts(), Heartbeat(HEARTBEAT_LIMIT_S)
    producer = patient_producer(settings)
    log = structlog.get_logger()
    try:
        inbox = _inbox(settings, options, producer, counts)
        with (
            watching_workers(settings) as watch,
            open_port(
                settings, watch, counts, beat, version=version, kafka=topic_check(settings)
            ) as health,
        ):
            log.info("moving", prefix=options.prefix, health_port=health.port)
            while not stop.is_set():
                inbox.step(datetime.now(UTC), time.monotonic())
                beat.beat()
            inbox.close()
    except (ProducerFailedError, InboxFailedError) as error:
        log.critical("stopped: cannot go on", reason=str(error))
        return FAILED
    finally:
        producer.close()
    log.info("stopped", acknowledged=counts.acknowledged)
    return DONE


def _options(settings: Settings) -> InboxOptions:
    prefix = settings.kafka.inbox_prefix
    if not prefix or settings.kafka.raw_topic.startswith(prefix):
        raise InvalidSettingsError(
            f"kafka.inbox_prefix: {prefix!r} must not be that of {settings.kafka.raw_topic}"
        )
    return InboxOptions(
        prefix,
        settings.inbox.clusters,
        settings.collect.name,
        settings.collect.spool,
        believed=frozenset(settings.inbox.cluster_from_envelope),
    )


def inbox_connection(settings: Settings) -> dict[str, object]:
    """Return how to reach the broker that the inbox is on: a foreign one, or ours."""
    foreign = settings.foreign
    return client_config(foreign if foreign.bootstrap_servers else settings.kafka)


def _inbox(
    settings: Settings, options: InboxOptions, producer: RecordProducer, counts: CollectorCounts
) -> Inbox:
    config, group = inbox_connection(settings), settings.inbox.group
    try:
        return Inbox(config, group, options, producer, note=_note, counts=counts)
    except InboxFailedError as error:
        raise InvalidSettingsError(f"inbox: {error}") from error


def _note(event: str, **fields: object) -> None:
    log = structlog.get_logger()
    (log.info if event in {"revoked", "lost"} else log.warning)(event, **fields)
