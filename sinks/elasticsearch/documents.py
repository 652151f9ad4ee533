"""Events and findings in, documents of Elasticsearch out: index, id and JSON source.

Separate from sending them: what a document says is a function of the record alone. Nothing in a
record may make Elasticsearch refuse it; what it would refuse in a body is known from trying it on
a node (9.5.3, tests/sinks/elasticsearch/test_refuses_nothing.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import orjson
import polars as pl

from detectors.correlation.report import closing_fields
from ingest.received import CLOCK_AHEAD, NO_TIME
from ingest.unix_time import time_of
from sinks.elasticsearch.index_name import Kind, index_name, index_names
from sinks.elasticsearch.source_text import sources

if TYPE_CHECKING:
    from detectors.correlation.episode import Closed
    from detectors.finding import Finding

_TIME: Final = "@timestamp"
_RECEIVED: Final = "event.created"
_ISSUES: Final = "trailwarden.parse.issues"


@dataclass(frozen=True, slots=True)
class Document:
    """What is written with the operation ``create``: an id that exists is not written.

    ``is_update``: the fields of ``source`` are set in the document that is there.
    """

    index: str
    id: str
    source: bytes
    is_update: bool = False


def event_documents(
    events: pl.DataFrame, prefix: str, retention_days: int, received: datetime | None = None
) -> list[Document]:
    """Make a document of each event.

    Parameters
        events: EVENT_SCHEMA, any height.
        prefix: index names begin so.
        retention_days: days that an index of a day is kept.
        received: stands for ``event.created`` where that is null: files have no collector.

    Returns
        one document per event in their order, with ``event.id`` as id and only fields that are not
        null. Cost grows with the values that are not null.
    """
    if not events.height:
        return []
    times = events[_RECEIVED]
    if times.null_count():
        if received is None:
            raise ValueError("events without event.created need a received time")
        times = times.fill_null(received)
    indices = index_names(own_times(events), times, prefix, "events", retention_days)
    ids = events["event.id"]
    return [
        Document(index, identifier, source)
        for index, identifier, source in zip(indices, ids, sources(events), strict=True)
    ]


def own_times(events: pl.DataFrame) -> pl.Series:
    """Return the times that events say of themselves, null where receipt had to stand in.

    A time of receipt is no property of what was received: the same event received again on another
    day would be indexed a second time.
    """
    if events[_ISSUES].null_count() == events.height:
        return events[_TIME]
    replaced = pl.col(_ISSUES).list.set_intersection([CLOCK_AHEAD, NO_TIME]).list.len() > 0
    time = pl.when(replaced.fill_null(value=False)).then(None).otherwise(pl.col(_TIME))
    return events.select(time.alias(_TIME)).to_series()


def finding_document(
    finding: Finding, received: datetime, prefix: str, retention_days: int, *, dated: bool = True
) -> Document:
    """Make the document of a finding.

    Parameters
        received: when its evidence was.
        dated: whether its time is the evidence's own (`own_times`).
    """
    kind: Kind = "findings"
    text = finding.document[_TIME] if dated else None
    time = None if text is None else datetime.fromisoformat(text)
    index = index_name(prefix, kind, time, received, retention_days)
    fields = {name: value for name, value in finding.document.items() if value is not None}
    return Document(index, finding.id, orjson.dumps(fields))


def closing_document(closed: Closed, prefix: str, retention_days: int) -> Document:
    """Make the one update of an episode's finding: its end and how many events it had.

    The values are absolute, so that a repeat writes the same.
    """
    time = time_of(closed.time_us) if closed.dated else None
    index = index_name(prefix, "findings", time, time_of(closed.received_us), retention_days)
    fields = closing_fields(closed.end_us, closed.events)
    return Document(index, closed.finding, orjson.dumps(fields), is_update=True)
