"""Which detection a case file is for, with which lists, and how its cases come out."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from detectors.case_check import has_cases, outcomes_of, subject_of, with_own_cases
from detectors.case_events import TrialError, end_us, events_of
from detectors.cases import Case
from detectors.sigma.compiler import load_pack
from detectors.sigma.errors import InvalidRulesError
from detectors.site import DEFAULT_LISTS, Site

COMMUNITY = Path(__file__).parent / "sigma" / "community"
BASES = COMMUNITY / "bases"

RULE = """\
title: A rule
id: 0a0a0a0a-0000-4000-8000-000000000001
logsource: {product: kubernetes}
detection:
  a: {user.username|expand: '%admin_identities%'}
  condition: a
trailwarden: {requires: [admin_identities]}
"""
CASES = """\
lists: {admin_identities: [root]}
match: [{name: a, base: request, set: {user.username: root}}]
no_match: [{name: b, base: request}]
"""
JOINS = """\
title: Often
id: 0a0a0a0a-0000-4000-8000-000000000002
correlation:
  type: event_count
  rules: [0a0a0a0a-0000-4000-8000-000000000001]
  group-by: [user.username]
  timespan: 1m
  condition: {gte: 2}
"""
TWICE = """\
lists: {admin_identities: [root]}
match: [{name: a, sequence: [{base: request, times: 2, set: {user.username: root}}]}]
no_match: [{name: b, sequence: [{base: request, set: {user.username: root}}]}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "one.yml").write_text(RULE)
    (tmp_path / "one.cases.yml").write_text(CASES)
    (tmp_path / "two.yml").write_text(JOINS)
    (tmp_path / "two.cases.yml").write_text(TWICE)
    return tmp_path


def test_each_file_has_one_detection_with_cases_the_one_that_others_serve() -> None:
    pack = load_pack([COMMUNITY])
    mine = with_own_cases(pack)
    assert len({one.file for one in mine}) == len(mine) == len(list(COMMUNITY.glob("*.cases.yml")))
    assert all(map(has_cases, mine))
    titles = {one.title for one in mine}
    assert "Refusals Then A Secret" in titles
    assert "many_denied" not in titles


def test_the_lists_of_the_cases_wake_a_rule_that_waits(folder: Path) -> None:
    pack = load_pack([folder])
    assert not pack.rules
    for detection in with_own_cases(pack):
        subject = subject_of(detection, pack, Site(), BASES)
        assert [one.is_good for one in outcomes_of(subject)] == [True, True]
        assert [one.matched for one in outcomes_of(subject)] == [True, False]


def test_the_lists_of_the_cases_take_the_place_of_the_sites_own(folder: Path) -> None:
    site = Site(dict(DEFAULT_LISTS) | {"admin_identities": ("dana@corp.example",)})
    pack = load_pack([folder], site)
    (rule,) = pack.rules
    assert all(one.is_good for one in outcomes_of(subject_of(rule, pack, site, BASES)))


def test_a_case_that_comes_out_otherwise_is_told(folder: Path) -> None:
    cases = folder / "one.cases.yml"
    cases.write_text(
        CASES.replace(
            "name: b, base: request", "name: b, base: request, set: {user.username: ROOT}"
        )
    )
    pack = load_pack([folder])
    subject = subject_of(with_own_cases(pack)[0], pack, Site(), BASES)
    assert [(one.case.name, one.is_good) for one in outcomes_of(subject)] == [
        ("a", True),
        ("b", False),
    ]


def test_a_case_file_that_is_refused_says_so(folder: Path) -> None:
    (folder / "one.cases.yml").write_text("match: []\n")
    pack = load_pack([folder])
    with pytest.raises(InvalidRulesError):
        subject_of(with_own_cases(pack)[0], pack, Site(), BASES)


@pytest.fixture
def cases() -> tuple[Case, ...]:
    pack = load_pack([COMMUNITY / "event_count.yml"])
    (detection,) = with_own_cases(pack)
    return subject_of(detection, pack, Site(), BASES).cases


def test_events_of_cases_stay_apart(cases: tuple[Case, ...]) -> None:
    found = events_of(cases)
    assert [len(rows) for rows in found.rows] == [len(case.records) for case in cases]
    assert sorted(row for rows in found.rows for row in rows) == list(range(found.events.height))
    last = found.of(len(cases) - 1)
    assert set(last["user.name"]) == {"dana@corp.example", "eve"}
    times = found.of(0)["@timestamp"]
    assert times.is_sorted()


def test_a_case_without_an_event_cannot_be_tried(cases: tuple[Case, ...]) -> None:
    broken = replace(cases[0], records=(replace(cases[0].records[0], raw=b"{"),))
    with pytest.raises(TrialError, match="five within a minute"):
        events_of([broken])


def test_a_case_is_watched_from_its_last_record_on(cases: tuple[Case, ...]) -> None:
    assert end_us(cases[0]) is None
    watched = replace(cases[0], watch_us=1_000_000)
    last = events_of([watched]).events["@timestamp"].dt.truncate("1s").max()
    assert end_us(watched) == int(last.timestamp() * 1_000_000) + 1_000_000  # type: ignore[union-attr]


def test_the_folder_of_cases_may_be_anywhere(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "records"
    shutil.copytree(BASES, elsewhere)
    pack = load_pack([folder / "one.yml"])
    assert subject_of(with_own_cases(pack)[0], pack, Site(), elsewhere).cases
