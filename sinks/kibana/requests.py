"""A Lens visualization or saved search, as exported, becomes the search that asks for its data.

Separate from writing them: it reads the exported form, not the description it was made from, so a
column that names a field wrongly is wrong here too. Kibana cannot run where this project is tested;
Elasticsearch can.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sinks.kibana.lens import LAYER, RECORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Json = dict[str, Any]

INTERVAL: Final = "1m"
"""Stands for the interval that Kibana chooses."""


def panel_request(attributes: Mapping[str, Any], times: Json | None = None) -> Json:
    """Return the search of a Lens visualization.

    Parameters
        attributes: of the visualization, as `sinks.kibana.lens` writes them.
        times: limits of ``@timestamp``, as the range query takes them; None: all.
    """
    state = attributes["state"]
    layer = state["datasourceStates"]["formBased"]["layers"][LAYER]
    columns = [(name, layer["columns"][name]) for name in layer["columnOrder"]]
    return {
        "size": 0,
        "track_total_hits": True,
        "query": _query(state["query"], times),
        "aggs": _nested(columns),
    }


def search_request(source: Mapping[str, Any], columns: Iterable[str], size: int = 500) -> Json:
    """Return the search of a saved search: its ``searchSourceJSON``, parsed, and its columns."""
    return {
        "size": size,
        "query": _query(source["query"], None),
        "sort": [{"@timestamp": "desc"}],
        "fields": list(columns),
        "_source": False,
    }


def fields_of(attributes: Mapping[str, Any]) -> list[str]:
    """Return the fields that a Lens visualization aggregates."""
    layer = attributes["state"]["datasourceStates"]["formBased"]["layers"][LAYER]
    named = [column.get("sourceField", RECORDS) for column in layer["columns"].values()]
    return [name for name in named if name != RECORDS]


def _query(query: Mapping[str, str], times: Json | None) -> Json:
    wanted: list[Json] = [{"range": {"@timestamp": times}}] if times else []
    if query["query"]:
        wanted.append(_lucene(query))
    return {"bool": {"filter": wanted}}


def _lucene(query: Mapping[str, str]) -> Json:
    if query["language"] != "lucene":
        raise ValueError(f"query {query['query']!r} is in {query['language']}, not in lucene")
    return {"query_string": {"query": query["query"], "analyze_wildcard": True}}


def _nested(columns: list[tuple[str, Json]]) -> Json:
    """Nest buckets in their order; metrics are asked for in every one of them."""
    metrics = {
        name: {"cardinality": {"field": column["sourceField"]}}
        for name, column in columns
        if column["operationType"] == "unique_count"
    }
    found = dict(metrics)
    for name, column in reversed([pair for pair in columns if pair[1]["isBucketed"]]):
        found = {**metrics, name: {**_bucket(column, metrics), "aggs": found}}
    return found


def _bucket(column: Json, metrics: Mapping[str, Json]) -> Json:
    params = column["params"]
    match column["operationType"]:
        case "date_histogram":
            limits = {"fixed_interval": INTERVAL, "min_doc_count": 0}
            return {"date_histogram": {"field": column["sourceField"], **limits}}
        case "filters":
            named = {one["label"]: _lucene(one["input"]) for one in params["filters"]}
            return {"filters": {"filters": named}}
        case "terms":
            by = params["orderBy"]["columnId"]
            order = {by if by in metrics else "_count": params["orderDirection"]}
            return {
                "terms": {"field": column["sourceField"], "size": params["size"], "order": order}
            }
        case other:
            raise ValueError(f"operation {other!r} is none that panels use")
