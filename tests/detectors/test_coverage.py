"""Coverage counts what rules say of themselves, and says why what is missing is missing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from detectors.attack import REPLACED_BY, TECHNIQUES
from detectors.catalogue import CATALOGUE, GEOGRAPHY, MEMORY, UNWRITTEN
from detectors.coverage import Coverage, coverage_of, sources_of
from detectors.navigator import navigator_layer
from detectors.sigma.compiler import load_pack
from detectors.sigma.rule import Category, Level
from detectors.threat_matrix import MATRIX
from trailwarden.coverage_markdown import coverage_lines
from worker.settings import shipped_rules

RULE = """\
title: {title}
id: 0a0a0a0a-0000-4000-8000-0000000000{number:02}
logsource: {source}
detection:
  a: {{user.name: x}}
  condition: a
level: {level}
tags: [{tags}]
references: [{reference}]
trailwarden: {{category: abnormal-login, catalogue: [{catalogue}]{more}}}
"""
PAGE = "https://microsoft.github.io/Threat-Matrix-for-Kubernetes/techniques/Network%20mapping/"


def write(folder: Path, number: int, **said: str) -> None:
    usual = {
        "title": f"Rule {number}",
        "source": "{product: kubernetes, service: audit}",
        "level": "high",
        "tags": "attack.t1610",
        "reference": "https://example.org/",
        "catalogue": "B05",
        "more": "",
    }
    (folder / f"{number}.yml").write_text(RULE.format(number=number, **usual | said))


@pytest.fixture
def coverage(tmp_path: Path) -> Coverage:
    write(tmp_path, 1)
    write(tmp_path, 2, tags="attack.t1685, attack.t1562.001, attack.t9999", catalogue="C13, B05")
    write(tmp_path, 3, source="{product: linux, service: sshd}", level="low", reference=PAGE)
    write(tmp_path, 4, catalogue="B12", more=", requires: [trusted_registries]")
    return coverage_of(load_pack([tmp_path]))


def titles(found: object, key: str) -> list[str]:
    for one, detections in found:  # type: ignore[attr-defined]
        if getattr(one, "id", one) == key:
            return [detection.title for detection in detections]
    raise AssertionError(key)


def test_the_catalogue_has_its_168_detections() -> None:
    assert Counter(name[0] for name in CATALOGUE) == {"A": 28, "B": 34, "C": 25, "D": 30, "R": 51}
    assert all(entry.title and entry.without_rule for entry in CATALOGUE.values())
    assert CATALOGUE["A14"].without_rule == MEMORY
    assert CATALOGUE["A11"].without_rule == GEOGRAPHY
    assert CATALOGUE["D25"].without_rule == UNWRITTEN


def test_the_matrix_has_its_40_techniques_and_names_detections_that_exist() -> None:
    assert len(MATRIX) == 40
    assert [one.id for one in MATRIX] == sorted({one.id for one in MATRIX})
    assert "MS-TA9032" not in {one.id for one in MATRIX}
    assert all(name in CATALOGUE for one in MATRIX for name in one.catalogue)
    assert all(one.tactics for one in MATRIX)


def test_catalogue_and_techniques_are_counted_by_what_rules_say(coverage: Coverage) -> None:
    assert titles(coverage.catalogue, "B05") == ["Rule 1", "Rule 2", "Rule 3"]
    assert titles(coverage.catalogue, "A01") == []
    assert titles(coverage.techniques, "T1610") == ["Rule 1", "Rule 3", "Rule 4"]
    assert titles(coverage.unknown_techniques, "T9999") == ["Rule 2"]


def test_what_a_learned_detector_finds_is_covered_by_it(coverage: Coverage) -> None:
    one = "5f0c6f5e-7a0d-4b7b-9d35-0f6f6b1c4e21"
    assert {name: detector.id for name, detector in coverage.learned.items()} == {
        "A12": one,
        "A28": one,
    }
    page = "\n".join(coverage_lines(coverage))
    for name in ("A12", "A28"):
        (row,) = (line for line in page.splitlines() if line.startswith(f"| {name} |"))
        assert row.endswith(f"Unusual behaviour of an identity (learned, `{one}`) |")
    (family,) = (line for line in page.splitlines() if line.startswith("### A: "))
    assert family.endswith("(2 of 28)")


def test_the_matrix_is_counted_by_catalogue_ids_and_by_pages_that_rules_name(
    coverage: Coverage,
) -> None:
    assert titles(coverage.matrix, "MS-TA9015") == ["Rule 2"]
    assert titles(coverage.matrix, "MS-TA9031") == ["Rule 3"]


def test_what_waits_for_a_list_counts_and_is_told(coverage: Coverage) -> None:
    assert titles(coverage.catalogue, "B12") == ["Rule 4"]
    assert list(coverage.waiting.values()) == ["trusted_registries"]


def test_categories_and_sources_are_counted(coverage: Coverage) -> None:
    assert coverage.categories[Category.ABNORMAL_LOGIN][Level.HIGH] == 3
    assert coverage.categories[Category.ABNORMAL_LOGIN][Level.LOW] == 1
    found = {name: len(detections) for name, detections in coverage.sources.items()}
    assert found == {"kubernetes audit": 3, "linux sshd": 1}


def test_a_correlation_has_the_sources_of_what_it_joins() -> None:
    pack = load_pack([Path(__file__).parent / "sigma" / "community"])
    chain = next(one for one in pack.correlations if one.title == "Refusals Then A Secret")
    assert sources_of(chain, pack) == ("kubernetes audit",)


def test_every_id_that_a_shipped_rule_names_is_of_the_catalogue() -> None:
    named = {name for one in load_pack([shipped_rules()]).reporting for name in one.catalogue}
    assert named <= set(CATALOGUE)


# What format 4.5 asks for, as its page says (detectors/navigator.py names it).
REQUIRED = {"name", "domain"}
KNOWN = REQUIRED | {
    "versions",
    "description",
    "customDataURL",
    "filters",
    "sorting",
    "layout",
    "hideDisabled",
    "techniques",
    "gradient",
    "legendItems",
    "showTacticRowBackground",
    "tacticRowBackground",
    "selectTechniquesAcrossTactics",
    "selectSubtechniquesWithParent",
    "selectVisibleTechniques",
    "metadata",
    "links",
}
OF_TECHNIQUE = {
    "techniqueID": str,
    "score": int,
    "comment": str,
    "enabled": bool,
    "showSubtechniques": bool,
    "links": list,
}


def test_the_layer_is_one_of_format_4_5(coverage: Coverage) -> None:
    layer = navigator_layer(coverage, "x")
    assert set(layer) <= KNOWN
    assert set(layer) >= REQUIRED
    assert layer["domain"] == "enterprise-attack"
    assert layer["versions"]["layer"] == "4.5"
    assert tuple(map(int, layer["versions"]["navigator"].split("."))) >= (4, 9, 0)
    assert len(layer["gradient"]["colors"]) >= 2
    assert layer["gradient"]["maxValue"] > layer["gradient"]["minValue"]
    assert set(layer["layout"]) <= {
        "layout",
        "showID",
        "showName",
        "showAggregateScores",
        "countUnscored",
        "aggregateFunction",
        "expandedSubtechniques",
    }
    for technique in layer["techniques"]:
        assert {name: type(value) for name, value in technique.items()} == OF_TECHNIQUE
        for link in technique["links"]:
            assert set(link) == {"label", "url"}
            assert link["url"].startswith("https://")
    assert all(set(item) == {"label", "color"} for item in layer["legendItems"])


def test_a_technique_scores_by_its_detections_and_new_ids_count_for_old(coverage: Coverage) -> None:
    layer = navigator_layer(coverage, "x")
    scores = {one["techniqueID"]: one["score"] for one in layer["techniques"]}
    assert scores == {"T1562": 1, "T1562.001": 1, "T1610": 3, "T9999": 1}
    assert not set(scores) & set(REPLACED_BY.values())
    parent = next(one for one in layer["techniques"] if one["techniqueID"] == "T1562")
    assert parent["showSubtechniques"]


def test_a_pack_without_rules_is_still_a_layer() -> None:
    layer = navigator_layer(coverage_of(load_pack([])), "nothing")
    assert layer["techniques"] == []
    assert layer["gradient"]["maxValue"] > layer["gradient"]["minValue"]


def test_the_page_names_every_entry_and_why_one_is_missing(coverage: Coverage) -> None:
    page = "\n".join(coverage_lines(coverage))
    assert all(f"| {name} | " in page for name in CATALOGUE)
    assert all(f"| {one.id} | " in page for one in MATRIX)
    assert f"| A14 | {CATALOGUE['A14'].title} | {MEMORY} |" in page
    assert "4 detections, 0 of them over time;\n1 wait for a site list." in page
    assert all(line.count("|") >= 3 for line in page.splitlines() if line.startswith("|"))
    assert [name for name in TECHNIQUES if f"[{name}]" in page] == ["T1562.001", "T1610", "T1685"]
