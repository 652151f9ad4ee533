"""A partition that is taken away while the source waits comes back as one that is read."""

from __future__ import annotations

import time

import pytest

from tests.ingest.sources.test_kafka_source import LIMIT_S, PARTITIONS, Owner, own_topic, take

pytestmark = pytest.mark.integration


def test_a_partition_that_was_paused_when_it_went_is_read_when_it_comes_back(kafka: str) -> None:
    owner = Owner()
    deadline = time.monotonic() + LIMIT_S
    with own_topic(kafka) as topic, topic.source(owner) as source:
        while len(owner.assigned) < PARTITIONS:
            source.poll(100, 0.1)
            assert time.monotonic() < deadline
        with topic.source() as other:
            while not owner.revoked:
                source.idle(0.1)
                other.poll(100, 0.1)
                assert time.monotonic() < deadline
            (gone,) = owner.revoked
            owner.assigned.clear()
            source.poll(100, 0.1)
        while not set(gone) <= set(owner.assigned):
            source.poll(100, 0.1)
            assert time.monotonic() < deadline
        for partition in range(PARTITIONS):
            topic.put(b"x", partition=partition)
        assert {record.partition for record in take(source, PARTITIONS)} == {*range(PARTITIONS)}
