"""The shipped rules: each matches what it must, nothing that it must not, and says what to do."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from detectors.attack import TECHNIQUES
from detectors.cases import Case, load_cases
from detectors.engine import detect
from detectors.finding import findings
from detectors.message import render
from detectors.sigma.compiler import load_rules
from detectors.sigma.rule import Category, Rule
from ingest.normalize import NormalizeSettings, normalize
from ingest.record import Records
from worker.settings import shipped_rules

RULES = {rule.file.stem: rule for rule in load_rules([shipped_rules()])}
BASES = shipped_rules() / "bases"


@cache
def cases_of(name: str) -> tuple[Case, ...]:
    return load_cases(RULES[name].file, BASES).cases


@cache
def hits_of(name: str) -> tuple[bool, ...]:
    """Which cases of a rule it matches, each as the raw record that it is."""
    raws = [case.raw for case in cases_of(name)]
    batch = normalize([Records("cases", raws, list(range(len(raws))))], NormalizeSettings("c"))
    assert not batch.refused
    records = batch.events["log.offset"]
    assert set(records) == set(range(len(raws)))
    matched = set(records[detect(batch.events, [RULES[name]])["row"]])
    return tuple(record in matched for record in range(len(raws)))


def all_cases() -> list[tuple[str, int, str]]:
    return [(name, n, case.name) for name in RULES for n, case in enumerate(cases_of(name))]


@pytest.mark.parametrize(("name", "number", "title"), all_cases())
def test_the_case_is_decided_as_it_says(name: str, number: int, title: str) -> None:
    assert hits_of(name)[number] is cases_of(name)[number].expected, title


def test_every_rule_file_has_cases_and_every_case_file_a_rule() -> None:
    files = {path for path in shipped_rules().rglob("*.yml") if "cases" not in path.suffixes[0]}
    assert {path.with_suffix(".cases.yml") for path in files} == set(
        shipped_rules().rglob("*.cases.yml")
    )
    assert {path.stem for path in files} == set(RULES)


def test_there_are_enough_rules_in_each_category() -> None:
    counted = Counter(rule.category for rule in RULES.values())
    assert len(RULES) >= 40
    assert all(counted[category] >= 8 for category in Category)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.file.stem)
def test_a_rule_tells_people_what_they_need(rule: Rule) -> None:
    assert rule.category.value == rule.file.parent.name
    assert rule.description
    assert rule.references
    assert all(reference.startswith("https://") for reference in rule.references)
    assert rule.falsepositives
    assert rule.next_steps
    assert rule.message is not None
    assert any(f"{{{part}}}" in rule.message.text for part in ("user.name", "source.ip", "place"))
    assert rule.catalogue
    assert rule.techniques
    assert all(technique in TECHNIQUES for technique in rule.techniques)
    assert len(rule.title) <= 100


def test_titles_and_messages_are_distinct() -> None:
    titles = Counter(rule.title for rule in RULES.values())
    assert titles.most_common(1)[0][1] == 1


@pytest.mark.parametrize("name", RULES)
def test_the_message_of_a_match_is_a_whole_sentence(name: str) -> None:
    rule = RULES[name]
    case = next(case for case in cases_of(name) if case.expected)
    batch = normalize([Records("cases", [case.raw], [0])], NormalizeSettings("c"))
    message = render(rule.message, rule.title, batch.events.row(0, named=True))
    assert "{" not in message
    assert "None" not in message
    assert message[0].isupper() or message[0].isalnum()
    assert message.endswith(".")


@pytest.mark.parametrize("name", RULES)
def test_a_match_becomes_a_finding_with_its_evidence(name: str) -> None:
    case = next(case for case in cases_of(name) if case.expected)
    events = normalize([Records("cases", [case.raw], [0])], NormalizeSettings("c")).events
    rules = [RULES[name]]
    (finding,) = findings(events, detect(events, rules), rules)
    assert finding.document["trailwarden.evidence.event_ids"] == events["event.id"].to_list()
    assert finding.document["rule.id"] == rules[0].id
    assert finding.document["event.kind"] == "alert"
    assert 1 <= finding.document["event.severity"] <= 100


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


@pytest.mark.parametrize("path", sorted(shipped_rules().rglob("*.yml")), ids=lambda p: p.stem)
def test_no_rule_knows_the_names_of_a_recording(path: Path) -> None:
    if ".cases" in path.name:
        return
    text = path.read_text().partition("detection:")[2].partition("falsepositives:")[0]
    assert not [word for word in RECORDED if word in text]
