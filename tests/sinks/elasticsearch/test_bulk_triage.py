"""The end of an episode and what people wrote at its finding stand side by side, on a real node."""

from __future__ import annotations

from random import Random
from typing import Any

import orjson
import pytest

from detectors.correlation.episode import Closed
from sinks.elasticsearch.bulk import BulkWriter
from sinks.elasticsearch.connection import Client
from sinks.elasticsearch.documents import Document, closing_document
from sinks.elasticsearch.setup import apply
from sinks.elasticsearch.setup_check import checker
from sinks.elasticsearch.templates import SetupOptions
from sinks.elasticsearch.transport import require
from tests.sinks.elasticsearch.draining import Clock, drain, stored

pytestmark = pytest.mark.integration

NOON_US = 1_772_366_400_000_000  # 2026-03-01T12:00Z
FINDING = "f" * 32
ENDED = Closed(FINDING, NOON_US, NOON_US, True, NOON_US + 1_000_000, 7, NOON_US + 61_000_000)
TRIAGE = {"trailwarden.triage.status": "closed", "trailwarden.triage.note": "a drill"}


@pytest.fixture
def ready(client: Client, prefix: str) -> str:
    apply(client, SetupOptions(prefix, replicas=0))
    return prefix


def written(client: Client, prefix: str, *documents: Document) -> BulkWriter:
    clock = Clock()
    bulk = BulkWriter(client, 100_000, check=checker(client, prefix), random=Random(1), clock=clock)
    for document in documents:
        bulk.add(document)
    drain(bulk, clock)
    return bulk


def begun(prefix: str) -> Document:
    fields = {
        "@timestamp": "2026-03-01T12:00:00.000000Z",
        "rule.id": "r",
        "trailwarden.episode.closed": False,
    }
    return Document(f"{prefix}-findings-2026.03.01", FINDING, orjson.dumps(fields))


def held(client: Client, index: str) -> tuple[int, dict[str, Any]]:
    """Return the version and the fields of the finding."""
    found = require(client, "GET", f"/{index}/_doc/{FINDING}")
    return found["_version"], found["_source"]


def test_all_three_stay_and_a_repeat_changes_nothing(client: Client, ready: str) -> None:
    creation, update = begun(ready), closing_document(ENDED, ready, 30)
    assert update.index == creation.index
    written(client, ready, creation)
    require(client, "POST", f"/{creation.index}/_update/{FINDING}", {"doc": TRIAGE})
    written(client, ready, update)
    version, whole = held(client, creation.index)
    assert whole == {
        **orjson.loads(creation.source),
        **TRIAGE,
        **orjson.loads(update.source),
        "trailwarden.episode.closed": True,
    }
    again = written(client, ready, creation, update)
    assert held(client, creation.index) == (version, whole)
    assert (again.counts.created, again.counts.repeated, again.counts.updated) == (0, 1, 1)
    assert stored(client, ready) == [(creation.index, FINDING)]


def test_an_end_may_come_in_the_request_of_its_beginning(client: Client, ready: str) -> None:
    creation, update = begun(ready), closing_document(ENDED, ready, 30)
    bulk = written(client, ready, creation, update)
    assert (bulk.counts.created, bulk.counts.updated) == (1, 1)
    assert held(client, creation.index)[1]["trailwarden.episode.count"] == 7


def test_what_people_write_after_the_end_stays_when_the_end_is_repeated(
    client: Client, ready: str
) -> None:
    creation, update = begun(ready), closing_document(ENDED, ready, 30)
    written(client, ready, creation, update)
    require(client, "POST", f"/{creation.index}/_update/{FINDING}", {"doc": TRIAGE})
    written(client, ready, update)
    assert held(client, creation.index)[1].items() >= TRIAGE.items()


def test_the_end_of_a_finding_that_people_deleted_makes_no_document(
    client: Client, ready: str
) -> None:
    creation, update = begun(ready), closing_document(ENDED, ready, 30)
    written(client, ready, creation)
    require(client, "DELETE", f"/{creation.index}/_doc/{FINDING}")
    bulk = written(client, ready, update)
    assert (bulk.pending, bulk.counts.updated, bulk.counts.poisoned) == (0, 0, 0)
    assert stored(client, ready) == []


def test_the_end_of_a_day_that_retention_deleted_is_done(client: Client, ready: str) -> None:
    update = closing_document(ENDED, ready, 30)
    bulk = written(client, ready, update)
    assert (bulk.pending, bulk.counts.updated, bulk.counts.poisoned) == (0, 0, 0)
    assert stored(client, ready) == []
