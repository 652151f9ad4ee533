"""Settings in, a collector that empties an object store out, until SIGTERM.

Separate from the collector itself, which knows no settings, clock, signals, clouds or logs.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import structlog

from ingest.collectors.checkpoint_file import BadCheckpointError, CheckpointFile
from ingest.collectors.counts import CollectorCounts
from ingest.collectors.objects import Done, Objects, ObjectsOptions
from ingest.collectors.producer import ProducerFailedError, RecordProducer
from ingest.sources.object_store import BadAddressError, ObjectStore
from worker.collector_process import (
    DONE,
    FAILED,
    STOP_S,
    open_port,
    patient_producer,
    stop_on_signals,
    topic_check,
)
from worker.collector_watch import watching_workers
from worker.configuration import InvalidSettingsError
from worker.health import Heartbeat
from worker.logs import configure_logs, log_uncaught

if TYPE_CHECKING:
    from worker.configuration import Settings

HEARTBEAT_LIMIT_S: Final = 300.0
"""A listing of a million objects takes minutes: a thousand come with one answer."""


def collect_objects(settings: Settings, version: str) -> int:
    """Run until SIGTERM or SIGINT; return the exit code: 0 done, 1 it cannot go on.

    Raises
        InvalidSettingsError: a setting or a file cannot be used.
    """
    configure_logs(settings.telemetry.log_level)
    log_uncaught()
    store = _store(settings)
    stop = stop_on_signals()
    producer = patient_producer(settings)
    counts, beat = CollectorCounts(), Heartbeat(HEARTBEAT_LIMIT_S)
    objects = _objects(settings, store, producer, counts)
    log = structlog.get_logger()
    with (
        watching_workers(settings) as watch,
        open_port(
            settings, watch, counts, beat, version=version, kafka=topic_check(settings)
        ) as health,
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
