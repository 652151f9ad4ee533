"""Cases may say where networks are; then a rule that asks for places is tried with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from detectors.case_check import outcomes_of, subject_of, with_own_cases
from detectors.case_events import events_of, with_memory
from detectors.cases import Cases, load_cases
from detectors.sigma.compiler import load_pack
from detectors.sigma.errors import InvalidRulesError
from detectors.site import DEFAULT_LISTS, Site
from detectors.trial import findings_of
from worker.settings import shipped_rules

if TYPE_CHECKING:
    from pathlib import Path

    from detectors.case_check import Subject

BASES = shipped_rules() / "bases"
RULE = """\
name: far
title: Far
logsource: {product: kubernetes, service: audit}
detection:
  a: {trailwarden.recalled.travel.distance_km|gte: 500}
  condition: a
---
title: Far away
id: 0a0a0a0a-0000-4000-8000-000000000002
correlation:
  type: event_count
  rules: [far]
  group-by: [user.name]
  timespan: 1h
  condition: {gte: 1}
trailwarden: {requires: [geoip_databases], message: '{user.name} from {origin}'}
"""
PLACES = """\
places:
  203.0.113.0/24: {city: Berlin, country: Germany, latitude: 52.5, longitude: 13.4}
  198.51.100.0/24: {country: Peru, latitude: -9, longitude: -75, radius_km: 500}
  198.51.100.7/32: {city: Berlin, country: Germany, latitude: 52.5, longitude: 13.4}
"""
CASES = """\
match:
  - name: a
    sequence:
      - {base: secret-get, set: {sourceIPs: [203.0.113.9]}}
      - {base: secret-get, set: {sourceIPs: [198.51.100.4]}}
no_match:
  - name: the narrowest network counts
    sequence:
      - {base: secret-get, set: {sourceIPs: [203.0.113.9]}}
      - {base: secret-get, set: {sourceIPs: [198.51.100.7]}}
"""


def subject(folder: Path, places: str = PLACES, site: Site | None = None) -> Subject:
    (folder / "far.yml").write_text(RULE)
    (folder / "far.cases.yml").write_text(places + CASES)
    site = site or Site()
    pack = load_pack([folder], site)
    (detection,) = with_own_cases(pack)
    return subject_of(detection, pack, site, BASES)


def test_places_wake_a_rule_and_decide_it(tmp_path: Path) -> None:
    mine = subject(tmp_path)
    assert [one.is_good for one in outcomes_of(mine)] == [True, True]
    (finding,) = findings_of(mine.pack, mine.detection, mine.cases[0], mine.site)
    assert finding.document["message"] == "trent@corp.example from 198.51.100.4 (Peru)"
    assert findings_of(mine.pack, mine.detection, mine.cases[0]) == []


def test_an_address_without_a_place_is_told_alone(tmp_path: Path) -> None:
    (tmp_path / "far.yml").write_text(RULE.replace("distance_km|gte: 500", "distance_km: null"))
    (tmp_path / "far.cases.yml").write_text(PLACES + CASES)
    pack = load_pack([tmp_path], Site({**DEFAULT_LISTS, "geoip_databases": ("a",)}))
    case = load_cases(tmp_path / "far.yml", BASES).cases[0]
    found = findings_of(pack, pack.correlations[0], case)
    assert [one.document["message"] for one in found] == ["trent@corp.example from 203.0.113.9"]


def test_cases_know_nothing_of_the_real_site(tmp_path: Path) -> None:
    real = Site({**DEFAULT_LISTS, "shared_networks": ("203.0.113.0/24",)})
    assert all(one.is_good for one in outcomes_of(subject(tmp_path, PLACES, real)))
    hidden = "lists: {shared_networks: [203.0.113.0/24]}\n" + PLACES
    assert [one.matched for one in outcomes_of(subject(tmp_path, hidden))] == [False, False]


def test_what_is_recalled_for_mutants_is_that_of_the_case_file(tmp_path: Path) -> None:
    mine = subject(tmp_path)
    column = pl.col("trailwarden.recalled.travel.distance_km")
    told = with_memory(events_of(mine.cases, mine.site)).events
    assert told.select(column.max()).item() > 5_000
    assert with_memory(events_of(mine.cases)).events.select(column.max()).item() is None


@pytest.mark.parametrize(
    ("places", "wrong"),
    [
        ("places: 7\n", "'places' must be a mapping"),
        ("places: {10.0.0.1/8: {city: a}}\n", "has host bits set"),
        ("places: {10.0.0.0/8: Berlin}\n", "a place must be a mapping"),
        ("places: {10.0.0.0/8: {town: a}}\n", "a place must be a mapping"),
        ("places: {10.0.0.0/8: {city: 7}}\n", "a place must be a mapping"),
        ("places: {10.0.0.0/8: {latitude: x}}\n", "a place must be a mapping"),
        ("places: {10.0.0.0/8: {radius_km: true}}\n", "a place must be a mapping"),
    ],
)
def test_a_wrong_place_is_refused(tmp_path: Path, places: str, wrong: str) -> None:
    with pytest.raises(InvalidRulesError) as caught:
        subject(tmp_path, places)
    assert wrong in str(caught.value)


def test_without_places_nothing_is_placed(tmp_path: Path) -> None:
    assert Cases(tmp_path, ()).site.geography is None
