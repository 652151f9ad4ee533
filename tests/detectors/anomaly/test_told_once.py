"""In a service the same is told once, nothing is told at first, and a run has an end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import polars as pl
import pytest

from detectors.anomaly.learned import Learned, Learning
from detectors.anomaly.runs import GAP_TICKS, MOST_TICKS
from detectors.anomaly.spans import LONG_SPAN_TICKS, SPAN_TICKS
from detectors.anomaly.state import SavedLearned, restore, save
from ingest.verdict import Choice
from models.profile.action_key import DAY_TICKS
from models.profile.observed import digest
from tests.detectors.anomaly.judged import Said, batch_of
from tests.detectors.anomaly.world import ACCOUNTS, QUIET_MINUTES, Act, at, frame, quiet, strange

if TYPE_CHECKING:
    from detectors.correlation.released import Released

FIRST = QUIET_MINUTES + 2
AGAIN = FIRST + GAP_TICKS + 5
ONCE = Learning(told_ticks=DAY_TICKS)


def found(acts: list[Act], learning: Learning = ONCE) -> Released:
    detector = Learned(learning)
    detector.add(frame(acts))
    return detector.release(None)


def moved(minute: float) -> list[Act]:
    """The same credential, some days later: other acts, and from yet another place."""
    acts = strange(minute)
    kinds = ("delete", "patch", "impersonate", "watch", "proxy", "bind")
    return [
        replace(act, action=kind, address="198.51.100.9", namespace="team-9")
        for act, kind in zip(acts, kinds, strict=True)
    ]


def test_the_same_again_is_not_told_twice_and_something_else_is() -> None:
    ordinary = quiet(QUIET_MINUTES + 30)
    same = found([*ordinary, *strange(FIRST), *strange(AGAIN)])
    other = found([*ordinary, *strange(FIRST), *moved(AGAIN)])
    assert len(same.findings) == 1
    assert len(other.findings) == 2
    assert len(found([*ordinary, *strange(FIRST), *strange(AGAIN)], Learning()).findings) == 2


def test_what_is_not_told_again_is_not_learned_either() -> None:
    detector = Learned(ONCE)
    acts = [*quiet(QUIET_MINUTES + 40), *strange(FIRST), *strange(AGAIN)]
    detector.add(frame(acts))
    assert len(detector.release(at(1_000)).findings) == 1
    rows = detector.counts.rows
    assert rows.filter(pl.col("value") == digest("list secrets")).is_empty()
    assert not rows.filter(pl.col("value") == digest("get pods")).is_empty()


def test_the_reasons_are_those_that_are_news() -> None:
    acts = [*quiet(QUIET_MINUTES + 30), *strange(FIRST, 3), *strange(AGAIN, 3), *moved(AGAIN)]
    first, second = found(acts).findings
    assert "192.0.2.0/24" in str(first.document["trailwarden.anomaly.reasons"])
    assert "192.0.2.0/24" not in str(second.document["trailwarden.anomaly.reasons"])
    assert "namespace team-#" in str(second.document["trailwarden.anomaly.reasons"])


def test_a_restart_forgets_nothing_that_was_told() -> None:
    first, second = Learned(ONCE), Learned(ONCE)
    first.add(frame([*quiet(QUIET_MINUTES + 30), *strange(FIRST), *strange(AGAIN)]))
    assert len(first.release(at(FIRST + GAP_TICKS + 2)).findings) == 1
    kept = msgspec.msgpack.encode(save(first))
    assert restore(msgspec.msgpack.decode(kept, type=SavedLearned), second)
    assert msgspec.msgpack.encode(save(second)) == kept
    assert not second.release(None).findings


@pytest.mark.parametrize(("silent", "findings"), [(0, 1), (FIRST + 60, 0)])
def test_nothing_is_told_in_the_silent_time(silent: int, findings: int) -> None:
    acts = [*quiet(QUIET_MINUTES + 6), *strange(FIRST)]
    assert len(found(acts, Learning(silent_ticks=silent)).findings) == findings


def test_a_run_ends_after_an_hour_however_long_it_goes_on() -> None:
    acts = list(quiet(QUIET_MINUTES + 80))
    for minute in range(0, MOST_TICKS + 2, 4):
        acts += strange(FIRST + minute)
    out = found(acts, Learning())
    assert len(out.findings) == 2
    assert out.findings[1].order[0] == at(FIRST + MOST_TICKS)


def test_spans_are_long_once_a_cluster_is_known_for_a_day() -> None:
    """And a day is a whole number of them, as it is of the short ones."""
    assert DAY_TICKS % LONG_SPAN_TICKS == DAY_TICKS % SPAN_TICKS == 0
    assert LONG_SPAN_TICKS % SPAN_TICKS == 0
    held = []
    for day in (0, 2):
        detector = Learned()
        detector.add(frame(quiet(2)))
        start = day * DAY_TICKS
        later = [replace(act, at_us=act.at_us + at(start) - at(0)) for act in quiet(9)]
        detector.add(frame(later))
        detector.release(at(start + 9))
        held.append(detector.waiting["tick"].n_unique())
    assert held == [4, 9]


def test_what_stays_strange_is_counted_for_the_next_threshold() -> None:
    """Else the scores of a noisy cluster would end right below its threshold."""
    detector = Learned(Learning())
    detector.add(frame([*quiet(QUIET_MINUTES + 6), *strange(FIRST)]))
    (one,) = detector.release(None).findings
    score = int(one.document["trailwarden.anomaly.score"])
    (calibration,) = detector.calibrations.values()
    assert calibration.today[score] == 1
    assert one.document["user.name"] == ACCOUNTS[0]


@pytest.mark.parametrize(("choice", "findings"), [(Choice.TRUE_POSITIVE, 2), (Choice.UNSURE, 1)])
def test_an_attack_that_people_confirmed_is_told_each_time(choice: Choice, findings: int) -> None:
    detector = Learned(ONCE)
    first = [*quiet(QUIET_MINUTES + 6), *strange(FIRST)]
    detector.add(frame(first))
    (one,) = detector.release(at(FIRST + GAP_TICKS + 2)).findings
    detector.add(batch_of([Said(one.id, choice), *strange(AGAIN + 10)]))
    assert 1 + len(detector.release(None).findings) == findings


@pytest.mark.parametrize("size", [90, 1_300])
def test_how_records_are_cut_changes_nothing(size: int) -> None:
    """Also not what is told for the second time, in the same minute as what is new."""
    odd = [*strange(FIRST), *strange(AGAIN), *moved(AGAIN), *moved(AGAIN + 1)]
    acts = sorted([*quiet(QUIET_MINUTES + 20), *odd], key=lambda act: (act.at_us, act.id))
    cuts = []
    for many in (len(acts), size):
        detector, out = Learned(ONCE), []
        for start in range(0, len(acts), many):
            detector.add(frame(acts[start : start + many]))
            newest = max(act.at_us for act in acts[: start + many])
            out += detector.release(newest - 30_000_000).findings
        out += detector.release(None).findings
        cuts.append([one.document for one in out])
    assert cuts[0] == cuts[1]
    assert len(cuts[0]) == 2
