"""What people decide about findings: what becomes normal, what stays out, and from when on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from detectors.anomaly.decisions import MOST_DUE, Decisions
from detectors.anomaly.detector import UNUSUAL_IDENTITY
from detectors.anomaly.learned import Learned, Learning
from detectors.anomaly.verdicts import (
    ACCEPTED_DAYS,
    DISTRUSTED_DAYS,
    HELD_DAYS,
    Verdicts,
)
from detectors.entities.facts import facts_of
from ingest.verdict import Choice
from models.profile.action_key import sightings
from models.profile.counts import NEW_A_DAY, Counts
from models.profile.observed import OBSERVED, digest
from tests.detectors.anomaly.judged import Line, Said, batch_of, folded, judged
from tests.detectors.anomaly.world import (
    ACCOUNTS,
    QUIET_MINUTES,
    Act,
    at,
    frame,
    quiet,
    strange,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST = QUIET_MINUTES + 2
AGAIN = FIRST + 30
DAY_TICKS = 1_440
WHO = digest(f"c\x1f{ACCOUNTS[0]}")
LOG = [*quiet(AGAIN + 4), *strange(FIRST), *strange(AGAIN)]
ACCEPTING = (Choice.FALSE_POSITIVE, Choice.BENIGN)
OTHERS = (Choice.TRUE_POSITIVE, Choice.UNSURE)


def in_order(acts: Sequence[Act]) -> list[Line]:
    ordered = sorted(acts, key=lambda act: (act.at_us, act.id))
    return list(ordered)


def first_finding() -> str:
    return folded(in_order([*quiet(FIRST + 3), *strange(FIRST)])).findings[0].id


FINDING = first_finding()


def placed(log: Sequence[Line], *verdicts: tuple[float, Said]) -> list[Line]:
    """Put verdicts into a log, each behind the events before a minute."""
    lines = list(log)
    for minute, said in reversed(verdicts):
        later = (
            n for n, one in enumerate(lines) if isinstance(one, Act) and one.at_us >= at(minute)
        )
        lines.insert(next(later), said)
    return lines


def told(lines: Sequence[Line], detector: Learned | None = None) -> list[str]:
    """Return the minutes of the findings, as numbers after the log's beginning."""
    found = folded(list(lines), detector=detector).findings
    return [f"{(one.order[0] - at(0)) // 60_000_000}" for one in found]


def counted(detector: Learned, value: str) -> int:
    return detector.counts.rows.filter(pl.col("value") == digest(value)).height


def test_what_nobody_decided_about_is_reported_again() -> None:
    assert told(in_order(LOG)) == [f"{FIRST}", f"{AGAIN}"]


@pytest.mark.parametrize("choice", Choice)
def test_what_was_accepted_is_learned_and_not_reported_again(choice: Choice) -> None:
    detector = Learned()
    found = told(placed(in_order(LOG), (FIRST + 8, Said(FINDING, choice))), detector)
    assert found == ([f"{FIRST}"] if choice in ACCEPTING else [f"{FIRST}", f"{AGAIN}"])
    assert (counted(detector, "list secrets") > 0) is (choice in ACCEPTING)
    assert detector.verdicts.counted == {choice.value: 1}


@pytest.mark.parametrize("at_us", [at(-500_000), at(FIRST), at(500_000)])
def test_the_clock_of_whoever_decides_changes_nothing(at_us: int) -> None:
    said = Said(FINDING, Choice.BENIGN, at_us)
    assert told(placed(in_order(LOG), (FIRST + 8, said))) == [f"{FIRST}"]


def test_it_takes_effect_after_its_place_and_not_before() -> None:
    log = in_order(LOG)
    behind = placed(log, (AGAIN + 2, Said(FINDING, Choice.BENIGN)))
    assert told(behind) == [f"{FIRST}", f"{AGAIN}"]
    before_it_was_known = placed(log, (FIRST - 20, Said(FINDING, Choice.BENIGN)))
    detector = Learned()
    assert told(before_it_was_known, detector) == [f"{FIRST}", f"{AGAIN}"]
    assert detector.verdicts.counted == {"unknown": 1}


def test_a_verdict_is_of_its_cluster() -> None:
    said = Said(FINDING, Choice.BENIGN, cluster="d")
    detector = Learned()
    lines = placed(in_order([*LOG, *quiet(AGAIN + 4, cluster="d")]), (FIRST + 8, said))
    assert told(lines, detector) == [f"{FIRST}", f"{AGAIN}"]
    assert detector.verdicts.counted == {"unknown": 1}


def test_another_identity_and_other_acts_are_still_reported() -> None:
    other = [replace(act, user=ACCOUNTS[4]) for act in strange(AGAIN)]
    new = [replace(act, resource=f"odd-{n}") for n, act in enumerate(strange(AGAIN))]
    for acts in (other, new):
        log = in_order([*quiet(AGAIN + 4), *strange(FIRST), *acts])
        found = told(placed(log, (FIRST + 8, Said(FINDING, Choice.BENIGN))))
        assert found == [f"{FIRST}", f"{AGAIN}"]


def test_what_is_strange_after_an_accepting_verdict_is_a_finding_of_its_own() -> None:
    """Nine minutes later it would go on with the run that was accepted, and nobody be told."""
    soon = FIRST + 9
    new = [replace(act, resource=f"odd-{n}") for n, act in enumerate(strange(soon))]
    log = in_order([*quiet(soon + 4), *strange(FIRST), *new])
    assert told(log) == [f"{FIRST}"]
    found = folded(placed(log, (FIRST + 2, Said(FINDING, Choice.BENIGN))))
    assert len({one.id for one in found.findings}) == 2
    assert sorted(one.finding for one in found.closed) == sorted(one.id for one in found.findings)


@pytest.mark.parametrize("other", OTHERS)
def test_a_later_verdict_takes_the_place_of_the_one_before(other: Choice) -> None:
    third = AGAIN + 30
    log = in_order([*quiet(third + 4), *strange(FIRST), *strange(AGAIN), *strange(third)])
    accepting, another = Said(FINDING, Choice.BENIGN), Said(FINDING, other)
    given = placed(log, (FIRST + 8, another), (AGAIN + 8, accepting))
    detector = Learned()
    assert told(given, detector) == [f"{FIRST}", f"{AGAIN}"]
    assert not detector.verdicts.distrusted
    told(placed(log, (FIRST + 8, accepting), (AGAIN + 8, another)), taken_back := Learned())
    assert taken_back.verdicts.accepted.is_empty()
    assert bool(taken_back.verdicts.distrusted) is (other is Choice.TRUE_POSITIVE)


@pytest.mark.parametrize("choice", [*Choice, None])
def test_what_was_accepted_is_no_reason_even_where_it_may_not_be_learned(
    choice: Choice | None,
) -> None:
    """A rule fires each time, so that nothing of it is ever learned."""
    flagged = pl.Series([act.id for act in (*strange(FIRST), *strange(AGAIN))], dtype=pl.String)
    log = in_order(LOG)
    detector = Learned()
    lines = placed(log, (FIRST + 8, Said(FINDING, choice))) if choice else log
    detector.add(batch_of(lines), flagged=flagged)
    found = detector.release(None).findings
    assert len(found) == (1 if choice in ACCEPTING else 2)
    assert counted(detector, "list secrets") == 0


def test_what_was_learned_is_not_learned_twice() -> None:
    log, said = in_order(LOG), Said(FINDING, Choice.BENIGN)
    verdicts = [
        (FIRST + 8.0, said),
        (FIRST + 9.0, Said(FINDING, Choice.UNSURE)),
        (FIRST + 10.0, said),
    ]
    once, twice = Learned(), Learned()
    assert told(placed(log, verdicts[0]), once) == told(placed(log, *verdicts), twice)
    acts = pl.col("value") == digest("list secrets")
    kept = ["context", "events"]
    assert (
        once.counts.rows.filter(acts)[kept]
        .sort(kept)
        .equals(twice.counts.rows.filter(acts)[kept].sort(kept))
    )


def test_of_whom_a_true_positive_is_nothing_is_learned_for_a_week() -> None:
    detector = Learned()
    told(placed(in_order(LOG), (FIRST + 8, Said(FINDING, Choice.TRUE_POSITIVE))), detector)
    (distrust,) = detector.verdicts.distrusted.values()
    assert distrust.who == [WHO]
    assert (
        distrust.until == (at(FIRST + 7) // 60_000_000 // 5 + 1) * 5 + DISTRUSTED_DAYS * DAY_TICKS
    )
    assert WHO not in detector.waiting["who"]
    free = Learned()
    told(placed(in_order(LOG), (FIRST + 8, Said(FINDING, Choice.UNSURE))), free)
    assert WHO in free.waiting["who"]


def test_a_verdict_teaches_no_faster_than_work_does() -> None:
    """An identity that is known learns so many new acts a day, whoever says that they are good."""
    many = NEW_A_DAY + 15
    odd = strange(FIRST)[0]
    acts = [replace(odd, at_us=odd.at_us + n, resource=f"odd-{n}") for n in range(many)]
    log = in_order([*quiet(AGAIN + 4), *acts])
    (finding,) = folded(list(log)).findings
    detector = Learned(Learning())
    detector.learning = replace(
        detector.learning, known=replace(detector.learning.known, events=20)
    )
    assert told(placed(log, (FIRST + 8, Said(finding.id, Choice.BENIGN))), detector) == [f"{FIRST}"]
    values = pl.Series([digest(f"exec odd-{n}") for n in range(many)], dtype=pl.UInt64)
    own = detector.counts.rows.filter(pl.col("value").is_in(values.implode()))
    weights = (
        own.group_by("context")
        .agg(pl.col("weight").round(3))
        .filter(pl.col("weight").list.len() > 1)
    )
    least = weights.select(pl.col("weight").list.unique().list.len().max()).item()
    assert least == 2


# -- rules ---------------------------------------------------------------------------------------


def ruled(*verdicts: Said) -> Learned:
    """An odd act that a rule found, and what was decided about the rule's finding."""
    detector = Learned(Learning(findings_a_day=1e-100))
    flagged = pl.Series([act.id for act in strange(FIRST)], dtype=pl.String)
    log = in_order([*quiet(AGAIN), *strange(FIRST)])
    lines = placed(log, *((FIRST + 8.0, one) for one in verdicts))
    detector.add(batch_of(lines), flagged=flagged)
    assert not detector.release(at(1_000)).findings
    return detector


def of_rule(choice: Choice, many: int = 6) -> Said:
    ids = tuple(act.id for act in strange(FIRST)[:many])
    return Said("f" * 32, choice, rule="some-rule", events=ids)


@pytest.mark.parametrize("choice", Choice)
def test_what_a_rule_flagged_is_learned_if_it_was_accepted(choice: Choice) -> None:
    detector = ruled(of_rule(choice))
    assert (counted(detector, "list secrets") > 0) is (choice in ACCEPTING)
    assert bool(detector.verdicts.distrusted) is (choice is Choice.TRUE_POSITIVE)
    assert detector.verdicts.accepted.is_empty()


def test_only_the_events_of_a_rules_finding_are_learned_and_once() -> None:
    detector = ruled(of_rule(Choice.BENIGN, 2), of_rule(Choice.BENIGN, 2))
    assert counted(detector, "exec pods") > 0
    assert counted(detector, "list secrets") > 0
    assert counted(detector, "delete namespaces") == 0
    seen = detector.counts.rows.filter(pl.col("value") == digest("list secrets"))
    assert seen["events"].to_list() == [1] * seen.height


def test_a_profiles_finding_lets_nothing_in_that_a_rule_flagged() -> None:
    detector = Learned()
    odd = strange(FIRST)
    flagged = pl.Series([odd[1].id], dtype=pl.String)
    log = placed(in_order(LOG), (FIRST + 8, Said(FINDING, Choice.BENIGN, events=(odd[1].id,))))
    detector.add(batch_of(log), flagged=flagged)
    assert detector.release(None).findings
    assert counted(detector, "exec pods") > 0
    assert detector.verdicts.held.is_empty() is False
    held = detector.counts.rows.filter(pl.col("value") == digest("list secrets"))
    assert set(held["last"]) <= {at(AGAIN) // 60_000_000}


# -- bounds and times ----------------------------------------------------------------------------


def observation(tick: int, **values: Any) -> pl.DataFrame:
    given = dict.fromkeys(OBSERVED.names(), 1) | {"cluster": digest("c"), "tick": tick} | values
    return pl.DataFrame([given], schema=OBSERVED, orient="row")


def holding(tick: int) -> Verdicts:
    """A finding of one minute, and a verdict on it."""
    verdicts = Verdicts()
    seen = observation(tick)
    minute = seen.select("cluster", "tick", "who").with_columns(pl.lit("a" * 32).alias("finding"))
    verdicts.hold(seen, seen, minute)
    return verdicts


def decided(verdicts: Verdicts, choice: Choice, tick: int) -> list[str]:
    act = Act(tick * 60_000_000 - 1)
    verdicts.add(batch_of([act, Said("a" * 32, choice)]))
    return verdicts.take(pl.Series([digest("c")], dtype=pl.UInt64), tick, Counts(), 200)


@pytest.mark.parametrize(("days", "found"), [(HELD_DAYS, ["a" * 32]), (HELD_DAYS + 1, [])])
def test_what_was_held_back_is_held_for_a_month(days: int, found: list[str]) -> None:
    begin = 30_000_000
    verdicts = holding(begin)
    assert decided(verdicts, Choice.BENIGN, begin + days * DAY_TICKS) == found
    assert verdicts.counted == {"benign" if found else "unknown": 1}


def test_what_was_accepted_is_strange_again_when_it_was_not_done_for_long() -> None:
    begin = 30_000_000
    verdicts = holding(begin)
    decided(verdicts, Choice.BENIGN, begin + 5)
    rare, clusters = observation(begin), pl.Series([digest("c")], dtype=pl.UInt64)
    used = begin + 5 + (ACCEPTED_DAYS - 1) * DAY_TICKS
    for tick, left in ((used, 0), (used + DAY_TICKS * 2, 0), (used + DAY_TICKS * 93, 1)):
        verdicts.take(clusters, tick, Counts(), 200)
        assert verdicts.reasons(rare, tick).height == left


def test_trust_returns_after_a_week() -> None:
    begin = 30_000_000
    verdicts = holding(begin)
    decided(verdicts, Choice.TRUE_POSITIVE, begin + 5)
    seen = observation(begin)
    end = begin + 5 + DISTRUSTED_DAYS * DAY_TICKS
    assert verdicts.kept_out(seen, seen.clear(), end - 5).height == 1
    assert verdicts.kept_out(seen, seen.clear(), end).is_empty()
    verdicts.take(pl.Series([digest("c")], dtype=pl.UInt64), end, Counts(), 200)
    assert not verdicts.distrusted


def test_what_is_held_is_bounded_the_oldest_go_first() -> None:
    verdicts = Verdicts(limit_rows=3)
    for tick in range(5):
        seen = pl.concat([observation(tick), observation(tick, cluster=digest("d"))])
        minutes = seen.select("cluster", "tick", "who").with_columns(pl.lit("a").alias("finding"))
        verdicts.hold(seen, seen, minutes)
    assert sorted(verdicts.held["tick"]) == [2, 2, 3, 3, 4, 4]
    acts = [Act(at(n), number=n) for n in range(8)]
    verdicts.add(frame(acts), flagged=pl.Series([act.id for act in acts]))
    verdicts.take(pl.Series([digest("c")]), at(6) // 60_000_000, Counts(), 200)
    assert sorted(verdicts.flagged["tick"] - at(0) // 60_000_000) == [3, 4, 5, 6, 7]
    assert verdicts.dropped == {"verdicts.held": 4, "verdicts.flagged": 3}


def test_decisions_that_wait_are_bounded() -> None:
    one = judged(Said("a" * 32, Choice.BENIGN))
    decisions = Decisions()
    decisions.add(pl.concat([one] * (MOST_DUE + 2)))
    assert len(decisions.due) == MOST_DUE
    assert decisions.evicted["decisions"] == 2


def test_a_verdict_is_no_activity_of_anybody() -> None:
    one = judged(Said(FINDING, Choice.BENIGN))
    assert sightings(one).is_empty()
    assert facts_of(one).is_empty()
    detector = Learned()
    detector.add(one)
    assert detector.pending.is_empty()
    assert not detector.release(None)
    assert not detector.verdicts.decisions.newest_us


def test_people_are_told_apart_by_the_rule_that_the_verdict_names() -> None:
    """Evidence of a profile's finding that rules flagged too is not let in by the profile's."""
    said = replace(of_rule(Choice.BENIGN), rule=UNUSUAL_IDENTITY.id)
    assert counted(ruled(said), "list secrets") == 0
