"""What only a node with settings of its own answers: pressure, limits, no new indices."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from threading import Thread

import pytest

from sinks.elasticsearch.bulk import BulkWriter
from sinks.elasticsearch.connection import Client, connect
from sinks.elasticsearch.documents import Document
from sinks.elasticsearch.setup import apply
from sinks.elasticsearch.setup_check import checker
from sinks.elasticsearch.templates import SetupOptions
from sinks.elasticsearch.transport import SetupMissingError, require
from tests.servers import running_elasticsearch
from tests.sinks.elasticsearch.draining import Clock, drain, stored

pytestmark = pytest.mark.integration

PREFIX = "tw"
WRITERS = 4
EACH = 400
SOURCE = b'{"not.mapped":"' + b"x" * 2_000 + b'"}'
SHARDS = "cluster.max_shards_per_node"


@pytest.fixture(scope="module")
def own_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("elasticsearch")
    settings = {"indexing_pressure.memory.limit": "400kb", "http.max_content_length": "1mb"}
    with running_elasticsearch(folder, settings) as node:
        client = connect(node.url)
        apply(client, SetupOptions(PREFIX, replicas=0))
        yield client
        client.close()


def test_true_indexing_pressure_is_waited_out(own_node: Client) -> None:
    """The node may hold so little that most requests of four writers are refused."""
    planned = [
        Document(f"{PREFIX}-events-outofrange", f"w{writer}-{number}", SOURCE)
        for writer in range(WRITERS)
        for number in range(EACH)
    ]
    refused: list[int] = []

    def write(number: int) -> None:
        clock = Clock()
        bulk = BulkWriter(own_node, 200_000, random=Random(number), clock=clock)
        for document in planned[number * EACH : (number + 1) * EACH]:
            bulk.add(document)
        drain(bulk, clock)
        refused.append(bulk.counts.retried)

    threads = [Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(refused) > 0
    assert sorted(stored(own_node, PREFIX)) == sorted((one.index, one.id) for one in planned)


def test_an_index_that_may_not_come_into_being_stops_the_worker(own_node: Client) -> None:
    require(
        own_node, "PUT", "/_cluster/settings", {"persistent": {"action.auto_create_index": "false"}}
    )
    bulk = BulkWriter(own_node, 1 << 20, check=checker(own_node, PREFIX))
    bulk.add(Document(f"{PREFIX}-events-2026.03.01", "a", b"{}"))
    with pytest.raises(SetupMissingError, match="index_not_found_exception"):
        bulk.flush()
    assert bulk.pending == 1
    require(
        own_node, "PUT", "/_cluster/settings", {"persistent": {"action.auto_create_index": None}}
    )
    assert bulk.flush() is None


def test_a_cluster_that_has_all_the_shards_it_may_have_is_waited_for(own_node: Client) -> None:
    clock = Clock()
    require(own_node, "PUT", "/_cluster/settings", {"persistent": {SHARDS: 1}})
    bulk = BulkWriter(own_node, 1 << 20, clock=clock)
    bulk.add(Document(f"{PREFIX}-events-2026.03.02", "a", b"{}"))
    wait = bulk.flush()
    assert wait is not None
    assert "shards" in wait.reason
    require(own_node, "PUT", "/_cluster/settings", {"persistent": {SHARDS: None}})
    clock.now_s += wait.seconds
    assert bulk.flush() is None


def test_a_request_over_the_nodes_limits_gets_smaller_until_it_fits(own_node: Client) -> None:
    """Over ``http.max_content_length`` it is answered 413, and over what memory allows 429."""
    clock = Clock()
    bulk = BulkWriter(own_node, 1 << 30, random=Random(1), clock=clock)
    for number in range(30):
        bulk.add(Document(f"{PREFIX}-findings-outofrange", f"d{number}", b"{%b}" % (b" " * 50_000)))
    drain(bulk, clock, 50)
    assert bulk.counts.split > 0
    assert bulk.counts.waits > 0
    assert len([1 for _, name in stored(own_node, PREFIX) if name.startswith("d")]) == 30
