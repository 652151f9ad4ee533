"""What the processes of collectors have in common: their end, their producer, their port.

Separate from each collector's wiring, which knows its settings and its loop.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Final

from ingest.collectors.producer import ProducerFailedError, RecordProducer
from ingest.collectors.topic_probe import TopicProbe
from worker.configuration import InvalidSettingsError
from worker.health_port import open_health
from worker.kafka_client import client_config
from worker.metrics import collector_samples, metrics_registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.collectors.counts import CollectorCounts
    from worker.configuration import Settings
    from worker.health import HealthServer, Heartbeat
    from worker.metrics import Samples

    Check = Callable[[], str | None]

STOP_S: Final = 10.0
"""Longest wait at the end for what Kafka has not acknowledged; the next start sends it again."""

QUEUE_KBYTES: Final = 32 << 10
"""Of records that wait for Kafka, here and in its client: 64 MB in all."""

PROBE_S: Final = 1.0
DONE, FAILED = 0, 1


def stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def patient_producer(settings: Settings) -> RecordProducer:
    """Return a producer whose records wait for Kafka however long it is away.

    Raises
        InvalidSettingsError: librdkafka does not take the settings.
    """
    queue = {"queue.buffering.max.kbytes": QUEUE_KBYTES, "message.timeout.ms": 0}
    try:
        return RecordProducer({**client_config(settings.kafka), **queue}, settings.kafka.raw_topic)
    except ProducerFailedError as error:
        raise InvalidSettingsError(f"kafka: {error}") from error


def topic_check(settings: Settings) -> Check:
    """Return a check that says what is wrong with the topic of records, None if nothing is."""
    probe = TopicProbe(client_config(settings.kafka), settings.kafka.raw_topic)
    return lambda: probe.missing(PROBE_S)


def open_port(
    settings: Settings,
    watch: list[Samples],
    counts: CollectorCounts,
    beat: Heartbeat,
    *,
    version: str,
    kafka: Check,
) -> HealthServer:
    """Open the port of health and metrics; ``kafka`` says what keeps records from getting there."""
    registry = metrics_registry(version, [lambda: collector_samples(counts), *watch])
    return open_health(settings.telemetry, registry, {"loop": beat}, {"kafka": kafka})
