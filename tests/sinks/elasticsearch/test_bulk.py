"""A document is forgotten only when it was answered, whatever comes back instead of an answer."""

from __future__ import annotations

from random import Random
from typing import Any, cast

import pytest
from elastic_transport import ConnectionError as UnreachableError
from elastic_transport import ConnectionTimeout, SerializationError, TlsError
from elasticsearch import Elasticsearch

from sinks.elasticsearch.backoff import Wait
from sinks.elasticsearch.bulk import BulkWriter
from sinks.elasticsearch.documents import Document
from sinks.elasticsearch.transport import NotAllowedError, Reply, SetupMissingError
from tests.sinks.elasticsearch.fake_elasticsearch import Body, FakeElasticsearch, Item, Lost, Whole

DAY = "tw-events-2026.03.01"
OUT = "tw-events-outofrange"
BULK_BYTES = 1_000


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def writer(server: FakeElasticsearch, clock: Clock | None = None, **options: Any) -> BulkWriter:
    client = cast("Elasticsearch", server)
    return BulkWriter(client, BULK_BYTES, random=Random(1), clock=clock or Clock(), **options)


def document(name: str, size_bytes: int = 10, index: str = DAY) -> Document:
    return Document(index, name, b'{"a":"' + b"x" * size_bytes + b'"}')


def filled(server: FakeElasticsearch, count: int, clock: Clock | None = None) -> BulkWriter:
    bulk = writer(server, clock)
    for number in range(count):
        bulk.add(document(f"d{number}"))
    return bulk


def drain(bulk: BulkWriter, clock: Clock, rounds: int = 1_000) -> int:
    """Call again whenever the writer says so; return how often it said wait."""
    for waits in range(rounds):
        wait = bulk.flush()
        if wait is None:
            return waits
        clock.now_s += wait.seconds
    raise AssertionError("never done")


def ids(server: FakeElasticsearch) -> set[str]:
    return {name for _, name in server.documents}


def test_requests_are_no_larger_than_told() -> None:
    server = FakeElasticsearch()
    bulk = filled(server, 100)
    bulk.add(document("large", 5_000))
    assert bulk.flush() is None
    assert ids(server) == {f"d{n}" for n in range(100)} | {"large"}
    assert [size for size in server.sizes if size > BULK_BYTES] == [server.sizes[-1]]
    assert len(server.sent) < 15
    assert server.sent[-1] == ["large"]
    assert sum(server.sent, [])[:100] == [f"d{n}" for n in range(100)]  # noqa: RUF017
    assert (bulk.pending, bulk.counts.created) == (0, 101)


def test_written_ids_are_told_once() -> None:
    bulk = filled(FakeElasticsearch(), 3)
    bulk.flush()
    assert bulk.created() == ["d0", "d1", "d2"]
    assert bulk.created() == []


def test_a_repeat_is_done() -> None:
    server = FakeElasticsearch()
    filled(server, 3).flush()
    again = filled(server, 3)
    assert again.flush() is None
    assert (again.counts.created, again.counts.repeated, again.created()) == (0, 3, [])


NO_ANSWERS = [
    ConnectionTimeout("t"),
    UnreachableError("c"),
    TlsError("c"),
    SerializationError("s"),
    Lost(ConnectionTimeout("t")),
    Lost(UnreachableError("c")),
    Body({"items": [{"create": {"status": 201}}]}),
    Body({"items": []}),
    Body({}),
    Body({"items": [{}, {}, {}]}),
    Body({"items": [{"create": {}}] * 3}),
    Body({"items": [{"create": {"status": "201"}}] * 3}),
    Body(b"<html>"),
    Body(None),
    *(Whole(status) for status in (429, 500, 502, 503, 504, 408)),
    Whole(403, "cluster_block_exception"),
]


@pytest.mark.parametrize("answer", NO_ANSWERS, ids=repr)
def test_without_an_answer_everything_is_sent_again(answer: Any) -> None:
    server, clock = FakeElasticsearch([answer]), Clock()
    bulk = filled(server, 3, clock)
    wait = bulk.flush()
    assert wait is not None
    assert wait.reason
    assert 1 <= wait.seconds <= 30
    assert bulk.pending == 3
    assert bulk.counts.retried == 3
    clock.now_s += wait.seconds
    assert bulk.flush() is None
    assert ids(server) == {"d0", "d1", "d2"}
    assert sorted(bulk.created()) == ["d0", "d1", "d2"]


def test_a_call_before_the_wait_is_over_sends_nothing() -> None:
    server, clock = FakeElasticsearch([Whole(503)] * 1_000), Clock()
    bulk = filled(server, 3, clock)
    while clock.now_s < 120:
        bulk.flush()
        clock.now_s += 0.01
    assert 3 <= len(server.sent) <= 120


def test_a_storm_ends_with_nothing_lost_and_at_most_one_request_a_second() -> None:
    server, clock = FakeElasticsearch([Whole(429)] * 50), Clock()
    bulk = filled(server, 200, clock)
    waits = drain(bulk, clock)
    assert waits == 50
    assert clock.now_s >= 50
    assert ids(server) == {f"d{n}" for n in range(200)}


def test_the_rest_is_not_sent_into_a_storm() -> None:
    server = FakeElasticsearch([Whole(429)])
    bulk = filled(server, 500)
    bulk.flush()
    assert len(server.sent) == 1


def test_a_request_that_is_refused_again_and_again_gets_smaller() -> None:
    """One over ``indexing_pressure.memory.max_operation_size`` is answered 429 for ever."""
    server, clock = FakeElasticsearch(), Clock()
    client = cast("Elasticsearch", server)
    bulk = BulkWriter(client, 1 << 20, random=Random(1), clock=clock)
    for number in range(64):
        bulk.add(document(f"d{number}", 16_000))
    rejected = (429, "es_rejected_execution_exception")
    server.item = lambda *_: rejected if server.sizes[-1] > 100_000 else None
    drain(bulk, clock, 200)
    assert len(server.documents) == 64
    assert server.sizes[0] > 1_000_000
    assert min(server.sizes) > 30_000


def test_the_servers_own_wait_is_kept() -> None:
    bulk = filled(FakeElasticsearch([Whole(503, headers={"retry-after": "17"})]), 1)
    assert bulk.flush() == Wait(17.0, "HTTP 503 scripted")


@pytest.mark.parametrize("later", ["x", "-1", "", "1.5", "\u0663", "9" * 400])
def test_an_odd_wait_of_the_server_is_not_believed(later: str) -> None:
    bulk = filled(FakeElasticsearch([Whole(503, headers={"retry-after": later})]), 1)
    wait = bulk.flush()
    assert wait is not None
    assert 1 <= wait.seconds <= 30


@pytest.mark.parametrize(
    "answer",
    [(429, "es_rejected_execution_exception"), (429, "cluster_block_exception"),
     (403, "cluster_block_exception"), (503, "unavailable_shards_exception")],
)  # fmt: skip
def test_single_documents_wait_and_the_others_are_done(answer: Item) -> None:
    refused = {"d1", "d4"}
    server = FakeElasticsearch(item=lambda _, name, __: answer if name in refused else None)
    clock = Clock()
    bulk = filled(server, 6, clock)
    wait = bulk.flush()
    assert wait is not None
    assert answer[1] in wait.reason
    assert bulk.pending == 2
    refused.clear()
    clock.now_s += wait.seconds
    assert bulk.flush() is None
    assert server.sent[-1] == ["d1", "d4"]
    assert bulk.counts.retried == 2


def test_what_is_too_large_is_halved_down_to_the_one_document() -> None:
    server = FakeElasticsearch(most_bytes=300)
    bulk = filled(server, 8)
    bulk.add(document("large", 400))
    assert bulk.flush() is None
    assert ids(server) == {f"d{n}" for n in range(8)}
    assert [(one.document.id, one.status) for one in bulk.poisoned()] == [("large", 413)]
    assert bulk.counts.split > 0
    assert bulk.poisoned() == []
    assert bulk.pending == 0


def test_one_document_that_poisons_a_request_is_found() -> None:
    class Strict(FakeElasticsearch):
        def perform_request(self, method: str, path: str, *, body: bytes, **_: Any) -> Any:
            if b'"d5"' in body:
                self.script.insert(0, Whole(400, "action_request_validation_exception"))
            return super().perform_request(method, path, body=body)

    server = Strict()
    bulk = filled(server, 9)
    assert bulk.flush() is None
    assert ids(server) == {f"d{n}" for n in range(9)} - {"d5"}
    (poisoned,) = bulk.poisoned()
    assert (poisoned.document.id, poisoned.status) == ("d5", 400)
    assert poisoned.error_type == "action_request_validation_exception"
    assert len(server.sent) <= 9


def test_a_halved_request_that_meets_a_storm_keeps_its_parts() -> None:
    server, clock = FakeElasticsearch([Whole(413), Whole(413), Whole(503)]), Clock()
    bulk = filled(server, 9, clock)
    assert bulk.flush() is not None
    assert bulk.pending == 9
    drain(bulk, clock)
    assert ids(server) == {f"d{n}" for n in range(9)}


@pytest.mark.parametrize(
    "answer", [(400, "document_parsing_exception"), (404, "shard_not_found_exception")]
)
def test_a_document_that_is_refused_for_good_is_handed_out(answer: Item) -> None:
    server = FakeElasticsearch(item=lambda _, name, __: answer if name == "d1" else None)
    bulk = filled(server, 3)
    assert bulk.flush() is None
    (poisoned,) = bulk.poisoned()
    assert (poisoned.document.id, poisoned.status, poisoned.error_type) == ("d1", *answer)
    assert answer[1] in poisoned.reason
    assert bulk.counts.poisoned == 1
    assert ids(server) == {"d0", "d2"}


def test_a_closed_day_sends_its_documents_to_the_index_without_a_day() -> None:
    closed = (400, "index_closed_exception")
    server = FakeElasticsearch(item=lambda index, *_: closed if index == DAY else None)
    bulk = filled(server, 3)
    bulk.add(document("f", index="tw-findings-2026.03.02"))
    assert bulk.flush() is None
    assert set(server.documents) == {
        *((OUT, f"d{n}") for n in range(3)),
        ("tw-findings-2026.03.02", "f"),
    }
    assert bulk.counts.outofrange == 3


def test_a_closed_index_without_a_day_stops_the_worker() -> None:
    server = FakeElasticsearch(item=lambda *_: (400, "index_closed_exception"))
    bulk = filled(server, 3)
    with pytest.raises(SetupMissingError, match="tw-events-outofrange is closed"):
        bulk.flush()
    assert bulk.pending == 3


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((404, "index_not_found_exception"), SetupMissingError),
        ((401, "security_exception"), NotAllowedError),
        ((403, "security_exception"), NotAllowedError),
    ],
)
def test_a_missing_set_up_or_right_stops_the_worker_and_loses_nothing(
    answer: Item, error: type[Exception]
) -> None:
    server = FakeElasticsearch(item=lambda _, name, __: answer if name == "d1" else None)
    bulk = filled(server, 3)
    with pytest.raises(error, match=answer[1]):
        bulk.flush()
    assert bulk.pending == 1
    server.item = lambda *_: None
    assert bulk.flush() is None
    assert ids(server) == {"d0", "d1", "d2"}
    whole = filled(FakeElasticsearch([Whole(*answer)]), 3)
    with pytest.raises(error, match=answer[1]):
        whole.flush()
    assert whole.pending == 3


def test_rights_come_before_waiting() -> None:
    answers = {"d0": (403, "security_exception"), "d1": (429, "es_rejected_execution_exception")}
    server = FakeElasticsearch(item=lambda _, name, __: answers.get(name))
    with pytest.raises(NotAllowedError):
        filled(server, 3).flush()


def test_what_is_discarded_is_not_sent() -> None:
    server = FakeElasticsearch([Whole(503)])
    clock = Clock()
    bulk = filled(server, 3, clock)
    bulk.flush()
    bulk.discard()
    assert (bulk.pending, bulk.flush()) == (0, None)
    bulk.add(document("next"))
    clock.now_s += 60
    bulk.flush()
    assert ids(server) == {"next"}


def test_each_index_is_checked_before_its_first_document() -> None:
    server, clock, replies = FakeElasticsearch(), Clock(), [Reply(503), None, None, None]
    checks: list[int] = []

    def check() -> Reply | None:
        checks.append(len(server.sent))
        return replies.pop(0)

    bulk = writer(server, clock, check=check)
    bulk.add(document("a"))
    wait = bulk.flush()
    assert wait is not None
    assert server.sent == []
    clock.now_s += wait.seconds
    assert bulk.flush() is None
    for index in (DAY, DAY, OUT):
        bulk.add(document("b", index=index))
        bulk.flush()
    assert checks == [0, 0, 3]


def test_no_answer_of_any_kind_loses_or_doubles_a_document() -> None:
    random = Random(20260301)
    planned: list[Any] = [*NO_ANSWERS, Whole(413), Whole(400)]
    server, clock = FakeElasticsearch(), Clock()
    server.item = lambda *_: random.choices([None, (429, "x"), (503, "x")], [8, 1, 1])[0]
    bulk = writer(server, clock)
    for number in range(600):
        bulk.add(document(f"d{number}", random.randrange(200)))
        if number % 7 == 0:
            server.script = random.choices(planned, k=random.randrange(3))
            if wait := bulk.flush():
                clock.now_s += wait.seconds * random.random() * 2
    server.script = []
    drain(bulk, clock)
    refused = {one.document.id for one in bulk.poisoned()}
    assert ids(server) | refused == {f"d{n}" for n in range(600)}
    assert not ids(server) & refused
    assert len(server.documents) == 600 - len(refused)
    assert bulk.counts.created + bulk.counts.repeated == len(server.documents)
