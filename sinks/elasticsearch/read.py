"""An index pattern and a time range become pages of event or finding rows, in order of time.

Separate from writing: readers are notebooks and reports, with rights to read only. A point in time
keeps what is read consistent while workers write, and `search_after` pages through any number of
documents, which `from` and `size` do not (Elasticsearch, "Paginate search results").
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
import polars as pl

from sinks.elasticsearch.flattened import OBJECTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sinks.elasticsearch.connection import Client

PAGE_ROWS: Final = 5_000
"""Rows of a page: half of `index.max_result_window`; some 15 MB of events in full."""

KEEP_ALIVE: Final = "2m"
"""How long a point in time outlives its last page: whoever reads may pause between pages."""

_TIMEOUT_S: Final = 60.0
_NOT_NOW: Final = (429, 502, 503, 504)

_SMALL: Final = "event.kind"
"""What is fetched when a query only counts rows."""


class NothingIndexedError(Exception):
    """No index has the name that was asked for."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What is read: indices, columns with their types, and times from ``start`` to ``end``.

    Both ends are included, and known to the millisecond only.
    """

    index: str
    schema: Mapping[str, pl.DataType]
    start: datetime | None = None
    end: datetime | None = None


class IndexReader:
    """Reads from one cluster, and tries again what can be asked twice; takes over the client."""

    __slots__ = ("_client",)

    def __init__(self, client: Client) -> None:
        self._client = client.options(
            max_retries=3,
            retry_on_timeout=True,
            retry_on_status=_NOT_NOW,
            request_timeout=_TIMEOUT_S,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def pages(
        self, selection: Selection, columns: Sequence[str], rows: int | None = None
    ) -> Iterator[pl.DataFrame]:
        """Yield the rows of ``selection`` in pages, only ``columns``, oldest first.

        Parameters
            rows: how many rows are enough; None: all.

        Raises
            NothingIndexedError: no index matches.
            elasticsearch.ApiError, elastic_transport.TransportError: the node refused, or is not
                there.
        """
        point = self._point_in_time(selection.index)
        size = PAGE_ROWS if rows is None else min(PAGE_ROWS, rows)
        after: list[Any] | None = None
        try:
            while True:
                answer = self._client.search(
                    pit={"id": point, "keep_alive": KEEP_ALIVE},
                    query=_between(selection),
                    sort=[{"@timestamp": {"order": "asc", "missing": "_last"}}],
                    search_after=after,
                    size=size,
                    source={"includes": list(columns) or [_SMALL]},
                    track_total_hits=False,
                )
                point, hits = answer["pit_id"], answer["hits"]["hits"]
                yield _frame(hits, {name: selection.schema[name] for name in columns})
                if len(hits) < PAGE_ROWS:
                    return
                after = hits[-1]["sort"]
        finally:
            self._client.close_point_in_time(id=point)

    def _point_in_time(self, index: str) -> str:
        answer = self._client.open_point_in_time(index=index, keep_alive=KEEP_ALIVE)
        if not answer["_shards"]["total"]:
            raise NothingIndexedError(
                f"no index matches {index!r}: nothing was indexed yet, or the prefix is another"
            )
        point: str = answer["id"]
        return point


def _between(selection: Selection) -> dict[str, Any]:
    """Return the query; an index knows times to the millisecond, so the caller filters again."""
    limits = {"gte": selection.start, "lte": selection.end}
    written = {
        name: time.astimezone(UTC).isoformat() for name, time in limits.items() if time is not None
    }
    return {"range": {"@timestamp": written}} if written else {"match_all": {}}


def _frame(hits: list[dict[str, Any]], schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    columns = {name: _column(hits, name, dtype) for name, dtype in schema.items()}
    return pl.DataFrame(columns, schema=dict(schema), height=len(hits))


def _column(hits: list[dict[str, Any]], name: str, dtype: pl.DataType) -> list[Any]:
    read = _as_text if name in OBJECTS else _READERS.get(dtype)
    values = [_value(hit["_source"], name) for hit in hits]
    return values if read is None else [None if v is None else read(v) for v in values]


def _value(source: Any, name: str) -> Any:
    """Return a field, whether the document writes it dotted, as objects, or both."""
    if not isinstance(source, dict):
        return None
    if name in source:
        return source[name]
    for position, letter in enumerate(name):
        if letter == "." and name[:position] in source:
            return _value(source[name[:position]], name[position + 1 :])
    return None


def _as_text(value: Any) -> str:
    """Bodies are indexed as objects; in a frame they are JSON text (sinks.elasticsearch)."""
    return orjson.dumps(value).decode()


def _listed(value: Any) -> list[Any]:
    """Elasticsearch takes one value for a list of one."""
    return value if isinstance(value, list) else [value]


_READERS: Final[Mapping[pl.DataType, Callable[[Any], Any]]] = {
    pl.Datetime("us", "UTC"): datetime.fromisoformat,
    pl.List(pl.String()): _listed,
    pl.List(pl.Int64()): _listed,
}
