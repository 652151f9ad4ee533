"""A panel becomes a Lens visualization, embedded in its dashboard by value.

Separate because this is Kibana's own form, as it writes it itself (the e-commerce sample dashboard
in elastic/kibana, src/platform/plugins/shared/home, of the 9.x tree): a form-based layer of columns
and one of three visualizations, lnsXY, lnsDatatable and lnsMetric.
"""

from __future__ import annotations

from typing import Any, Final

from sinks.kibana.panel import (
    Bucket,
    Count,
    Distinct,
    Filters,
    Metric,
    OverTime,
    Panel,
    Shape,
    Terms,
)

LANGUAGE: Final = "lucene"
RECORDS: Final = "___records___"
"""Lens' name for the documents themselves, which a count counts."""

LAYER: Final = "layer"

Json = dict[str, Any]

_TYPES: Final = {
    Shape.NUMBER: "lnsMetric",
    Shape.TABLE: "lnsDatatable",
    Shape.BARS: "lnsXY",
    Shape.OVER_TIME: "lnsXY",
}


def reference_name() -> str:
    """Return the name under which a visualization refers to its data view."""
    return f"indexpattern-datasource-layer-{LAYER}"


def visualization(panel: Panel, data_view: Json) -> Json:
    """Return the attributes of a Lens visualization.

    Parameters
        data_view: the reference to the data view, by type, id and `reference_name`.
    """
    return {
        "title": panel.title,
        "visualizationType": _TYPES[panel.shape],
        "type": "lens",
        "references": [data_view],
        "state": {
            "visualization": _drawn(panel),
            "query": {"query": panel.query, "language": LANGUAGE},
            "filters": [],
            "datasourceStates": {"formBased": {"layers": {LAYER: _layer(panel)}}},
            "internalReferences": [],
            "adHocDataViews": {},
        },
    }


def _bucket_ids(panel: Panel) -> list[str]:
    return [f"bucket-{place}" for place in range(len(panel.buckets))]


def _metric_ids(panel: Panel) -> list[str]:
    return [f"metric-{place}" for place in range(len(panel.metrics))]


def _layer(panel: Panel) -> Json:
    buckets, metrics = _bucket_ids(panel), _metric_ids(panel)
    columns = {
        **{name: _bucket(one) for name, one in zip(buckets, panel.buckets, strict=True)},
        **{name: _metric(one) for name, one in zip(metrics, panel.metrics, strict=True)},
    }
    return {"columns": columns, "columnOrder": [*buckets, *metrics], "incompleteColumns": {}}


def _bucket(bucket: Bucket) -> Json:
    column = {"label": bucket.label, "customLabel": True, "isBucketed": True}
    match bucket:
        case OverTime():
            return column | {
                "dataType": "date",
                "operationType": "date_histogram",
                "scale": "interval",
                "sourceField": bucket.field,
                "params": {"interval": "auto", "includeEmptyRows": True, "dropPartials": False},
            }
        case Filters():
            return column | {
                "dataType": "string",
                "operationType": "filters",
                "scale": "ordinal",
                "params": {
                    "filters": [
                        {"label": label, "input": {"query": query, "language": LANGUAGE}}
                        for label, query in bucket.queries
                    ]
                },
            }
        case Terms():
            return column | _terms(bucket)


def _terms(terms: Terms) -> Json:
    return {
        "dataType": "ip" if terms.address else "string",
        "operationType": "terms",
        "scale": "ordinal",
        "sourceField": terms.field,
        "params": {
            "size": terms.size,
            "orderBy": {"type": "column", "columnId": "metric-0"},
            "orderDirection": "desc",
            "otherBucket": False,
            "missingBucket": False,
            "parentFormat": {"id": "terms"},
        },
    }


def _metric(metric: Metric) -> Json:
    column = {
        "label": metric.label,
        "customLabel": True,
        "dataType": "number",
        "isBucketed": False,
        "scale": "ratio",
        "params": {"emptyAsNull": False},
    }
    match metric:
        case Count():
            return column | {"operationType": "count", "sourceField": RECORDS}
        case Distinct():
            return column | {"operationType": "unique_count", "sourceField": metric.field}


def _drawn(panel: Panel) -> Json:
    layer = {"layerId": LAYER, "layerType": "data"}
    if panel.shape is Shape.NUMBER:
        return layer | {"metricAccessor": _metric_ids(panel)[0]}
    if panel.shape is Shape.TABLE:
        ids = [*_bucket_ids(panel), *_metric_ids(panel)]
        return layer | {"columns": [{"columnId": name} for name in ids]}
    return _axes(panel, layer)


def _axes(panel: Panel, layer: Json) -> Json:
    series = "bar_stacked" if panel.shape is Shape.OVER_TIME else "bar_horizontal_stacked"
    first, *split = _bucket_ids(panel)
    drawn = layer | {
        "accessors": _metric_ids(panel),
        "xAccessor": first,
        "seriesType": series,
        "position": "top",
        "showGridlines": False,
    }
    if split:
        drawn["splitAccessor"] = split[0]
    shown = {"x": True, "yLeft": True, "yRight": True}
    return {
        "layers": [drawn],
        "preferredSeriesType": series,
        "legend": {"isVisible": bool(split), "position": "right"},
        "valueLabels": "hide",
        "fittingFunction": "None",
        "axisTitlesVisibilitySettings": {"x": False, "yLeft": False, "yRight": False},
        "gridlinesVisibilitySettings": shown,
        "tickLabelsVisibilitySettings": shown,
        "yLeftExtent": {"mode": "full"},
        "yRightExtent": {"mode": "full"},
    }
