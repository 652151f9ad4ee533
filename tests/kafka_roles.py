"""What each role of docs/permissions.md does with Kafka, by Trailwarden's own code.

Each function takes a client's configuration and the names it may use, does the role's work once and
raises `RefusedError` with the client's words when the broker refuses a part of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException

from ingest.collectors.inbox import Inbox, InboxFailedError, InboxOptions
from ingest.collectors.producer import ProducerFailedError, RecordProducer
from ingest.envelope import Envelope, Format
from ingest.verdict import Choice, Verdict, verdict_record
from sinks import topics
from sinks.kafka_admin import KafkaAdmin, KafkaAdminError
from sinks.quarantine import QuarantineError, QuarantineTopic
from sinks.signals import SignalsError, signals_topic
from sinks.topic_reader import (
    MessageLookup,
    TopicUnreadableError,
    committed_offsets,
    read_messages,
    spans_of,
)

DEADLINE_S = 30.0
SETTLED_S = 20.0
ENVELOPE = Envelope("prod", "collector-1", Format.RECORD, datetime.now(UTC))
Config = dict[str, Any]


class RefusedError(Exception):
    """The broker refused; the text is the client's own."""


@dataclass(frozen=True, slots=True)
class Names:
    """Topics and groups of one test, so that tests do not see each other."""

    prefix: str

    def __call__(self, name: str) -> str:
        return f"{self.prefix}{name}"

    @property
    def topics(self) -> topics.TopicOptions:
        """Return the options of a set-up with these names."""
        return topics.TopicOptions(
            self("raw"), self("quarantine"), self("signals"), partitions=1, replication_factor=1
        )


def send(config: Config, topic: str, envelope: Envelope = ENVELOPE, value: bytes = b"{}") -> None:
    """Send one record as collectors do."""
    answers: list[str | None] = []
    producer = RecordProducer(config, topic)
    try:
        producer.send(envelope, value, answers.append)
        producer.flush(DEADLINE_S)
    except ProducerFailedError as error:
        raise RefusedError(str(error)) from error
    finally:
        producer.close()
    if answers != [None]:
        raise RefusedError(f"{topic}: {answers}")


def consume(config: Config, topic: str, group: str) -> None:
    """Read one message as a member of a group, and commit it."""
    consumer = Consumer({**config, "group.id": group, "auto.offset.reset": "earliest"})
    try:
        consumer.subscribe([topic])
        deadline = time.monotonic() + DEADLINE_S
        while (message := consumer.poll(1.0)) is None:
            if time.monotonic() > deadline:
                raise RefusedError(f"{topic}: nothing came")
        if error := message.error():
            raise RefusedError(error.str())
        consumer.commit(message=message, asynchronous=False)
    except KafkaException as error:
        raise RefusedError(error.args[0].str()) from error
    finally:
        consumer.close()


def read_all(config: Config, topic: str) -> int:
    """Read a topic without a group, as the ledger and quarantine's readers do."""
    try:
        return sum(1 for _ in read_messages(config, topic, spans_of(config, topic)))
    except TopicUnreadableError as error:
        raise RefusedError(str(error)) from error


def collector(config: Config, names: Names) -> None:
    send(config, names("raw"))
    watch(config, names)


def inbox(config: Config, names: Names) -> None:
    """Move what the inbox holds, and watch the workers."""
    problems: list[str] = []

    def note(_: str, **fields: object) -> None:
        problems.extend(str(fields[name]) for name in ("reason", "error") if name in fields)

    options = InboxOptions(names("inbox."), {}, "collector-1", Path(os.devnull), revoke_s=5.0)
    producer = RecordProducer(config, names("raw"))
    moving = Inbox(config, names("trailwarden-inbox"), options, producer, note=note)
    try:
        deadline = time.monotonic() + DEADLINE_S
        while not (moving.counts.acknowledged or problems):
            moving.step(datetime.now(UTC), time.monotonic())
            if time.monotonic() > deadline:
                raise RefusedError("no topic of the inbox is seen")
    except (ProducerFailedError, InboxFailedError) as error:
        raise RefusedError(str(error)) from error
    finally:
        moving.close()
        producer.close()
    if problems:
        raise RefusedError(problems[0])
    watch(config, names)


def worker(config: Config, names: Names) -> None:
    consume(config, names("raw"), names("trailwarden"))
    send(config, names("raw"))
    quarantine_one(config, names)
    signal_progress(config, names)


def correlate(config: Config, names: Names) -> None:
    consume(config, names("signals"), names("trailwarden-correlate"))
    quarantine_one(config, names)


def signal_progress(config: Config, names: Names) -> None:
    """Tell how far a partition came; the sink itself says what is wrong."""
    sink = signals_topic(config, names("signals"), names("raw"))
    sink.add_passed(0, None, is_whole=True)
    try:
        if not sink.flush(DEADLINE_S):
            raise RefusedError("signals: not acknowledged")
    except SignalsError as error:
        raise RefusedError(str(error)) from error


def quarantine_one(config: Config, names: Names) -> None:
    """Put one document aside; the sink itself says what is wrong."""
    sink = QuarantineTopic(config, names("quarantine"))
    try:
        sink.add({"trailwarden.quarantine.id": "1"})
        if not sink.flush(DEADLINE_S):
            raise RefusedError("quarantine: not acknowledged")
    except QuarantineError as error:
        raise RefusedError(str(error)) from error


def watch(config: Config, names: Names) -> None:
    try:
        KafkaAdmin(config).group(names("trailwarden"), names("raw"))
    except KafkaAdminError as error:
        raise RefusedError(str(error)) from error


def setup(config: Config, names: Names) -> None:
    """Create what is missing, then find nothing left to do, then mend what somebody changed."""
    longer = topics.TopicOptions(
        names("raw"),
        names("quarantine"),
        names("signals"),
        partitions=1,
        replication_factor=1,
        raw_retention_s=topics.DAY_S,
        quarantine_retention_s=topics.DAY_S,
    )
    try:
        topics.apply(config, names.topics)
        wait_for(lambda: not topics.changes(config, names.topics))
        topics.apply(config, longer)
        wait_for(lambda: not topics.changes(config, longer))
    except KafkaAdminError as error:
        raise RefusedError(str(error)) from error


def doctor(config: Config, names: Names) -> None:
    try:
        if drift := topics.changes(config, names.topics):
            raise RefusedError(f"sees what is not so: {drift}")
        admin = KafkaAdmin(config)
        for name in ("raw", "quarantine", "signals"):
            admin.allowed(names(name))
        admin.group(names("trailwarden"), names("raw"))
    except KafkaAdminError as error:
        raise RefusedError(str(error)) from error
    read_all(reader(config, names), names("raw"))


def reader(config: Config, names: Names) -> Config:
    """Return the configuration with the name that readers without a group give."""
    return {**config, "group.id": names("trailwarden-reader")}


def ledger(config: Config, names: Names) -> None:
    config = reader(config, names)
    read_all(config, names("raw"))
    read_all(config, names("quarantine"))
    try:
        committed_offsets(config, names("raw"), names("trailwarden"), [0])
    except TopicUnreadableError as error:
        raise RefusedError(str(error)) from error


def quarantine(config: Config, names: Names) -> None:
    read_all(reader(config, names), names("quarantine"))


def replay(config: Config, names: Names) -> None:
    read_all(reader(config, names), names("quarantine"))
    lookup = MessageLookup(reader(config, names))
    try:
        lookup.find(names("raw"), 0, 0)
    except TopicUnreadableError as error:
        raise RefusedError(str(error)) from error
    finally:
        lookup.close()
    send(config, names("raw"))


def analyst(config: Config, names: Names) -> None:
    """Say what a finding turned out to be."""
    said = Verdict(
        finding="0" * 32,
        rule="many-secrets-read",
        cluster="prod",
        verdict=Choice.BENIGN,
        author="jane",
        time=datetime.now(UTC),
        note="",
    )
    send(config, names("raw"), *verdict_record(said))


ROLES: dict[str, Callable[[Config, Names], None]] = {
    role.__name__: role
    for role in (
        collector,
        inbox,
        worker,
        correlate,
        setup,
        doctor,
        ledger,
        quarantine,
        replay,
        analyst,
    )
}


def wait_for(condition: Callable[[], bool]) -> None:
    """Let the broker's metadata settle."""
    deadline = time.monotonic() + SETTLED_S
    while not condition():
        if time.monotonic() > deadline:
            raise RefusedError("what was set is not there")
        time.sleep(0.05)
