"""Dashboards become saved objects, one JSON line each: what Kibana imports.

Separate from Lens because references, ids and the outer form concern every kind of object. Ids are
made from names and never change, so that importing again replaces; keys are sorted, so that the
same version writes the same bytes. The migration versions are those that Kibana 9.x ships its own
sample dashboards with; whatever came after, it migrates on import.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from sinks.kibana import lens
from sinks.kibana.dashboards import DASHBOARDS, SEARCHES
from sinks.kibana.panel import Control, Dashboard, DataView, Panel, Place, Search, SearchPanel

Json = dict[str, Any]

CORE_VERSION: Final = "8.8.0"
TYPE_VERSIONS: Final = {"index-pattern": "7.11.0", "search": "7.9.3", "dashboard": "8.7.0"}
PANEL_VERSION: Final = "8.11.0"
DEFAULT_PREFIX: Final = "trailwarden"

_NO_QUERY: Final = {"query": {"query": "", "language": lens.LANGUAGE}, "filter": []}
_INDEX: Final = "kibanaSavedObjectMeta.searchSourceJSON.index"


def ndjson(prefix: str = DEFAULT_PREFIX) -> bytes:
    """Return all saved objects, data views first, as a file for Kibana's import."""
    return b"".join(_dumped(one) + b"\n" for one in saved_objects(prefix))


def saved_objects(prefix: str = DEFAULT_PREFIX) -> list[Json]:
    """Return all saved objects for indices whose names begin with ``prefix``."""
    return [
        *(_data_view(view, prefix) for view in DataView),
        *(_search(search, prefix) for search in SEARCHES),
        *(_dashboard(dashboard, prefix) for dashboard in DASHBOARDS),
    ]


def _dumped(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _text(value: Any) -> str:
    """Return JSON inside JSON: Kibana keeps states as text."""
    return _dumped(value).decode()


def _object(kind: str, identifier: str, attributes: Json, references: list[Json]) -> Json:
    return {
        "type": kind,
        "id": identifier,
        "attributes": attributes,
        "references": references,
        "coreMigrationVersion": CORE_VERSION,
        "typeMigrationVersion": TYPE_VERSIONS[kind],
        "managed": False,
    }


def _view_reference(view: DataView, prefix: str, name: str) -> Json:
    return {"type": "index-pattern", "id": f"{prefix}-{view}", "name": name}


def _data_view(view: DataView, prefix: str) -> Json:
    attributes = {
        "title": f"{prefix}-{view}*",
        "name": f"Trailwarden {view}",
        "timeFieldName": "@timestamp",
        "fields": "[]",
        "fieldAttrs": "{}",
        "fieldFormatMap": "{}",
        "runtimeFieldMap": "{}",
        "sourceFilters": "[]",
        "typeMeta": "{}",
    }
    return _object("index-pattern", f"{prefix}-{view}", attributes, [])


def _search(search: Search, prefix: str) -> Json:
    source = {
        "query": {"query": search.query, "language": lens.LANGUAGE},
        "filter": [],
        "highlightAll": True,
        "version": True,
        "indexRefName": _INDEX,
    }
    attributes = {
        "title": f"Trailwarden: {search.title.lower()}",
        "description": "",
        "hits": 0,
        "columns": list(search.columns),
        "sort": [["@timestamp", "desc"]],
        "version": 1,
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text(source)},
    }
    references = [_view_reference(search.view, prefix, _INDEX)]
    return _object("search", f"{prefix}-{search.name}", attributes, references)


def _dashboard(dashboard: Dashboard, prefix: str) -> Json:
    panels, references = [], []
    for place, panel in enumerate(dashboard.panels):
        written, reference = _panel(panel, str(place), prefix)
        panels.append(written)
        references.append(reference)
    for control in dashboard.controls:
        name = f"controlGroup_{_control_id(control)}:optionsListDataView"
        references.append(_view_reference(control.view, prefix, name))
    attributes = {
        "title": dashboard.title,
        "description": dashboard.description,
        "panelsJSON": _text(panels),
        "optionsJSON": _text(_OPTIONS),
        "controlGroupInput": _control_group(dashboard.controls),
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text(_NO_QUERY)},
        "timeRestore": True,
        "timeFrom": dashboard.since,
        "timeTo": "now",
        "refreshInterval": {"pause": True, "value": 60_000},
        "version": 1,
    }
    return _object("dashboard", f"{prefix}-{dashboard.name}", attributes, references)


_OPTIONS: Final = {
    "useMargins": True,
    "syncColors": True,
    "syncCursor": True,
    "syncTooltips": False,
    "hidePanelTitles": False,
}


def _panel(panel: Panel | SearchPanel, index: str, prefix: str) -> tuple[Json, Json]:
    """Return a panel, and the dashboard's reference for it."""
    written: Json = {
        "version": PANEL_VERSION,
        "panelIndex": index,
        "gridData": _grid(panel.place, index),
    }
    if isinstance(panel, SearchPanel):
        name = f"panel_{index}"
        written |= {"type": "search", "embeddableConfig": {"enhancements": {}}}
        reference = {
            "type": "search",
            "id": f"{prefix}-{panel.search.name}",
            "name": f"{index}:{name}",
        }
        return written | {"panelRefName": name}, reference
    view = _view_reference(panel.view, prefix, lens.reference_name())
    config = {"enhancements": {}, "attributes": lens.visualization(panel, view)}
    written |= {"type": "lens", "title": panel.title, "embeddableConfig": config}
    return written, view | {"name": f"{index}:{view['name']}"}


def _grid(place: Place, index: str) -> Json:
    return {"x": place.x, "y": place.y, "w": place.width, "h": place.height, "i": index}


def _control_id(control: Control) -> str:
    return f"control-{control.field}"


def _control_group(controls: tuple[Control, ...]) -> Json:
    panels = {
        _control_id(control): {
            "order": order,
            "width": "medium",
            "grow": True,
            "type": "optionsListControl",
            "explicitInput": {
                "id": _control_id(control),
                "title": control.label,
                "fieldName": control.field,
                "enhancements": {},
            },
        }
        for order, control in enumerate(controls)
    }
    ignored = ("ignoreFilters", "ignoreQuery", "ignoreTimerange", "ignoreValidations")
    return {
        "controlStyle": "oneLine",
        "chainingSystem": "HIERARCHICAL",
        "panelsJSON": _text(panels),
        "ignoreParentSettingsJSON": _text(dict.fromkeys(ignored, False)),
    }
