"""What a panel is: a data view, a query, buckets and metrics, and its place on the dashboard.

Separate from Kibana's form (`sinks.kibana.lens`), which says the same in twenty times the words and
changes between versions. Only what every Elasticsearch runs: terms, date histograms and filters;
counts and cardinalities. Queries are Lucene's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

COLUMNS = 48
"""Width of a dashboard, in Kibana's own units."""


class DataView(StrEnum):
    """The data views, by what they hold."""

    FINDINGS = "findings"
    EVENTS = "events"


class Shape(StrEnum):
    """How a panel is drawn."""

    NUMBER = "number"
    TABLE = "table"
    BARS = "bars"
    OVER_TIME = "over time"


@dataclass(frozen=True, slots=True)
class Terms:
    """The most frequent values of a field."""

    label: str
    field: str
    size: int = 10
    address: bool = False


@dataclass(frozen=True, slots=True)
class Filters:
    """Named Lucene queries, in this order."""

    label: str
    queries: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class OverTime:
    """Equal stretches of time; Kibana chooses them to fit the range that is shown."""

    label: str = "time"
    field: str = "@timestamp"


@dataclass(frozen=True, slots=True)
class Count:
    """How many documents."""

    label: str


@dataclass(frozen=True, slots=True)
class Distinct:
    """How many different values of a field, approximately beyond 3,000."""

    label: str
    field: str


Bucket: TypeAlias = Terms | Filters | OverTime
Metric: TypeAlias = Count | Distinct


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle on the dashboard."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. Of two buckets the second splits the first."""

    title: str
    view: DataView
    shape: Shape
    place: Place
    metrics: tuple[Metric, ...]
    buckets: tuple[Bucket, ...] = ()
    query: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """A saved search: documents, newest first, as a table of ``columns``."""

    name: str
    title: str
    view: DataView
    columns: tuple[str, ...]
    query: str = ""


@dataclass(frozen=True, slots=True)
class SearchPanel:
    """A saved search on a dashboard."""

    search: Search
    place: Place


@dataclass(frozen=True, slots=True)
class Control:
    """A list to choose values of a field from; it filters the whole dashboard."""

    label: str
    view: DataView
    field: str


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard; ``name`` becomes its id."""

    name: str
    title: str
    description: str
    controls: tuple[Control, ...]
    panels: tuple[Panel | SearchPanel, ...]
    since: str = "now-24h"
