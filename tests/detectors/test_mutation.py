"""A mutant survives exactly where no case holds the condition in place."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.case_check import subject_of, with_own_cases
from detectors.case_events import events_of
from detectors.engine import detect
from detectors.mutation import Mutant, Turn, conditions, holds, mutants_of, truths_of
from detectors.mutation_over_time import (
    _is_noticed,
    _plan,
    _rows,
    _trial,
    changes,
    mutants_over_time,
)
from detectors.sigma.compiler import load_pack
from detectors.sigma.correlation import Correlation
from detectors.sigma.rule import Rule
from detectors.site import Site
from trailwarden.rule_words import words_of
from worker.settings import shipped_rules

COMMUNITY = Path(__file__).parent / "sigma" / "community"
BASES = COMMUNITY / "bases"

RULE = """\
title: A rule
id: 0a0a0a0a-0000-4000-8000-000000000001
logsource: {product: kubernetes}
detection:
  act: {verb: [create, delete], objectRef.resource: secrets}
  filter_system: {user.username|startswith: 'system:'}
  filter_ci: {user.username: ci}
  condition: act and not 1 of filter_*
"""
MATCH = "match:\n  - {name: a, base: request, set: {verb: create, objectRef.resource: secrets}}\n"


def mutants(folder: Path, rule: str, cases: str) -> list[Mutant]:
    file = folder / "rule.yml"
    file.write_text(rule)
    file.with_name("rule.cases.yml").write_text(cases)
    pack = load_pack([file])
    (detection,) = with_own_cases(pack)
    subject = subject_of(detection, pack, Site(), BASES)
    found = events_of(subject.cases)
    if isinstance(detection, Rule):
        return list(mutants_of(detection.tree, words_of(detection), found))
    return list(mutants_over_time(detection, pack, words_of, found))


def survivors(folder: Path, rule: str, cases: str) -> list[str]:
    return [one.what for one in mutants(folder, rule, cases) if not one.noticed]


def test_cases_that_hold_every_condition_in_place_leave_no_survivor(tmp_path: Path) -> None:
    cases = MATCH + (
        "no_match:\n"
        "  - {name: b, base: request, set: {verb: get, objectRef.resource: secrets}}\n"
        "  - {name: c, base: request, set: {verb: create}}\n"
        "  - {name: d, base: request, set: {verb: create, objectRef.resource: secrets,"
        " user.username: 'system:x'}}\n"
        "  - {name: e, base: request, set: {verb: create, objectRef.resource: secrets,"
        " user.username: ci}}\n"
    )
    found = mutants(tmp_path, RULE, cases)
    assert [one.what for one in found if not one.noticed] == []
    assert [one.turn for one in found] == [
        Turn.GROUP,  # act
        Turn.TEST,
        Turn.TEST,
        Turn.GROUP,  # 1 of filter_*
        Turn.TEST,
        Turn.TEST,
    ]


def test_a_filter_that_would_not_be_missed_is_noticed_by_what_it_lets_through(
    tmp_path: Path,
) -> None:
    """Turned round it swallows the match: one case that matches is enough for a filter."""
    assert survivors(tmp_path, RULE, MATCH + "no_match: [{name: b, base: request}]\n") == []


def test_alternatives_that_no_case_needs_survive(tmp_path: Path) -> None:
    rule = RULE.replace("act and not 1 of filter_*", "act and (filter_system or filter_ci)")
    match = MATCH.replace("secrets}", "secrets, user.username: 'system:x'}")
    cases = match + "no_match:\n  - {name: b, base: request, set: {user.username: 'system:y'}}\n"
    assert survivors(tmp_path, rule, cases) == ["filter_ci: user.name is 'ci' (line 7)"]


def test_the_log_source_and_the_whole_are_no_conditions(tmp_path: Path) -> None:
    rule = RULE.replace("act and not 1 of filter_*", "act or (filter_system and filter_ci)")
    (tmp_path / "rule.yml").write_text(rule)
    (loaded,) = load_pack([tmp_path / "rule.yml"]).rules
    whole, *_ = loaded.tree.parts[1:]  # type: ignore[union-attr]  # it is an And
    found = list(conditions(loaded.tree, {}))
    assert whole not in [one.part for one in found]
    assert loaded.tree.parts[0] not in [one.part for one in found]  # type: ignore[union-attr]
    assert [one.turn for one in found] == [
        Turn.GROUP,
        *[Turn.TEST] * 2,
        Turn.GROUP,
        *[Turn.TEST] * 2,
    ]


def test_a_selection_that_is_named_twice_is_turned_in_both_places(tmp_path: Path) -> None:
    rule = RULE.replace(
        "act and not 1 of filter_*", "(act and filter_ci) or (act and filter_system)"
    )
    (tmp_path / "rule.yml").write_text(rule)
    (loaded,) = load_pack([tmp_path / "rule.yml"]).rules
    parts = [one.part for one in conditions(loaded.tree, words_of(loaded))]
    assert len(parts) == len({id(part) for part in parts})


def test_a_tree_on_bits_holds_where_the_engine_says() -> None:
    pack = load_pack([shipped_rules()])
    for name in ("role-widened-by-hand", "miner-running", "anonymous-request-allowed"):
        rule = next(one for one in pack.rules if one.file.stem == name)
        cases = subject_of(rule, pack, Site(), shipped_rules() / "bases").cases
        found = events_of(cases)
        every = (1 << found.events.height) - 1
        bits = holds(rule.tree, truths_of(rule.tree, found.events), every)
        rows = [row for row in range(found.events.height) if bits >> row & 1]
        assert rows == detect(found.events, [rule])["row"].to_list()
        assert rows


BURST = """\
title: deleted
name: deleted
logsource: {product: kubernetes}
detection:
  act: {verb: delete}
  condition: act
---
title: A burst
id: 0a0a0a0a-0000-4000-8000-000000000002
correlation:
  type: event_count
  rules: [deleted]
  group-by: [user.username, objectRef.resource]
  timespan: 1m
  condition: {gte: 3}
"""


def sequence(name: str, *items: str) -> str:
    return f"  - {{name: {name}, sequence: [{', '.join(items)}]}}\n"


THREE = "{base: request, times: 3, set: {verb: delete}}"
TWO = "{base: request, times: 2, set: {verb: delete}}"
ANOTHER = "{base: request, set: {verb: delete, user.username: eve}}"


def test_each_number_and_column_of_a_correlation_is_moved_or_left_out(tmp_path: Path) -> None:
    loose = "match:\n" + sequence("a", THREE, THREE) + "no_match:\n" + sequence("b", ANOTHER)
    assert survivors(tmp_path, BURST, loose) == [
        "gte 3 moved to 4",
        "gte 3 moved to 2",
        "group-by user.name left out",
        "group-by orchestrator.resource.type left out",
    ]


def test_cases_at_the_bound_and_of_two_groups_hold_them_in_place(tmp_path: Path) -> None:
    other_kind = "{base: request, set: {verb: delete, objectRef.resource: pods}}"
    tight = (
        "match:\n"
        + sequence("a", THREE)
        + "no_match:\n"
        + sequence("b", TWO, ANOTHER)
        + sequence("c", TWO, other_kind)
    )
    found = mutants(tmp_path, BURST, tight)
    assert [one for one in found if not one.noticed] == []
    assert [one.turn for one in found] == [
        Turn.TEST,
        Turn.BOUND,
        Turn.BOUND,
        Turn.GROUP_BY,
        Turn.GROUP_BY,
    ]
    assert found[0].what == "deleted: act: kubernetes.audit.verb is 'delete' (line 5)"


def test_a_bound_that_one_event_meets_is_only_moved_to_where_it_makes_a_difference(
    tmp_path: Path,
) -> None:
    """A window is looked at when an event enters it: at least none is at least one."""
    once = BURST.replace("gte: 3", "gte: 1")
    found = mutants(
        tmp_path,
        once,
        "match:\n" + sequence("a", ANOTHER) + "no_match:\n" + sequence("b", "{base: request}"),
    )
    bounds = [one for one in found if one.turn is Turn.BOUND]
    assert [(one.what, one.noticed) for one in bounds] == [("gte 1 moved to 2", True)]


def test_what_is_not_changed_is_noticed_by_no_case() -> None:
    """Folding all cases at once, each in clusters of its own, says what a trial of each says."""
    pack = load_pack([COMMUNITY])
    for correlation in pack.correlations:
        if correlation.id in pack.silent:
            continue
        cases = subject_of(correlation, pack, Site(), BASES).cases
        trial = _trial(correlation, pack, events_of(cases))
        usual = {rule.id: _rows(trial, rule, None) for rule in trial.rules}
        assert not _is_noticed(trial, _plan(trial, trial.below), usual)
        assert _is_noticed(trial, _plan(trial, trial.below), dict.fromkeys(usual, 0))


def test_the_cases_of_the_community_rules_hold_nearly_everything_in_place() -> None:
    """All but one bound, which no sequence can tell: a count passes three on its way to four."""
    pack = load_pack([COMMUNITY])
    lost = []
    for detection in with_own_cases(pack):
        subject = subject_of(detection, pack, Site(), BASES)
        found = events_of(subject.cases)
        if isinstance(detection, Correlation):
            all_of = mutants_over_time(detection, pack, words_of, found)
        else:
            all_of = mutants_of(detection.tree, words_of(detection), found)
        assert all_of
        lost += [one.what for one in all_of if not one.noticed]
    assert lost == ["lte 3 moved to 4"]


@pytest.fixture
def expression() -> Correlation:
    return next(
        one for one in load_pack([COMMUNITY]).correlations if one.file.stem == "temporal_expression"
    )


def test_a_base_left_out_counts_as_fulfilled_in_the_expression(expression: Correlation) -> None:
    """deletes and (grants or reads_secret) is {0, 1} or {0, 2}."""
    assert set(expression.expression) == {frozenset({0, 1}), frozenset({0, 2})}
    found = {what: one for turn, what, one in changes(expression) if turn is Turn.BASE}
    without = found["base grants left out"]
    assert [base.name for base in without.bases] == ["deletes", "reads_secret"]
    assert set(without.expression) == {frozenset({0}), frozenset({0, 1})}


def test_the_only_base_is_never_left_out() -> None:
    one = next(c for c in load_pack([COMMUNITY]).correlations if c.file.stem == "event_count")
    assert Turn.BASE not in {turn for turn, _, _ in changes(one)}
