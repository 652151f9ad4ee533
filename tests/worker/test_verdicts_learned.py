"""What people decide changes what a service reports next, whatever dies; and so in a replay."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from detectors.anomaly.learners import LearnedSettings
from detectors.ruleset import Ruleset
from ingest.sources.kafka import Record
from ingest.verdict import Choice, Verdict, verdict_record
from tests.detectors.anomaly.world import QUIET_MINUTES, Act, at, quiet, strange
from tests.worker.messages import canary, message
from tests.worker.over_time import ALONE, MANY, rules_in
from tests.worker.test_learned_detectors import (
    CLUSTER,
    ID,
    LATER_US,
    audit,
    lived,
    replayed,
    time_of,
)
from worker.replay_span import Span

FIRST = QUIET_MINUTES + 2
AGAIN = FIRST + 30
DECIDED = FIRST + 10
ACTS = sorted(
    [*quiet(AGAIN + 4), *strange(FIRST), *strange(AGAIN)], key=lambda act: (act.at_us, act.id)
)


def log_of(decided: tuple[str, Choice] | None) -> list[Record]:
    """Return a log in which somebody decides, hours after what they decide about was recorded."""
    before = sum(act.at_us < at(DECIDED) for act in ACTS)
    records = [record(n, n, act) for n, act in enumerate(ACTS[:before])]
    if decided:
        records.append(verdict(before, *decided))
    behind = len(records) - before
    records += [record(n + behind, n, act) for n, act in enumerate(ACTS) if n >= before]
    after = time_of(ACTS[-1].at_us + LATER_US)
    return [*records, canary(len(records), after, cluster=CLUSTER)]


def record(offset: int, number: int, act: Act) -> Record:
    return message(offset, audit(number, act), cluster=CLUSTER, received=time_of(act.at_us))


def verdict(offset: int, finding: str, choice: Choice) -> Record:
    said = Verdict(
        finding=finding,
        rule=ID,
        cluster=CLUSTER,
        verdict=choice,
        author="dana",
        time=time_of(at(DECIDED)) + timedelta(hours=7),
    )
    envelope, value = verdict_record(said)
    return Record(0, offset, value, envelope, int(envelope.received.timestamp() * 1000))


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    found = rules_in(tmp_path_factory.mktemp("rules") / "all", (MANY, ALONE))
    return replace(found, learned=LearnedSettings())


@pytest.fixture(scope="module")
def first(rules: Ruleset, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The finding that is decided about; without a verdict there is another after it."""
    strange_ones = lived(log_of(None), rules, tmp_path_factory.mktemp("store"), 0).strange
    assert len(strange_ones) == 2
    return min(strange_ones, key=lambda name: str(strange_ones[name]["@timestamp"]))


@pytest.mark.parametrize(
    ("choice", "many"), [(Choice.FALSE_POSITIVE, 1), (Choice.TRUE_POSITIVE, 2)]
)
def test_what_was_judged_false_is_not_reported_again_in_service_and_replay(
    rules: Ruleset, first: str, tmp_path: Path, choice: Choice, many: int
) -> None:
    log = log_of((first, choice))
    whole = lived(log, rules, tmp_path / "whole", 1)
    assert len(whole.strange) == many
    assert first in whole.strange
    assert whole.worker
    assert whole.worker.holdings._counts.verdicts == {choice.value: 1}
    dying = lived(log, rules, tmp_path / "dying", 2, dies=0.05)
    assert dying.kept.findings == whole.kept.findings
    _, gained = replayed(tmp_path / "whole", rules, None)
    assert gained == whole.kept.findings


@pytest.mark.parametrize(
    ("choice", "many"), [(Choice.FALSE_POSITIVE, 1), (Choice.TRUE_POSITIVE, 2)]
)
def test_a_verdict_counts_in_a_replay_of_a_part_whatever_its_clock_said(
    rules: Ruleset, first: str, tmp_path: Path, choice: Choice, many: int
) -> None:
    lived(log_of((first, choice)), rules, tmp_path, 1)
    until = time_of(ACTS[-1].at_us) + timedelta(hours=1)
    result, gained = replayed(tmp_path, rules, None, Span(end=until))
    assert sum(one["rule.id"] == ID for one in gained.values()) == many
    assert result.last is not None
    assert result.last < until
