"""Signals and progress reach the topic whole, once they can, and come back as they were."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import polars as pl
import pytest

from detectors.correlation.sent import SENT, Sent
from ingest.schema import DTYPES
from sinks.signals import (
    Passed,
    Signal,
    SignalsError,
    SignalsTopic,
    messages_of,
    read_message,
    signal_frames,
    signals_topic,
)
from sinks.topic_writer import TopicWriter
from tests.ingest.collectors.mock_broker import MockBroker

TIME = datetime(2026, 11, 21, 12, 0, 1, 123_457, tzinfo=UTC)
ROWS: list[dict[str, Any]] = [
    {
        "correlation": "c" * 16, "part": 1, "base": 2, "key": (1 << 64) - 1, "time": 77,
        "event": "e" * 32, "value": 1 << 63, "number": -5, "peer": 3, "audit": "a", "text": "ü",
    },
    dict.fromkeys(SENT, None) | {
        "correlation": "d" * 16, "part": 0, "base": 0, "key": 0, "time": 0, "event": "f" * 32,
    },
]  # fmt: skip
DOCUMENTS = {
    "event.id": ["e" * 32, "f" * 32],
    "@timestamp": [TIME, TIME],
    "user.name": ["alice", None],
    "trailwarden.parse.issues": [["no-time", "b"], None],
}
SCHEMA = {name: DTYPES[name] for name in DOCUMENTS}


def found() -> Sent:
    return Sent(
        pl.DataFrame(ROWS, schema=SENT),
        pl.Series(["one/1", "two/2"]),
        pl.DataFrame(DOCUMENTS, schema=SCHEMA),
    )


def test_signals_come_back_as_they_were() -> None:
    messages = list(messages_of(found()))
    assert [key for key, _ in messages] == [b"one/1", b"two/2"]
    signals = [one for _, value in messages if isinstance(one := read_message(value), Signal)]
    assert signals[1].document == {"event.id": "f" * 32, "@timestamp": TIME}
    rows, documents = signal_frames(signals)
    assert rows.equals(pl.DataFrame(ROWS, schema=SENT))
    assert documents.select(list(SCHEMA)).equals(pl.DataFrame(DOCUMENTS, schema=SCHEMA))
    assert dict(documents.schema) == {name: SCHEMA[name] for name in documents.columns}


def test_columns_that_are_unknown_here_are_left_out_and_others_are_what_they_must_be() -> None:
    document = {"@timestamp": TIME, "event.id": "e" * 32, "of.the.future": 1, "user.name": 5}
    signal = Signal(**ROWS[0], document=document)
    _, documents = signal_frames([signal])
    assert set(documents.columns) == {"@timestamp", "event.id", "user.name"}
    assert documents["user.name"].dtype == pl.String


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{}",
        b"\xc1",
        msgspec.msgpack.encode(["signal", 1]),
        msgspec.msgpack.encode(["other", 1, 1, 1, True, 1]),
        msgspec.msgpack.encode(Signal(**ROWS[0], document={})),
        msgspec.msgpack.encode(Signal(**ROWS[0], document={"@timestamp": "today"})),
    ],
)
def test_what_is_none_of_ours_is_said_to_be_none(value: bytes) -> None:
    assert read_message(value) is None


def topic_on(broker: MockBroker, signals: str = "signals", raw: str = "raw") -> SignalsTopic:
    config = {"bootstrap.servers": broker.bootstrap_servers, "log_level": 0}
    return SignalsTopic(
        lambda: TopicWriter(config, signals, SignalsError), signals, raw, clock=lambda: 5.0
    )


def test_progress_goes_into_every_partition_behind_the_signals() -> None:
    broker = MockBroker()
    broker.create("signals", 3)
    broker.create("raw", 7)
    topic = topic_on(broker)
    topic.add_passed(4, 123, is_whole=True)
    topic.add(found())
    assert topic.flush(10)
    assert topic.counts.sent == 2
    topic.add_passed(9, None, is_whole=False)
    assert topic.flush(10)
    by_partition: dict[int, list[Any]] = {0: [], 1: [], 2: []}
    for message in sorted(broker.messages("signals", 8), key=lambda one: one.offset()):
        by_partition[message.partition()].append(read_message(message.value()))
    wanted = [Passed(4, 7, 123, True, 5_000_000), Passed(9, 10, None, False, 5_000_000)]
    for messages in by_partition.values():
        assert messages[-2:] == wanted
        assert all(isinstance(one, Signal) for one in messages[:-2])
    assert sum(map(len, by_partition.values())) == 8


def test_nothing_is_asked_of_a_broker_before_there_is_anything() -> None:
    assert signals_topic({"bootstrap.servers": "127.0.0.1:1"}, "signals", "raw").flush(0.01)


def test_a_broker_that_does_not_answer_is_waited_for_and_gets_everything_then() -> None:
    broker = MockBroker()
    broker.create("signals")
    broker.create("raw")
    topic = topic_on(broker)
    topic.add_passed(0, 1, is_whole=True)
    assert topic.flush(10)
    broker.go_down()
    topic.add(found())
    assert not topic.flush(0.2)
    broker.come_up()
    assert topic.flush(30)
    assert len(broker.messages("signals", 3)) == 3


@dataclass
class Writer:
    """A broker that knows topics by number of partitions, and takes everything."""

    known: dict[str, int | None]
    taken: list[bytes] = field(default_factory=list)

    def add(self, value: bytes, key: bytes, partition: int = -1) -> None:
        del key, partition
        self.taken.append(value)

    def flush(self, timeout_s: float) -> bool:
        return timeout_s > 0

    def partitions(self, topic: str, timeout_s: float) -> int | None:
        assert timeout_s > 0
        return self.known[topic]


def test_a_topic_that_is_missing_stops_the_worker_once_it_is_certain() -> None:
    writer = Writer({"signals": 0, "raw": 1})
    topic = SignalsTopic(lambda: writer, "signals", "raw")
    topic.add(found())
    assert not any(topic.flush(1) for _ in range(10))
    with pytest.raises(SignalsError, match="signals: there is no such topic; run `trailwarden"):
        topic.flush(1)


@pytest.mark.parametrize("known", [{"signals": None, "raw": 1}, {"signals": 1, "raw": None}])
def test_while_nobody_answers_everything_waits(known: dict[str, int | None]) -> None:
    writer = Writer(known)
    topic = SignalsTopic(lambda: writer, "signals", "raw")
    topic.add(found())
    assert not any(topic.flush(1) for _ in range(30))
    assert not writer.taken
    writer.known = {"signals": 1, "raw": 1}
    assert topic.flush(1)
    assert len(writer.taken) == 2


def test_a_producer_that_failed_for_good_stops_the_worker() -> None:
    broker = MockBroker()
    broker.create("signals")
    broker.create("raw")
    topic = topic_on(broker)
    topic.add(found())
    assert topic.flush(10)
    assert isinstance(topic._writer, TopicWriter)
    broker.fail_for_good(topic._writer._producer, 29, "no right to write")
    with pytest.raises(SignalsError, match=r"signals: .*no right to write"):
        topic.flush(5)
