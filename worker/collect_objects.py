"""Settings in, a collector that empties an object store out, until SIGTERM.

Separate from the collector itself, which knows no settings, clock, signals, clouds or logs.
"""

from __future__ import annotations

import signal
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import structlog

from ingest.collectors.checkpoint_file import BadCheckpointError, CheckpointFile
from ingest.collectors.counts import CollectorCounts
from ingest.collectors.objects import Done, Objects, ObjectsOptions
from ingest.collectors.producer import ProducerFailedError, RecordProducer
from ingest.collectors.topic_probe import TopicProbe
from ingest.sources.object_store import BadAddressError, ObjectStore
from worker.collector_watch import watching_workers
from worker.configuration import InvalidSettingsError
from worker.health import Heartbeat
from worker.health_port import open_health
from worker.kafka_client import client_config
from worker.logs import configure_logs, log_uncaught
from worker.metrics import collector_samples, metrics_registry

if TYPE_CHECKING:
    from worker.configuration import Settings
    from worker.health import HealthServer
    from worker.metrics import Samples

HEARTBEAT_LIMIT_S: Final = 300.0
"""A listing of a million objects takes minutes: a thousand come with one answer."""

STOP_S: Final = 10.0
"""Longest wait at the end for what Kafka has not acknowledged; the next start sends it again."""

QUEUE_KBYTES: Final = 32 << 10
"""Of records that wait for Kafka, here and in its client: 64 MB in all."""

PROBE_S: Final = 1.0
DONE, FAILED = 0, 1


def collect_objects(settings: Settings, version: str) -> int:
    """Run until SIGTERM or SIGINT; return the exit code: 0 done, 1 it cannot go on.

    Raises
        InvalidSettingsError: a setting or a file cannot be used.
    """
    configure_logs(settings.telemetry.log_level)
    log_uncaught()
    store = _store(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    producer = _producer(settings)
    counts, beat = CollectorCounts(), Heartbeat(HEARTBEAT_LIMIT_S)
    objects = _objects(settings, store, producer, counts)
    log = structlog.get_logger()
    with (
        watching_workers(settings) as watch,
        _health(settings, watch, counts, beat, version=version) as health,
    ):
        log.info("emptying", store=store.name, health_port=health.port)
        try:
            while not stop.is_set():
                wait_s = objects.step(datetime.now(UTC), time.monotonic())
                beat.beat()
                producer.poll(wait_s)
            missing = objects.close(STOP_S)
        except ProducerFailedError as error:
            log.critical("stopped: cannot go on", reason=str(error))
            return FAILED
        finally:
            producer.close()
    log.info("stopped", acknowledged=counts.acknowledged, missing=missing)
    return DONE


def _store(settings: Settings) -> ObjectStore:
    if not settings.objects.address:
        raise InvalidSettingsError("objects.address: nothing to empty")
    try:
        return ObjectStore(settings.objects.address)
    except BadAddressError as error:
        raise InvalidSettingsError(f"objects.address: {error}") from error


def _producer(settings: Settings) -> RecordProducer:
    config: dict[str, Any] = {
        **client_config(settings.kafka),
        "queue.buffering.max.kbytes": QUEUE_KBYTES,
        # A record waits for Kafka however long it is away; reading pauses meanwhile.
        "message.timeout.ms": 0,
    }
    try:
        return RecordProducer(config, settings.kafka.raw_topic)
    except ProducerFailedError as error:
        raise InvalidSettingsError(f"kafka: {error}") from error


def _objects(
    settings: Settings, store: ObjectStore, producer: RecordProducer, counts: CollectorCounts
) -> Objects:
    group, collect = settings.objects, settings.collect
    options = ObjectsOptions(
        group.cluster, collect.name, collect.spool, group.interval_s, collect.canary_interval_s
    )
    try:
        checkpoint = CheckpointFile(group.checkpoint_file, Done)
        return Objects(options, store, producer, checkpoint, note=_note, counts=counts)
    except BadCheckpointError as error:
        raise InvalidSettingsError(f"objects.checkpoint_file: {error}") from error


def _note(event: str, **fields: object) -> None:
    structlog.get_logger().warning(event, **fields)


def _health(
    settings: Settings,
    watch: list[Samples],
    counts: CollectorCounts,
    beat: Heartbeat,
    *,
    version: str,
) -> HealthServer:
    registry = metrics_registry(version, [lambda: collector_samples(counts), *watch])
    probe = TopicProbe(client_config(settings.kafka), settings.kafka.raw_topic)
    checks = {"kafka": lambda: probe.missing(PROBE_S)}
    return open_health(settings.telemetry, registry, {"loop": beat}, checks)
