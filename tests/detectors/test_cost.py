"""The cost of a pack: every detection is measured, dearest first, and dear ones cost more."""

from __future__ import annotations

from pathlib import Path

import orjson
import polars as pl
import pytest

from detectors.cost import cost_of
from detectors.sigma.compiler import load_pack
from detectors.sigma.pack import Pack
from ingest.normalize import NormalizeSettings, normalize
from ingest.record import Records

COMMUNITY = Path(__file__).parent / "sigma" / "community"


@pytest.fixture(scope="module")
def batches() -> list[pl.DataFrame]:
    base = orjson.loads((COMMUNITY / "bases" / "request.json").read_bytes())
    raws = [
        orjson.dumps(base | {"auditID": f"{number}", "requestURI": f"/{number}/{'x' * 400}"})
        for number in range(4_000)
    ]
    chunk = Records("log", raws, list(range(len(raws))))
    return [normalize([chunk], NormalizeSettings("c")).events]


def test_every_detection_is_measured_and_bases_of_correlations_too(
    batches: list[pl.DataFrame],
) -> None:
    pack = load_pack([COMMUNITY])
    found = cost_of(pack, [batches[0].head(500)], 1)
    assert found.events == 500
    wanted = {one.id for one in pack.rules} | {one.id for one in pack.correlations}
    assert {one.detection.id for one in found.detections} == wanted
    assert all(one.us_per_event >= 0 for one in found.detections)
    assert found.rules_us_per_event > 0


def test_a_rule_that_reads_long_text_by_patterns_costs_more_than_one_of_a_few_values(
    batches: list[pl.DataFrame], tmp_path: Path
) -> None:
    rules = {
        "cheap": "{verb: delete}",
        "dear": "{requestURI|re: '(a|b|x){20}.*(y|z)+q$'}",
    }
    for number, (name, selection) in enumerate(rules.items()):
        (tmp_path / f"{name}.yml").write_text(
            f"title: {name}\nid: 0a0a0a0a-0000-4000-8000-00000000000{number}\n"
            f"logsource: {{product: kubernetes}}\ndetection:\n  a: {selection}\n  condition: a\n"
        )
    found = cost_of(load_pack([tmp_path]), batches, 3)
    dearest, cheapest = found.detections
    assert (dearest.detection.title, cheapest.detection.title) == ("dear", "cheap")
    assert cheapest.us_per_event == 0
    assert dearest.us_per_event > 0


def test_nothing_costs_nothing(batches: list[pl.DataFrame]) -> None:
    found = cost_of(Pack(), batches, 1)
    assert (found.correlations_us_per_event, found.detections) == (0.0, ())
