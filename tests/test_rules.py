"""The shipped rules: each matches what it must, nothing that it must not, and says what to do."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from detectors.attack import TECHNIQUES
from detectors.cases import Case, Cases, load_cases
from detectors.sigma.compiler import load_pack
from detectors.sigma.pack import Detection, Pack
from detectors.sigma.rule import Category, Rule
from detectors.sigma.strict_yaml import Mapping, parse_all, plain
from detectors.site import DEFAULT_LISTS, Site
from detectors.trial import findings_of, verdicts
from worker.settings import shipped_rules

EVASIONS = range(1, 21)
"""Numbers in the list of known evasions, docs/rules.md."""


def main_detections(pack: Pack) -> dict[str, Detection]:
    """What each file is about, by its stem: its correlation, where it has one."""
    found: dict[str, Detection] = {}
    for detection in (*pack.rules, *pack.correlations, *pack.waiting):
        found[detection.file.stem] = detection
    return found


PACK = load_pack([shipped_rules()])
DETECTIONS = main_detections(PACK)
BY_ID: dict[str, Detection] = {rule.id: rule for rule in PACK.rules}
BY_ID |= {one.id: one for one in (*PACK.correlations, *PACK.waiting)}
BASES = shipped_rules() / "bases"


@cache
def cases_file_of(name: str) -> Cases:
    return load_cases(DETECTIONS[name].file, BASES)


def cases_of(name: str) -> tuple[Case, ...]:
    return cases_file_of(name).cases


@cache
def in_its_pack(name: str) -> tuple[Pack, Detection]:
    """A detection, and the pack under the site lists that its cases are about."""
    lists = cases_file_of(name).lists
    if not lists:
        return PACK, DETECTIONS[name]
    assert set(lists) <= set(DEFAULT_LISTS), f"{name}.cases.yml has lists that no site has"
    pack = load_pack(files_of(DETECTIONS[name]), Site({**DEFAULT_LISTS, **lists}))
    return pack, main_detections(pack)[name]


def files_of(detection: Detection) -> set[Path]:
    """The files of a detection and of all that it builds on."""
    below = [] if isinstance(detection, Rule) else [base.id for base in detection.bases]
    return {detection.file}.union(*(files_of(BY_ID[one]) for one in below if one in BY_ID))


@cache
def verdicts_of(name: str) -> list[bool]:
    """Which cases a detection matches, each as the raw records that it is."""
    return verdicts(*in_its_pack(name), cases_of(name), cases_file_of(name).site)


def all_cases() -> list[tuple[str, int, str]]:
    return [(name, n, case.name) for name in DETECTIONS for n, case in enumerate(cases_of(name))]


@pytest.mark.parametrize(("name", "number", "title"), all_cases())
def test_the_case_is_decided_as_it_says(name: str, number: int, title: str) -> None:
    assert verdicts_of(name)[number] is cases_of(name)[number].expected, title


def test_every_rule_file_has_cases_and_every_case_file_a_rule() -> None:
    files = {path for path in shipped_rules().rglob("*.yml") if "cases" not in path.suffixes[0]}
    assert {path.with_suffix(".cases.yml") for path in files} == set(
        shipped_rules().rglob("*.cases.yml")
    )
    assert sorted(path.stem for path in files) == sorted(DETECTIONS)


@pytest.mark.parametrize("name", DETECTIONS)
def test_a_rule_that_waits_for_a_site_list_has_cases_with_one(name: str) -> None:
    waiting = {one.id for one in in_its_pack(name)[0].waiting}
    assert DETECTIONS[name].id not in waiting, "its case file needs `lists: {name: [values]}`"


def test_there_are_enough_rules_in_each_category() -> None:
    counted = Counter(detection.category for detection in DETECTIONS.values())
    assert len(DETECTIONS) >= 40
    assert all(counted[category] >= 8 for category in Category)


@pytest.mark.parametrize("name", DETECTIONS)
def test_a_rule_tells_people_what_they_need(name: str) -> None:
    detection = DETECTIONS[name]
    assert detection.category.value == detection.file.parent.name
    assert detection.description
    assert detection.references
    assert all(reference.startswith("https://") for reference in detection.references)
    assert detection.falsepositives
    assert detection.next_steps
    assert detection.message is not None
    named = detection.message.text
    assert any(f"{{{part}}}" in named for part in ("user.name", "source.ip", "place"))
    assert detection.catalogue
    assert detection.techniques
    assert all(technique in TECHNIQUES for technique in detection.techniques)
    assert len(detection.title) <= 100


def test_titles_and_messages_are_distinct() -> None:
    titles = Counter(detection.title for detection in DETECTIONS.values())
    assert titles.most_common(1)[0][1] == 1


def test_no_shipped_detection_is_silenced_by_another() -> None:
    """What a correlation joins in its own file is silent; what has a file of its own reports."""
    assert not {detection.id for detection in DETECTIONS.values()} & PACK.silent


def test_all_that_a_correlation_joins_is_there() -> None:
    there = {rule.id for rule in PACK.rules} | {one.id for one in PACK.correlations}
    joined = [base for correlation in PACK.correlations for base in correlation.bases]
    assert not [base.name for base in joined if base.id not in there]


def first_match(name: str) -> Case:
    return next(case for case in cases_of(name) if case.expected)


@pytest.mark.parametrize("name", DETECTIONS)
def test_the_message_of_a_match_is_a_whole_sentence(name: str) -> None:
    found = findings_of(*in_its_pack(name), first_match(name), cases_file_of(name).site)
    message = found[0].document["message"]
    assert "{" not in message
    assert "None" not in message
    assert message[0].isupper() or message[0].isalnum()
    assert message.endswith(".")


@pytest.mark.parametrize("name", DETECTIONS)
def test_a_match_becomes_a_finding_with_its_evidence(name: str) -> None:
    found = findings_of(*in_its_pack(name), first_match(name), cases_file_of(name).site)
    document = found[0].document
    assert document["trailwarden.evidence.event_ids"]
    assert all(len(event) == 32 for event in document["trailwarden.evidence.event_ids"])
    assert document["rule.id"] == DETECTIONS[name].id
    assert document["event.kind"] == "alert"
    assert 1 <= document["event.severity"] <= 100


@pytest.mark.parametrize("name", DETECTIONS)
def test_evasions_are_those_of_the_list(name: str) -> None:
    assert all(case.evasion is None or case.evasion in EVASIONS for case in cases_of(name))


# Names, addresses and domains of the recording: a rule that needs them is cheating.
RECORDED = (
    "corp.example",
    "127.",
    "mallory",
    "trent",
    "alice",
    "203.0.113",
    "198.51.100",
    "argocd",
)


# What Argo CD itself calls its labels and service accounts, wherever it runs.
PUBLIC = ("argocd.argoproj.io", "argocd-")


@pytest.mark.parametrize("path", sorted(shipped_rules().rglob("*.yml")), ids=lambda p: p.stem)
def test_no_rule_knows_the_names_of_a_recording(path: Path) -> None:
    if ".cases" in path.name:
        return
    for document in parse_all(path.read_bytes()):
        assert isinstance(document, Mapping)
        sections = (document.get(key) for key in ("detection", "correlation"))
        text = " ".join(str(plain(section)) for section in sections if section)
        assert text
        for name in PUBLIC:
            text = text.replace(name, "")
        assert not [word for word in RECORDED if word in text]
