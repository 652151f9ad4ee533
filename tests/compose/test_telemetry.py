from __future__ import annotations

import json
import string
from typing import Any

import pytest
import yaml

from tests.compose.stack import COMPOSE, ROOT, own, services
from worker.metric_list import METRICS

NAMES = {metric.name for metric in METRICS}
LABELS = {metric.name: set(metric.labels) for metric in METRICS}
ALARMS = COMPOSE / "prometheus" / "alarms.yml"
DASHBOARD = COMPOSE / "grafana" / "dashboards" / "trailwarden.json"


def words(expression: str) -> set[str]:
    letters = set(string.ascii_letters + string.digits + "_")
    text = "".join(c if c in letters else " " for c in expression)
    return {word for word in text.split() if word.startswith(("trailwarden_", "process_"))}


def alarms() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALARMS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return loaded


def expressions() -> list[str]:
    targets = [target for panel in dashboard()["panels"] for target in panel.get("targets", [])]
    return [*(target["expr"] for target in targets), *(rule["expr"] for rule in alarms())]


def grouped(expression: str) -> set[str]:
    found: set[str] = set()
    for part in expression.split("by (")[1:]:
        found |= {label.strip() for label in part.partition(")")[0].split(",")}
    return found


@pytest.mark.parametrize("expression", expressions())
def test_every_metric_that_is_asked_for_exists(expression: str) -> None:
    assert words(expression) <= NAMES
    assert words(expression) or "up{" in expression


@pytest.mark.parametrize("expression", expressions())
def test_every_label_that_is_grouped_by_exists(expression: str) -> None:
    known = {label for name in words(expression) for label in LABELS[name]} | {"instance", "job"}
    assert grouped(expression) <= known


@pytest.mark.parametrize("expression", expressions())
def test_brackets_are_closed(expression: str) -> None:
    for left, right in ("()", "[]", "{}"):
        assert expression.count(left) == expression.count(right)


def test_prometheus_asks_each_of_our_services() -> None:
    config = yaml.safe_load((COMPOSE / "prometheus" / "prometheus.yml").read_text())
    lookups = [entry for job in config["scrape_configs"] for entry in job.get("dns_sd_configs", [])]
    asked = {name for entry in lookups for name in entry["names"]}
    running = {name for name in own() if "monitoring" in services()[name]["networks"]}
    assert asked == running
    assert {entry["port"] for entry in lookups} == {9464}
    mounted = [volume.split(":")[1] for volume in services()["prometheus"]["volumes"]]
    assert set(config["rule_files"]) <= set(mounted)


def test_every_alarm_is_explained() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    names = [rule["alert"] for rule in alarms()]
    assert len(set(names)) == len(names)
    assert not [name for name in names if f"`{name}`" not in page]


def test_every_alarm_says_how_bad_it_is_and_what_is_wrong() -> None:
    for rule in alarms():
        assert rule["labels"]["severity"] in {"medium", "high", "critical"}
        assert rule["annotations"]["summary"]


def test_panels_do_not_overlap_and_have_their_own_ids() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        grid = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not cells & taken
        assert grid["x"] + grid["w"] <= 24
        taken |= cells


def test_the_dashboard_asks_the_datasource_that_is_provisioned() -> None:
    folder = COMPOSE / "grafana" / "provisioning"
    source = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())
    uids = {panel["datasource"]["uid"] for panel in dashboard()["panels"] if "targets" in panel}
    assert uids == {source["datasources"][0]["uid"]}
    provider = yaml.safe_load((folder / "dashboards" / "trailwarden.yml").read_text())
    mounted = [volume.split(":")[1] for volume in services()["grafana"]["volumes"]]
    assert provider["providers"][0]["options"]["path"] in mounted
