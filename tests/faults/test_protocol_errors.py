"""F21: what a broker can answer, one code at a time, from librdkafka's own mock cluster.

What can be tried again is tried again and nothing is missing; what cannot stops with a reason. A
code that does neither within the time fails.
"""

from __future__ import annotations

import ctypes
import gc
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pytest
from confluent_kafka import KafkaError

from ingest.collectors.producer import ProducerFailedError, RecordProducer
from ingest.envelope import Envelope, Format
from ingest.sources.kafka import Committed, KafkaFailedError, KafkaSource, Position
from tests.ingest.collectors.mock_broker import MockBroker

pytestmark = pytest.mark.integration

TOPIC = "raw"
LIMIT_S = 30.0
SETTLE_S = 0.5


class Request(Enum):
    """API keys of Kafka's protocol."""

    PRODUCE = 0
    FETCH = 1
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    SYNC_GROUP = 14
    INIT_PRODUCER_ID = 22


@dataclass(slots=True)
class Owner:
    """Takes whatever it is given, from where the group stands."""

    held: set[int] = field(default_factory=set)

    def assign(self, committed: list[Committed]) -> dict[int, int]:
        self.held.update(one.partition for one in committed)
        return {one.partition: max(one.offset or 0, one.low) for one in committed}

    def revoke(self, partitions: list[int]) -> None:
        self.held.difference_update(partitions)

    def lose(self, partitions: list[int]) -> None:
        self.held.difference_update(partitions)

    def skip(self, partition: int, low: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """``reason`` None: it went on and nothing is missing."""

    reason: str | None
    refused: tuple[str, ...] = ()


def send(broker: MockBroker, count: int) -> Outcome:
    """Send until everything is acknowledged, again where it was not, as collectors do."""
    left = count
    answers: list[str | None] = []
    config = {"bootstrap.servers": broker.bootstrap_servers, "log_level": 0}
    producer = RecordProducer(config, TOPIC)
    envelope = Envelope("c", "test", Format.RECORD, datetime.now(UTC))
    refused: list[str] = []
    end = time.monotonic() + LIMIT_S
    try:
        while left:
            assert time.monotonic() < end, f"never acknowledged: {refused[-1:]}"
            answers.clear()
            for _ in range(left):
                producer.send(envelope, b"{}", answers.append)
            assert producer.flush(max(0.1, end - time.monotonic())) == 0, "silent"
            assert len(answers) == left
            refused += filter(None, answers)
            left = sum(answer is not None for answer in answers)
    except ProducerFailedError as error:
        return Outcome(str(error), tuple(refused))
    finally:
        producer.close()
    return Outcome(None, tuple(refused))


def broker_with(records: int) -> MockBroker:
    broker = MockBroker()
    broker.create(TOPIC)
    # Three seconds by default, for the others of a group to come.
    broker._librdkafka.rd_kafka_mock_group_initial_rebalance_delay_ms(
        broker._cluster, ctypes.c_int32(0)
    )
    assert send(broker, records) == Outcome(None)
    return broker


def read_through(request: Request, code: int) -> Outcome:
    """Join, read, commit, while one answer to ``request`` is the error."""
    broker = broker_with(5)
    config = {
        "bootstrap.servers": broker.bootstrap_servers,
        "group.id": "g",
        "session.timeout.ms": 6_000,
        "heartbeat.interval.ms": 200,
        "log_level": 0,
    }
    owner = Owner()
    source = KafkaSource(config, TOPIC, owner)
    try:
        return _read(broker, source, owner, request, code)
    except KafkaFailedError as error:
        return Outcome(str(error))
    finally:
        source.abandon()


def _read(
    broker: MockBroker, source: KafkaSource, owner: Owner, request: Request, code: int
) -> Outcome:
    offsets: set[int] = set()
    refused: list[str] = []

    def poll() -> None:
        offsets.update(record.offset for record in source.poll(100, 0.1))

    in_session = request in {Request.FETCH, Request.OFFSET_COMMIT, Request.HEARTBEAT}
    if not in_session:
        broker.answer(request.value, code)
    source.start()
    _until(lambda: len(offsets) >= 5, poll)
    if in_session:
        broker.answer(request.value, code)
    settled = time.monotonic() + SETTLE_S
    _until(lambda: time.monotonic() > settled, poll)
    assert send(broker, 5) == Outcome(None)
    _until(lambda: len(offsets) == 10, poll)

    def commit() -> bool:
        if not owner.held:  # as the worker does: what it lost it cannot commit
            return False
        answers = source.commit([Position(0, 10)])
        refused.extend(answers.values())
        return not answers

    _until(commit, poll)
    assert source.committed(0) == Committed(0, 10, "", 0, 10)
    return Outcome(None, tuple(refused))


def _until(condition: Callable[[], Any], act: Callable[[], None]) -> None:
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, "silent: neither an end nor a reason"
        act()


GO_ON = {
    Request.PRODUCE: (
        2, 3, 5, 6, 7, 10, 13, 17, 18, 19, 20, 29, 31, 32, 43, 46, 47, 56, 59, 76, 87, 89, -1,
    ),
    Request.INIT_PRODUCER_ID: (7, 13, 14, 15, 16, 51, -1),
    Request.FETCH: (1, 3, 5, 6, 7, 9, 13, 56, 70, 71, 74, 75),
    Request.OFFSET_COMMIT: (3, 5, 7, 12, 13, 14, 15, 16, 22, 25, 27, 28, 29, 30),
    Request.OFFSET_FETCH: (14, 15, 16),
    Request.FIND_COORDINATOR: (7, 13, 14, 15),
    Request.JOIN_GROUP: (14, 15, 16, 25),
    Request.HEARTBEAT: (14, 15, 16, 22, 25, 27),
    Request.SYNC_GROUP: (14, 15, 16, 22, 25, 27, 30),
}  # fmt: skip
"""Codes after which nothing is missing, by request: Kafka's protocol, error codes."""

STOPS = {
    Request.PRODUCE: (45,),
    Request.INIT_PRODUCER_ID: (31, 53, 90),
    Request.FETCH: (2, 10, 17, 29, 43, 76, -1),
    Request.OFFSET_FETCH: (24, 29, 30),
    Request.FIND_COORDINATOR: (24, 29, 30, 35, -1),
    Request.JOIN_GROUP: (24, 26, 27, 30, 82),
    Request.HEARTBEAT: (82,),
    Request.SYNC_GROUP: (82,),
}
"""Codes that end the client, with a reason that names them."""

CASES = [
    (request, code, stops)
    for stops, table in ((False, GO_ON), (True, STOPS))
    for request, codes in table.items()
    for code in codes
]


def outcome_of(case: tuple[Request, int, bool]) -> str | None:
    """Return what is wrong with a case."""
    request, code, stops = case
    try:
        if request in {Request.PRODUCE, Request.INIT_PRODUCER_ID}:
            broker = MockBroker()
            broker.create(TOPIC)
            broker.answer(request.value, code)
            found = send(broker, 5)
        else:
            found = read_through(request, code)
    except AssertionError as error:
        return f"{request.name} {code}: {str(error).splitlines()[0]}"
    finally:
        gc.collect()  # a client and its callbacks hold each other, and its threads go on
    if (found.reason is not None) != stops or found.reason == "":
        return f"{request.name} {code} {KafkaError(code).name()}: {found}"
    return None


UNDECIDED = frozenset({Request.JOIN_GROUP, Request.HEARTBEAT, Request.SYNC_GROUP})
"""With these the mock cluster does not always come to an end where the client stops: long dose."""

CHOSEN = (
    CASES
    if os.environ.get("TRAILWARDEN_FAULT_DOSE") == "chaos"
    else [case for case in CASES[::4] if not (case[0] in UNDECIDED and case[2])]
)


def named(case: tuple[Request, int, bool]) -> str:
    request, code, stops = case
    return f"{request.name}-{code}-{'stops' if stops else 'goes-on'}"


@pytest.mark.parametrize("case", CHOSEN, ids=named)
def test_each_code_is_retried_or_stops_with_a_reason(case: tuple[Request, int, bool]) -> None:
    assert outcome_of(case) is None


def test_the_tables_hold_forty_codes() -> None:
    assert len({code for _, code, _ in CASES}) >= 40
