"""Through any storm, every document is in the real node once, and the node is not run over."""

from __future__ import annotations

from random import Random

import pytest

from sinks.elasticsearch.bulk import BulkWriter
from sinks.elasticsearch.connection import Client, connect
from sinks.elasticsearch.documents import Document
from sinks.elasticsearch.setup import apply
from sinks.elasticsearch.setup_check import checker
from sinks.elasticsearch.templates import SetupOptions
from sinks.elasticsearch.transport import require
from tests.faulty_proxy import Fault, FaultyProxy
from tests.sinks.elasticsearch.draining import Clock, drain, stored

pytestmark = pytest.mark.integration

DOCUMENTS = 900
PATIENCE_S = 0.2
EVEN = {fault: 1 / 14 for fault in Fault if fault is not Fault.NONE}


@pytest.fixture
def ready(client: Client, prefix: str) -> str:
    apply(client, SetupOptions(prefix, replicas=0))
    return prefix


def documents(prefix: str) -> list[Document]:
    """Return documents of two days, a hundredth of them sent twice."""
    found = [
        Document(
            f"{prefix}-events-2026.03.0{number % 2 + 1}", f"d{number:06}", b'{"user.name":"u"}'
        )
        for number in range(DOCUMENTS)
    ]
    return found + found[::100]


@pytest.mark.parametrize(
    ("shares", "calm_after"),
    [
        (EVEN, None),
        ({Fault.LOST: 0.5}, None),
        ({Fault.BUSY: 0.5}, None),
        ({Fault.UNAVAILABLE: 0.25, Fault.GATEWAY_TIMEOUT: 0.25}, None),
        ({Fault.ITEMS: 0.9}, None),
        ({Fault.TOO_LARGE: 0.3, Fault.BAD_REQUEST: 0.3, Fault.LOST: 0.2}, 60),
        ({Fault.LATE: 0.2, Fault.LOST: 0.2, Fault.SHORT: 0.2, Fault.GARBAGE: 0.2}, None),
    ],
    ids=["all", "lost", "busy", "away", "items", "halved", "done and lost"],
)
def test_nothing_is_lost_or_doubled(
    client: Client,
    ready: str,
    elasticsearch_url: str,
    shares: dict[Fault, float],
    calm_after: int | None,
) -> None:
    clock = Clock()
    planned = documents(ready)
    with FaultyProxy(elasticsearch_url, shares, seed=20260301) as proxy:
        through = connect(proxy.url, timeout_s=PATIENCE_S)
        bulk = BulkWriter(
            through, 4_000, check=checker(through, ready), random=Random(1), clock=clock
        )
        for number, document in enumerate(planned):
            bulk.add(document)
            if number % 50 == 0 and (wait := bulk.flush()):
                clock.now_s += wait.seconds
            if calm_after and bulk.counts.requests > calm_after:
                proxy.calm()
        drain(bulk, clock)
        assert all(proxy.seen[fault] for fault in shares)
        assert bulk.poisoned() == []
        through.close()
    found = stored(client, ready)
    assert sorted(found) == sorted((one.index, one.id) for one in planned[:DOCUMENTS])
    assert bulk.counts.created + bulk.counts.repeated == len(planned)
    assert set(bulk.created()) == {one.id for one in planned}


def test_a_whole_storm_is_asked_at_most_once_a_second(ready: str, elasticsearch_url: str) -> None:
    clock = Clock()
    with FaultyProxy(elasticsearch_url, {Fault.BUSY: 1.0}, seed=1) as proxy:
        through = connect(proxy.url)
        bulk = BulkWriter(through, 1_000, random=Random(1), clock=clock)
        for document in documents(ready):
            bulk.add(document)
        while clock.now_s < 60:
            bulk.flush()
            clock.now_s += 0.05
        assert 2 <= proxy.seen[Fault.BUSY] <= 60
        assert bulk.pending == len(documents(ready))
        through.close()


def test_a_request_that_is_refused_as_a_whole_is_bisected_to_nothing_lost(
    client: Client, ready: str
) -> None:
    """The real node refuses a whole request for one id that is too long."""
    bulk = BulkWriter(client, 1 << 20)
    planned = documents(ready)[:200]
    bad = Document(planned[0].index, "x" * 513, b"{}")
    for document in (*planned[:77], bad, *planned[77:]):
        bulk.add(document)
    assert bulk.flush() is None
    assert [one.document for one in bulk.poisoned()] == [bad]
    assert sorted(stored(client, ready)) == sorted((one.index, one.id) for one in planned)


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        ("index.blocks.read_only_allow_delete", "cluster_block_exception"),
        ("index.blocks.write", "cluster_block_exception"),
        ("index.blocks.read_only", "cluster_block_exception"),
    ],
)
def test_a_full_disk_is_waited_for(client: Client, ready: str, block: str, kind: str) -> None:
    """The flood stage sets read_only_allow_delete, and answers 429 or 403."""
    clock = Clock()
    bulk = BulkWriter(client, 1 << 20, clock=clock)
    one, other = Document(f"{ready}-events-2026.03.01", "a", b"{}"), Document(
        f"{ready}-events-2026.03.02", "b", b"{}"
    )  # fmt: skip
    bulk.add(one)
    assert bulk.flush() is None
    require(client, "PUT", f"/{one.index}/_settings", {block: True})
    bulk.add(Document(one.index, "c", b"{}"))
    bulk.add(other)
    wait = bulk.flush()
    assert wait is not None
    assert kind in wait.reason
    assert bulk.pending == 1
    require(client, "PUT", f"/{one.index}/_settings", {block: None})
    clock.now_s += wait.seconds
    assert bulk.flush() is None
    assert {name for _, name in stored(client, ready)} == {"a", "b", "c"}


def test_a_closed_day_goes_to_the_index_without_a_day(client: Client, ready: str) -> None:
    day = f"{ready}-findings-2026.03.01"
    bulk = BulkWriter(client, 1 << 20)
    bulk.add(Document(day, "a", b"{}"))
    assert bulk.flush() is None
    require(client, "POST", f"/{day}/_close")
    for name in ("b", "c", "b"):
        bulk.add(Document(day, name, b"{}"))
    assert bulk.flush() is None
    require(client, "POST", f"/{day}/_open")
    outside = f"{ready}-findings-outofrange"
    assert sorted(stored(client, ready)) == [(day, "a"), (outside, "b"), (outside, "c")]
    assert bulk.counts.outofrange == 3
