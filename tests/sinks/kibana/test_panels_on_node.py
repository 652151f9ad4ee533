"""Every panel and search, as exported, asks a real node for data and gets it."""

from __future__ import annotations

import gzip
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from elasticsearch import Elasticsearch

from detectors.anomaly.learned import Learned
from detectors.finding import Finding
from sinks.elasticsearch.documents import event_documents, finding_document
from sinks.elasticsearch.index_name import KINDS
from sinks.elasticsearch.templates import SetupOptions, mappings
from sinks.kibana.requests import panel_request, search_request
from sinks.kibana.saved_objects import saved_objects
from tests.detectors.anomaly.world import frame, quiet, strange
from worker.scan import scan
from worker.settings import ScanSettings, shipped_rules

pytestmark = pytest.mark.integration

Json = dict[str, Any]

OBJECTS = saved_objects()
PANELS = [
    (one["id"], panel)
    for one in OBJECTS
    if one["type"] == "dashboard"
    for panel in orjson.loads(one["attributes"]["panelsJSON"])
    if panel["type"] == "lens"
]
SEARCHES = [one for one in OBJECTS if one["type"] == "search"]
LINES = slice(3_000, 6_000)
RETENTION_DAYS = 30


@dataclass(frozen=True)
class Indexed:
    client: Elasticsearch
    prefix: str
    events: pl.DataFrame
    findings: list[Finding]

    def search(self, view: str, body: Json) -> Json:
        index = view.replace("trailwarden", self.prefix, 1) + "*"
        answer = self.client.perform_request(
            "POST",
            f"/{index}/_search",
            headers={"accept": "application/json", "content-type": "application/json"},
            body=body,
        )
        found: Json = answer.body
        return found


@pytest.fixture(scope="module")
def indexed(
    root: Path, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Indexed]:
    folder = tmp_path_factory.mktemp("kibana")
    with gzip.open(root / "examples" / "sample-audit.log.gz") as sample:
        (folder / "audit.log").write_bytes(b"".join(sample.readlines()[LINES]))
    settings = ScanSettings(
        paths=[str(folder / "audit.log")],
        out=folder / "out",
        cluster="prod",
        rules=[shipped_rules()],
    )
    found = scan(settings, 100_000, lambda _: None).findings
    found += unusual()
    events = pl.read_parquet(folder / "out" / "events.parquet")
    prefix = f"g-kibana-{uuid.uuid4().hex[:8]}"
    received = datetime.now(UTC)
    documents = event_documents(events, prefix, RETENTION_DAYS, received)
    documents += [finding_document(one, received, prefix, RETENTION_DAYS) for one in found]
    names = {one.index for one in documents}
    with Elasticsearch(elasticsearch_url) as client:
        for name in names:
            (kind,) = [kind for kind in KINDS if f"-{kind}-" in name]
            client.indices.create(
                index=name,
                mappings=mappings(kind, SetupOptions(prefix), ()),
                settings={"number_of_replicas": 0},
            )
        operations = [
            line
            for one in documents
            for line in ({"create": {"_index": one.index, "_id": one.id}}, orjson.loads(one.source))
        ]
        assert not client.bulk(operations=operations, refresh=True)["errors"]
        yield Indexed(client, prefix, events, found)
        client.indices.delete(index=",".join(names))


def unusual() -> list[Finding]:
    """Return what learned detectors tell; the sample is too short to learn from."""
    acts = sorted([*quiet(), *strange()], key=lambda act: act.at_us)
    detector = Learned()
    detector.add(frame(acts))
    told = detector.release(None).findings
    assert told
    return told


def innermost(aggregations: Json) -> Iterator[Json]:
    """Yield every bucket that holds no further buckets."""
    nested = [one for one in aggregations.values() if isinstance(one, dict) and "buckets" in one]
    for one in nested:
        buckets = one["buckets"]
        for bucket in buckets.values() if isinstance(buckets, dict) else buckets:
            deeper = list(innermost(bucket))
            yield from deeper or [bucket]


@pytest.mark.parametrize(
    ("dashboard", "panel"), PANELS, ids=[f"{name}: {panel['title']}" for name, panel in PANELS]
)
def test_a_panel_gets_data(indexed: Indexed, dashboard: str, panel: Json) -> None:
    assert dashboard
    attributes = panel["embeddableConfig"]["attributes"]
    body = panel_request(attributes, {"gte": "2026-11-21T00:00:00Z", "lt": "2026-11-22T00:00:00Z"})
    answer = indexed.search(attributes["references"][0]["id"], body)
    assert not answer["_shards"].get("failures")
    assert answer["hits"]["total"]["value"] > 0
    columns = attributes["state"]["datasourceStates"]["formBased"]["layers"]["layer"]["columns"]
    if any(column["isBucketed"] for column in columns.values()):
        filled = [one for one in innermost(answer["aggregations"]) if one["doc_count"]]
        assert filled
        for name, column in columns.items():
            if column["operationType"] == "unique_count":
                assert any(one[name]["value"] for one in filled)


def asked(indexed: Indexed, title: str) -> Json:
    panel = next(panel for _, panel in PANELS if panel["title"] == title)
    attributes = panel["embeddableConfig"]["attributes"]
    return indexed.search(attributes["references"][0]["id"], panel_request(attributes))


def test_categories_are_counted_as_the_scan_counted_them(indexed: Indexed) -> None:
    buckets = asked(indexed, "Findings by category")["aggregations"]["bucket-0"]["buckets"]
    expected = Counter(one.document["rule.category"] for one in indexed.findings)
    assert {one["key"]: one["doc_count"] for one in buckets} == expected


def test_the_query_of_a_panel_holds(indexed: Indexed) -> None:
    expected = sum(one.level.value in {"critical", "high"} for one in indexed.findings)
    assert asked(indexed, "Critical and high")["hits"]["total"]["value"] == expected


def test_outcomes_part_all_events_that_have_one(indexed: Indexed) -> None:
    buckets = asked(indexed, "Outcomes")["aggregations"]["bucket-0"]["buckets"]
    refused = indexed.events["http.response.status_code"].is_in([401, 403])
    failed = indexed.events["event.outcome"] == "failure"
    assert buckets["refused"]["doc_count"] == refused.sum()
    assert buckets["failed otherwise"]["doc_count"] == (failed & ~refused).sum()
    succeeded = (indexed.events["event.outcome"] == "success").sum()
    assert buckets["succeeded"]["doc_count"] == succeeded


def test_distinct_values_are_those_of_the_findings(indexed: Indexed) -> None:
    aggregations = asked(indexed, "Actors")["aggregations"]
    actors = {one.document.get("user.name") for one in indexed.findings} - {None}
    assert aggregations["metric-0"]["value"] == len(actors)


def test_terms_come_in_the_order_that_the_panel_says(indexed: Indexed) -> None:
    title = "Top actors: many rules weigh more than many findings"
    buckets = asked(indexed, title)["aggregations"]["bucket-0"]["buckets"]
    rules = [one["metric-0"]["value"] for one in buckets]
    assert len(rules) > 1
    assert rules == sorted(rules, reverse=True)


@pytest.mark.parametrize("search", SEARCHES, ids=[one["id"] for one in SEARCHES])
def test_a_search_finds_documents_and_each_column_somewhere(indexed: Indexed, search: Json) -> None:
    attributes = search["attributes"]
    source = orjson.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
    body = search_request(source, attributes["columns"], size=5_000)
    hits = indexed.search(search["references"][0]["id"], body)["hits"]["hits"]
    assert hits
    shown = {name for hit in hits for name in hit["fields"]}
    people_write = {"trailwarden.triage.status"}
    assert shown == set(attributes["columns"]) - people_write
