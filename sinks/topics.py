"""The topics that are wanted and a broker in, what differs and what was done about it out.

Separate from the connection because what a topic must be like is knowledge of its own: every
setting here has its reason. Nothing is ever deleted, and what cannot be changed without moving
records is reported and left to people.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ingest.collectors.producer import MAX_MESSAGE_BYTES
from sinks.change import Change
from sinks.kafka_admin import KafkaAdmin, KafkaAdminError, TopicState

if TYPE_CHECKING:
    from collections.abc import Mapping

KIND: Final = "topic"
DAY_S: Final = 24 * 3600

PARTITIONS: Final = 64
"""design.md, section 1: at least four per worker, so up to 16 workers."""

SIGNALS_PARTITIONS: Final = 8
"""Every worker writes its watermark into each of them at each checkpoint: few."""

QUARANTINE_PARTITIONS: Final = 4

REPLICAS_WANTED: Final = 3
"""Replicas where there are as many brokers: one may fail while another is maintained."""

SEGMENTS_PER_RETENTION: Final = 12
"""Kafka deletes whole closed segments only. With its default of seven days a segment, records of a
quiet partition would outlive a retention of three days by a week; and `raw` holds secrets."""

EFFECT_S: Final = 15.0
EFFECT_POLL_S: Final = 0.1

PARTITIONS_NOTE: Final = (
    "records are keyed by cluster, other numbers of partitions move clusters to other partitions; "
    "let the workers finish, then create a new topic"
)
REPLICAS_NOTE: Final = "copies are moved by kafka-reassign-partitions only"


@dataclass(frozen=True, slots=True)
class TopicOptions:
    """What topics are called and how large they are.

    ``partitions`` are those of `raw`; None: 64 when it is created, then as many as it has.
    ``replication_factor`` None: three, or as many as there are brokers.
    """

    raw: str = "raw"
    quarantine: str = "quarantine"
    signals: str = "signals"
    partitions: int | None = None
    replication_factor: int | None = None
    raw_retention_s: int = 3 * DAY_S
    quarantine_retention_s: int = 30 * DAY_S


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it is wanted.

    ``fixed_partitions``: that number and no other, else it only counts when the topic is created.
    """

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)
    fixed_partitions: bool = False


def desired_topics(options: TopicOptions) -> tuple[Topic, ...]:
    """Return the topics that Trailwarden wants."""
    partitions = options.partitions or PARTITIONS
    raw = {
        # The broker's clock, not the sender's: retention cannot be stretched by a wrong clock, and
        # a collector's clock can be compared with it.
        "message.timestamp.type": "LogAppendTime",
        **_kept(options.raw_retention_s),
    }
    signals, quarantine = _kept(options.raw_retention_s), _kept(options.quarantine_retention_s)
    return (
        Topic(options.raw, partitions, raw, fixed_partitions=options.partitions is not None),
        Topic(options.signals, min(partitions, SIGNALS_PARTITIONS), signals),
        Topic(options.quarantine, min(partitions, QUARANTINE_PARTITIONS), quarantine),
    )


def _kept(retention_s: int) -> dict[str, str]:
    return {
        # Never compacted: two refused records may share a key, and each must be found.
        "cleanup.policy": "delete",
        "retention.ms": str(retention_s * 1000),
        "segment.ms": str(retention_s * 1000 // SEGMENTS_PER_RETENTION),
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        # As it was sent (zstd): the broker need not unpack and pack again.
        "compression.type": "producer",
        # A replica that missed acknowledged records must not become the leader (P1).
        "unclean.leader.election.enable": "false",
    }


def changes(config: Mapping[str, object], options: TopicOptions) -> list[Change]:
    """Return what a set-up would change, and drift that it would leave to people.

    Parameters
        config: librdkafka's configuration of the connection.

    Raises
        sinks.kafka_admin.KafkaAdminError: the broker does not answer or refuses.
    """
    return _compare(KafkaAdmin(config), options)


def apply(config: Mapping[str, object], options: TopicOptions) -> list[Change]:
    """Make the changes and return them, drift included; a second time there are none to make.

    Raises
        sinks.kafka_admin.KafkaAdminError: as `changes`; what was done before stays done.
    """
    admin = KafkaAdmin(config)
    found = _compare(admin, options)
    made = [change for change in found if not change.is_drift]
    for change in made:
        _make(admin, change)
    if made:
        _await_effect(admin, options)
    return found


def _await_effect(admin: KafkaAdmin, options: TopicOptions) -> None:
    """Wait until the brokers, which learn of it from their controller, show what was made."""
    deadline = time.monotonic() + EFFECT_S
    while left := [one for one in _compare(admin, options) if not one.is_drift]:
        if time.monotonic() > deadline:
            raise KafkaAdminError(f"topic {left[0].name} did not become as asked", refused=True)
        time.sleep(EFFECT_POLL_S)


def _make(admin: KafkaAdmin, change: Change) -> None:
    wanted: Any = change.after
    if change.before is None:
        size = wanted["partitions"], wanted["replication_factor"]
        admin.create_topic(change.name, *size, wanted["config"])
    else:
        admin.alter_topic(change.name, wanted)


def _compare(admin: KafkaAdmin, options: TopicOptions) -> list[Change]:
    wanted = desired_topics(options)
    replicas = options.replication_factor or min(REPLICAS_WANTED, admin.brokers())
    present = admin.topics(topic.name for topic in wanted)
    return [
        change for topic in wanted for change in compare(topic, present.get(topic.name), replicas)
    ]


def compare(wanted: Topic, present: TopicState | None, replicas: int) -> list[Change]:
    """Return how a topic differs from what is wanted; ``present`` None: it does not exist."""
    if present is None:
        config = {**wanted.config, **_in_sync(replicas)}
        return [Change(KIND, wanted.name, None, _created(wanted.partitions, replicas, config))]
    config = {**wanted.config, **_in_sync(present.replication_factor)}
    drifted = {key: value for key, value in config.items() if present.config.get(key) != value}
    found: list[Change] = []
    if drifted:
        before = {key: present.config.get(key) for key in drifted}
        found.append(Change(KIND, wanted.name, before, drifted))
    if wanted.fixed_partitions and present.partitions != wanted.partitions:
        found.append(
            _drift(wanted, "partitions", present.partitions, wanted.partitions, PARTITIONS_NOTE)
        )
    if present.replication_factor < replicas:
        found.append(
            _drift(
                wanted, "replication_factor", present.replication_factor, replicas, REPLICAS_NOTE
            )
        )
    return found


def _drift(wanted: Topic, name: str, is_now: int, should_be: int, note: str) -> Change:
    return Change(KIND, wanted.name, {name: is_now}, {name: should_be}, note)


def _created(partitions: int, replicas: int, config: Mapping[str, str]) -> dict[str, object]:
    return {"partitions": partitions, "replication_factor": replicas, "config": dict(config)}


def _in_sync(replicas: int) -> dict[str, str]:
    """With `acks=all` an acknowledged record is on two brokers, and one of three may be away."""
    return {"min.insync.replicas": str(max(1, min(2, replicas - 1)))}
