"""What Kibana is given holds together: references, fields, places, and the same bytes each time."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from sinks.elasticsearch.fields import event_fields, finding_fields
from sinks.kibana.dashboards import DASHBOARDS
from sinks.kibana.panel import COLUMNS
from sinks.kibana.requests import fields_of, panel_request
from sinks.kibana.saved_objects import ndjson, saved_objects
from trailwarden.commands.kibana import app

Json = dict[str, Any]

OBJECTS = saved_objects()
DASHBOARD_OBJECTS = [one for one in OBJECTS if one["type"] == "dashboard"]
SEARCHES = [one for one in OBJECTS if one["type"] == "search"]
MAPPED = {"trailwarden-events": event_fields(()), "trailwarden-findings": finding_fields(())}
NOT_AGGREGATED = {"text", "match_only_text", "flattened"}


def panels(dashboard: Json) -> list[Json]:
    found: list[Json] = orjson.loads(dashboard["attributes"]["panelsJSON"])
    return found


def lens_panels() -> list[Json]:
    return [panel for one in DASHBOARD_OBJECTS for panel in panels(one) if panel["type"] == "lens"]


def visualization(panel: Json) -> Json:
    found: Json = panel["embeddableConfig"]["attributes"]
    return found


def test_ids_are_unique_and_every_reference_leads_somewhere() -> None:
    ids = [(one["type"], one["id"]) for one in OBJECTS]
    assert len(set(ids)) == len(ids)
    for one in OBJECTS:
        for reference in one["references"]:
            assert (reference["type"], reference["id"]) in ids
        names = [reference["name"] for reference in one["references"]]
        assert len(set(names)) == len(names)


def test_every_panel_has_the_reference_it_names() -> None:
    for one in DASHBOARD_OBJECTS:
        names = {reference["name"]: reference for reference in one["references"]}
        for panel in panels(one):
            index = panel["panelIndex"]
            assert panel["gridData"]["i"] == index
            if panel["type"] == "search":
                assert names.pop(f"{index}:{panel['panelRefName']}")["type"] == "search"
            else:
                (inner,) = visualization(panel)["references"]
                assert names.pop(f"{index}:{inner['name']}")["id"] == inner["id"]
        controls = orjson.loads(one["attributes"]["controlGroupInput"]["panelsJSON"])
        assert set(names) == {f"controlGroup_{name}:optionsListDataView" for name in controls}


def test_every_search_names_its_data_view() -> None:
    for one in SEARCHES:
        source = json.loads(one["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
        (reference,) = one["references"]
        assert source["indexRefName"] == reference["name"]


@pytest.mark.parametrize("panel", lens_panels(), ids=lambda panel: panel["title"])
def test_every_field_of_a_panel_is_mapped_so_that_it_can_be_aggregated(panel: Json) -> None:
    (reference,) = visualization(panel)["references"]
    mapped = MAPPED[reference["id"]]
    for field in fields_of(visualization(panel)):
        assert mapped[field]["type"] not in NOT_AGGREGATED


def test_every_column_of_a_search_and_every_control_is_mapped() -> None:
    for one in SEARCHES:
        (reference,) = one["references"]
        assert set(one["attributes"]["columns"]) <= set(MAPPED[reference["id"]])
    for one in DASHBOARD_OBJECTS:
        controls = orjson.loads(one["attributes"]["controlGroupInput"]["panelsJSON"])
        views = {reference["name"]: reference["id"] for reference in one["references"]}
        for name, control in controls.items():
            mapped = MAPPED[views[f"controlGroup_{name}:optionsListDataView"]]
            field = control["explicitInput"]["fieldName"]
            assert mapped[field]["type"] not in NOT_AGGREGATED


def test_every_query_is_lucene() -> None:
    for panel in lens_panels():
        panel_request(visualization(panel))  # raises ValueError for any other language
    for one in (*SEARCHES, *DASHBOARD_OBJECTS):
        source = json.loads(one["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
        assert source["query"]["language"] == "lucene"


def test_another_query_language_is_refused() -> None:
    state = visualization(lens_panels()[0])
    state["state"]["query"] = {"query": "user.name: x", "language": "kuery"}
    with pytest.raises(ValueError, match="is in kuery, not in lucene"):
        panel_request(state)


def test_panels_fit_the_dashboard_and_do_not_overlap() -> None:
    for dashboard in DASHBOARDS:
        places = [panel.place for panel in dashboard.panels]
        assert all(one.x + one.width <= COLUMNS for one in places)
        for one, other in combinations(places, 2):
            beside = one.x + one.width <= other.x or other.x + other.width <= one.x
            above = one.y + one.height <= other.y or other.y + other.height <= one.y
            assert beside or above


def test_the_file_is_the_same_each_time_and_one_object_a_line() -> None:
    assert ndjson() == ndjson()
    lines = ndjson().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [one["id"] for one in OBJECTS]
    for line in lines:
        assert line == orjson.dumps(orjson.loads(line), option=orjson.OPT_SORT_KEYS)


def test_another_prefix_is_another_set_of_objects() -> None:
    other = saved_objects("sec")
    assert other[0]["attributes"]["title"] == "sec-findings*"
    assert not {one["id"] for one in other} & {one["id"] for one in OBJECTS}
    assert "trailwarden-" not in ndjson("sec").decode()


def test_the_command_writes_what_is_imported(tmp_path: Path) -> None:
    out = tmp_path / "objects.ndjson"
    done = CliRunner().invoke(app, ["export", "--out", str(out)])
    assert done.exit_code == 0
    assert f"{len(OBJECTS)} saved objects" in done.output
    assert out.read_bytes() == ndjson()


def test_the_command_writes_to_standard_output() -> None:
    done = CliRunner().invoke(app, ["export", "--out", "-", "--prefix", "sec"])
    assert done.stdout_bytes == ndjson("sec")


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["export", "--out", str(tmp_path / "no" / "folder")])
    assert done.exit_code == 2
    assert "cannot write" in done.stderr
