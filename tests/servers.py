"""Real servers for tests: started by Trailwarden's own code, ready when handed out, then stopped.

A server that cannot start is an error of the test that asked for it, never a skip.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from worker.services.broker_properties import BrokerOptions, BrokerSecurity
from worker.services.elasticsearch import LocalElasticsearch
from worker.services.kafka import LocalKafka

# Groups notice dead members soon, in both group protocols.
OPTIONS = BrokerOptions(session_timeout_s=3.0, heartbeat_s=0.5)
# A busy machine with two cores takes its time.
READY_S = 180.0


@contextmanager
def running_kafka(
    folder: Path,
    options: BrokerOptions = OPTIONS,
    security: BrokerSecurity | None = None,
    port: int = 0,
) -> Iterator[LocalKafka]:
    """Give a broker on a free port; kill and start it at will."""
    broker = LocalKafka(folder, port, options, security)
    try:
        broker.start()
        broker.wait_ready(READY_S)
        yield broker
    finally:
        broker.stop(10.0)


@contextmanager
def running_elasticsearch(
    folder: Path, settings: Mapping[str, str] | None = None, heap_mb: int = 768
) -> Iterator[LocalElasticsearch]:
    """Give a node on a free port; kill and start it at will."""
    node = LocalElasticsearch(folder, heap_mb=heap_mb, settings=settings)
    try:
        node.start()
        node.wait_ready(READY_S)
        yield node
    finally:
        node.stop(10.0)
