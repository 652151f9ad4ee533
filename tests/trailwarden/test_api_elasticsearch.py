"""What was indexed reads back as what was scanned, from a real node."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import polars as pl
import pytest
from elasticsearch import Elasticsearch
from polars.testing import assert_frame_equal

import trailwarden as tw
from detectors.sigma.compiler import load_pack
from sinks.elasticsearch.connection import connect
from sinks.elasticsearch.documents import Document, event_documents, finding_document
from sinks.elasticsearch.read import PAGE_ROWS, IndexReader, NothingIndexedError, Selection
from tests.authority import Authority
from tests.tls_front import Account, TlsFront
from tests.trailwarden.conftest import Scanned
from trailwarden.source_kind import SourceKind
from worker.settings import shipped_rules

pytestmark = pytest.mark.integration

RETENTION_DAYS = 30
MAPPINGS = {
    "dynamic": False,
    "properties": {"@timestamp": {"type": "date"}, "user.name": {"type": "keyword"}},
}


@pytest.fixture(scope="module")
def prefix(elasticsearch_url: str, scanned: Scanned) -> Iterator[str]:
    prefix = f"g-api-{uuid.uuid4().hex[:8]}"
    received = datetime.now(UTC)
    documents = event_documents(scanned.events, prefix, RETENTION_DAYS, received)
    documents += [
        finding_document(finding, received, prefix, RETENTION_DAYS) for finding in scanned.found
    ]
    with Elasticsearch(elasticsearch_url) as client:
        for index in {document.index for document in documents}:
            client.indices.create(
                index=index, mappings=MAPPINGS, settings={"number_of_replicas": 0}
            )
        _write(client, documents)
        client.indices.refresh(index=f"{prefix}-*")
        yield prefix
        client.indices.delete(index=",".join({document.index for document in documents}))


def _write(client: Elasticsearch, documents: list[Document]) -> None:
    for first in range(0, len(documents), 2_000):
        part = documents[first : first + 2_000]
        operations = [
            line
            for one in part
            for line in ({"create": {"_index": one.index, "_id": one.id}}, orjson.loads(one.source))
        ]
        assert not client.bulk(operations=operations)["errors"]


def test_an_index_gives_the_same_as_the_scan(
    elasticsearch_url: str, prefix: str, scanned: Scanned
) -> None:
    opened = tw.open(elasticsearch_url, prefix=prefix)
    assert opened.kind is SourceKind.ELASTICSEARCH
    events = opened.events.collect()
    assert events.height > PAGE_ROWS
    assert_frame_equal(events.sort("event.id"), scanned.events.sort("event.id"))
    by_id = "trailwarden.finding.id"
    assert_frame_equal(opened.findings.collect().sort(by_id), scanned.findings.sort(by_id))


def test_a_time_range_is_exact_though_the_index_knows_milliseconds(
    elasticsearch_url: str, prefix: str, scanned: Scanned
) -> None:
    times = scanned.events["@timestamp"].unique().sort()
    start, end = times[100], times[2_000]
    opened = tw.open(elasticsearch_url, prefix=prefix, start=start, end=end)
    expected = scanned.events.filter(pl.col("@timestamp").is_between(start, end, closed="left"))
    found = opened.events.select("event.id").collect()
    assert sorted(found["event.id"]) == sorted(expected["event.id"])


def test_rows_are_counted_filtered_and_limited(
    elasticsearch_url: str, prefix: str, scanned: Scanned
) -> None:
    opened = tw.open(elasticsearch_url, prefix=prefix)
    assert opened.events.select(pl.len()).collect().item() == scanned.events.height
    refused = pl.col("event.outcome") == "failure"
    query = opened.events.filter(refused).select("user.name")
    assert query.collect().height == scanned.events.filter(refused).height
    assert query.head(7).collect().height == 7
    assert opened.events.head(3).collect().height == 3


def test_a_page_holds_no_more_than_was_asked_for(elasticsearch_url: str, prefix: str) -> None:
    reader = IndexReader(connect(elasticsearch_url))
    selection = Selection(f"{prefix}-events-*", {"user.name": pl.String()})
    pages = [page.height for page in reader.pages(selection, ["user.name"], rows=3)]
    reader.close()
    assert pages == [3]


def test_no_index_is_told_and_not_taken_for_no_events(elasticsearch_url: str) -> None:
    reader = IndexReader(connect(elasticsearch_url))
    selection = Selection("g-api-nothing-*", {"user.name": pl.String()})
    with pytest.raises(NothingIndexedError, match="g-api-nothing-"):
        next(reader.pages(selection, ["user.name"]))
    reader.close()


def test_own_rules_run_over_what_is_indexed(
    elasticsearch_url: str, prefix: str, scanned: Scanned
) -> None:
    pack = load_pack([shipped_rules()])
    alone = {rule.file for rule in pack.rules} - {one.file for one in pack.correlations}
    opened = tw.open(elasticsearch_url, prefix=prefix, rules=sorted(alone))
    expected = scanned.findings.filter(pl.col("rule.id").is_in(opened.rules.collect()["rule.id"]))
    assert 0 < expected.height < scanned.findings.height
    assert_frame_equal(opened.findings.collect(), expected)


@pytest.mark.parametrize("by", ["password", "api key"])
def test_a_reader_needs_the_right_to_read_and_nothing_else(
    elasticsearch_url: str, prefix: str, scanned: Scanned, tmp_path: Path, by: str
) -> None:
    reader = Account("reader", "pw", "id:key", frozenset(), frozenset({"read"}), prefix)
    authority = Authority(tmp_path)
    with TlsFront(elasticsearch_url, authority.issue("node"), [reader]) as front:
        auth = ("reader", "pw") if by == "password" else reader.encoded_api_key
        opened = tw.open(front.url, prefix=prefix, ca=authority.ca_file, auth=auth)
        assert opened.findings.collect().height == scanned.findings.height
        assert not front.seen.refused


def test_a_node_that_another_authority_signed_is_not_read(
    elasticsearch_url: str, prefix: str, tmp_path: Path
) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    with TlsFront(elasticsearch_url, theirs.issue("node"), []) as front:
        opened = tw.open(front.url, prefix=prefix, ca=ours.ca_file)
        with pytest.raises(Exception, match="certificate verify failed"):
            opened.findings.collect()
        assert not front.seen.requests
