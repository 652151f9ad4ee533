"""The end of an episode reaches its finding, whatever is answered in between."""

from __future__ import annotations

from random import Random
from typing import Any, cast

import orjson
import pytest
from elastic_transport import ConnectionTimeout
from elasticsearch import Elasticsearch

from sinks.elasticsearch.bulk import BulkWriter
from sinks.elasticsearch.documents import Document
from tests.sinks.elasticsearch.draining import Clock, drain
from tests.sinks.elasticsearch.fake_elasticsearch import FakeElasticsearch, Item, Lost, Whole

DAY = "tw-findings-2026.03.01"
OUT = "tw-findings-outofrange"
BEGUN = Document(DAY, "f", b'{"rule.id":"r","trailwarden.episode.closed":false}')
ENDED = Document(DAY, "f", b'{"trailwarden.episode.closed":true}', is_update=True)
BUSY: Item = (429, "es_rejected_execution_exception")
WHOLE = {"rule.id": "r", "trailwarden.episode.closed": True}


def writer(server: FakeElasticsearch, clock: Clock, *documents: Document) -> BulkWriter:
    bulk = BulkWriter(cast("Elasticsearch", server), 10_000, random=Random(1), clock=clock)
    for document in documents:
        bulk.add(document)
    return bulk


def held(server: FakeElasticsearch, index: str = DAY) -> Any:
    return orjson.loads(server.documents[index, "f"])


def counted(bulk: BulkWriter) -> tuple[int, int, int, int]:
    counts = bulk.counts
    return counts.created, counts.updated, counts.repeated, counts.poisoned


def test_creation_and_end_in_one_request() -> None:
    server, clock = FakeElasticsearch(), Clock()
    bulk = writer(server, clock, BEGUN, ENDED)
    assert bulk.flush() is None
    assert held(server) == WHOLE
    assert server.sent == [["f", "f"]]
    assert counted(bulk) == (1, 1, 0, 0)
    assert bulk.created() == ["f"]


def test_an_end_is_nothing_that_was_created() -> None:
    server, clock = FakeElasticsearch(documents={(DAY, "f"): BEGUN.source}), Clock()
    bulk = writer(server, clock, ENDED)
    assert bulk.flush() is None
    assert bulk.created() == []
    assert counted(bulk) == (0, 1, 0, 0)


def test_an_end_whose_creation_is_refused_for_now_waits_for_it() -> None:
    """The node may refuse the larger of two items and answer 404 for the other."""
    server, clock = FakeElasticsearch(), Clock()
    answers = [BUSY]
    server.item = lambda _, __, source: answers.pop() if answers and b"doc" not in source else None
    bulk = writer(server, clock, BEGUN, ENDED)
    assert bulk.flush() is not None
    assert bulk.pending == 2
    drain(bulk, clock)
    assert held(server) == WHOLE
    assert counted(bulk) == (1, 1, 0, 0)


def test_the_end_of_what_is_not_there_is_done() -> None:
    """Retention took the finding, or people did."""
    server, clock = FakeElasticsearch(), Clock()
    other = Document(DAY, "g", BEGUN.source)
    bulk = writer(server, clock, other, ENDED)
    assert bulk.flush() is None
    assert bulk.pending == 0
    assert list(server.documents) == [(DAY, "g")]
    assert bulk.poisoned() == []
    assert counted(bulk) == (1, 0, 0, 0)


def test_the_end_of_an_index_that_is_gone_is_done() -> None:
    server, clock = FakeElasticsearch(), Clock()
    server.item = lambda *_: (404, "index_not_found_exception")
    bulk = writer(server, clock, ENDED)
    assert bulk.flush() is None
    assert counted(bulk) == (0, 0, 0, 0)


def test_an_end_that_meets_somebody_elses_change_is_sent_again() -> None:
    server, clock = FakeElasticsearch(documents={(DAY, "f"): BEGUN.source}), Clock()
    answers: list[Item] = [(409, "version_conflict_engine_exception")] * 3
    server.item = lambda *_: answers.pop() if answers else None
    bulk = writer(server, clock, ENDED)
    drain(bulk, clock)
    assert held(server) == WHOLE
    assert len(server.sent) == 4
    assert counted(bulk) == (0, 1, 0, 0)


@pytest.mark.parametrize(
    "answer", [Whole(503), Lost(ConnectionTimeout("t")), ConnectionTimeout("t")]
)
def test_an_end_without_an_answer_is_sent_again_and_says_the_same(answer: Any) -> None:
    server, clock = FakeElasticsearch([answer]), Clock()
    bulk = writer(server, clock, BEGUN, ENDED)
    drain(bulk, clock)
    drain(writer(server, clock, BEGUN, ENDED), clock)
    assert held(server) == WHOLE
    assert bulk.created() == ["f"]
    assert bulk.counts.updated == 1


def test_an_end_follows_its_finding_out_of_a_day_that_is_closed() -> None:
    server, clock = FakeElasticsearch(), Clock()
    closed: Item = (400, "index_closed_exception")
    server.item = lambda index, *_: closed if index == DAY else None
    bulk = writer(server, clock, BEGUN, ENDED)
    drain(bulk, clock)
    assert held(server, OUT) == WHOLE
    assert counted(bulk) == (1, 1, 0, 0)
    assert bulk.counts.outofrange == 2


def test_an_end_that_is_refused_for_good_goes_to_quarantine() -> None:
    server, clock = FakeElasticsearch(), Clock()
    server.item = lambda _, __, source: (400, "mapper") if b"doc" in source else None
    bulk = writer(server, clock, BEGUN, ENDED)
    drain(bulk, clock)
    assert [one.document for one in bulk.poisoned()] == [ENDED]
    assert counted(bulk) == (1, 0, 0, 1)


def test_an_end_in_a_request_of_its_own_comes_after_its_creation() -> None:
    server, clock = FakeElasticsearch(), Clock()
    client = cast("Elasticsearch", server)
    bulk = BulkWriter(client, 1, random=Random(1), clock=clock)
    bulk.add(BEGUN)
    bulk.add(ENDED)
    drain(bulk, clock)
    assert len(server.sent) == 2
    assert held(server) == WHOLE


def test_creation_and_end_in_a_request_that_is_halved() -> None:
    server, clock = FakeElasticsearch(most_bytes=200), Clock()
    bulk = writer(server, clock, BEGUN, ENDED)
    drain(bulk, clock)
    assert held(server) == WHOLE
    assert bulk.counts.split == 1
