"""What every learned detector must keep to; a new one is a row of DETECTORS."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from math import isfinite
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import polars as pl
import pytest

from detectors.anomaly.learned import Learned, Learning
from detectors.anomaly.state import SavedLearned, restore, save
from detectors.anomaly.training import Training
from detectors.correlation.released import Released
from ingest.schema import DTYPES
from tests.detectors.anomaly.world import (
    ACCOUNTS,
    MINUTE_US,
    QUIET_MINUTES,
    Act,
    at,
    frame,
    hour,
    quiet,
    strange,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from models.profile.profile import Profile

LATENESS_US = 30_000_000


class Detector(Protocol):
    """A learned detector, as a worker holds it."""

    def add(
        self, events: pl.DataFrame, late: pl.Series | None = None, flagged: pl.Series | None = None
    ) -> None: ...

    def release(self, watermark: int | Mapping[str, int] | None) -> Released: ...


@dataclass(frozen=True, slots=True)
class Case:
    """How a detector is made, kept and measured."""

    make: Callable[[], Any]
    save: Callable[[Any], bytes]
    restore: Callable[[bytes, Any], bool]
    make_small: Callable[[], Any]
    rows: Callable[[Any], int]
    """Rows of what it remembers, and of how many it may at most."""
    limit: int


SMALL = 300


def _load(data: bytes, detector: Learned) -> bool:
    return restore(msgspec.msgpack.decode(data, type=SavedLearned), detector)


def _rows(detector: Learned) -> int:
    held = (len(detector.counts), detector.pending.height, detector.waiting.height)
    return max(*held, len(detector.runs.open))


@cache
def _model() -> Profile:
    """Return what the hour before taught of both clusters."""
    training = Training(tried_from_us=at(0))
    for cluster in ("c", "d"):
        before = [replace(act, at_us=act.at_us - 60 * MINUTE_US) for act in quiet(50, 5, cluster)]
        training.add(frame(before))
    return training.profile(at(-10))


DETECTORS = {
    "learned": Case(
        Learned,
        lambda detector: msgspec.msgpack.encode(save(detector)),
        _load,
        lambda: Learned(Learning(limit_rows=SMALL, limit_waiting=SMALL, limit_runs=SMALL)),
        _rows,
        SMALL,
    ),
    "learned, begun with a model": Case(
        lambda: Learned(begin=_model()),
        lambda detector: msgspec.msgpack.encode(save(detector)),
        _load,
        lambda: Learned(
            Learning(limit_rows=SMALL, limit_waiting=SMALL, limit_runs=SMALL), begin=_model()
        ),
        _rows,
        SMALL,
    ),
    "learned, five minutes at once": Case(
        lambda: Learned(Learning(hold_ticks=5)),
        lambda detector: msgspec.msgpack.encode(save(detector)),
        _load,
        lambda: Learned(Learning(limit_rows=SMALL, limit_waiting=SMALL, hold_ticks=5)),
        _rows,
        SMALL,
    ),
}


@pytest.fixture(params=DETECTORS)
def case(request: pytest.FixtureRequest) -> Case:
    return DETECTORS[request.param]


def run(detector: Detector, batches: Sequence[Sequence[Act]], *, end: bool = True) -> Released:
    """Feed batches as a worker does; the watermark lags behind the newest by the lateness."""
    out = Released()
    newest = 0
    for batch in batches:
        detector.add(frame(batch))
        newest = max([newest, *(act.at_us for act in batch)])
        out.extend(detector.release(newest - LATENESS_US))
    if end:
        out.extend(detector.release(None))
    return out


def cut(acts: Sequence[Act], size: int) -> list[Sequence[Act]]:
    return [acts[start : start + size] for start in range(0, len(acts), size)]


def told(released: Released) -> list[dict[str, Any]]:
    assert set(released.received) == {finding.id for finding in released.findings}
    return [finding.document for finding in released.findings]


def ends(released: Released) -> list[Any]:
    return sorted(msgspec.structs.astuple(one) for one in released.closed)


def test_nothing_in_nothing_out(case: Case) -> None:
    detector = case.make()
    detector.add(frame([]))
    assert not detector.release(None)
    assert not detector.release(at(5))
    assert case.rows(detector) == 0


def test_what_is_strange_is_found_and_named(case: Case) -> None:
    (found,) = told(run(case.make(), cut(hour(), 400)))
    assert found["user.name"] == ACCOUNTS[0]
    assert found["rule.category"] == "cluster-control"
    assert found["threat.technique.id"]
    assert set(found["trailwarden.evidence.event_ids"]) == {act.id for act in strange()}
    assert found["trailwarden.anomaly.reasons"]
    assert 0 < found["trailwarden.anomaly.tail_probability"] < 0.01
    assert ACCOUNTS[0] in found["message"]
    assert found["message"].endswith(".")


def test_ordinary_work_is_not_reported(case: Case) -> None:
    assert told(run(case.make(), cut(quiet(QUIET_MINUTES + 6), 400))) == []


@pytest.mark.parametrize("size", [1_200, 97, 5_000])
def test_how_records_are_cut_changes_nothing(case: Case, size: int) -> None:
    wanted = run(case.make(), cut(hour(), 400))
    found = run(case.make(), cut(hour(), size))
    assert told(found) == told(wanted)
    assert ends(found) == ends(wanted)


def test_order_of_arrival_within_the_lateness_changes_nothing(case: Case) -> None:
    chance = Random(3)
    arrived = sorted(hour(), key=lambda act: act.at_us + chance.randrange(LATENESS_US))
    wanted = run(case.make(), cut(hour(), 400))
    found = run(case.make(), cut(arrived, 400))
    assert told(found) == told(wanted)
    assert ends(found) == ends(wanted)


def test_the_order_of_rows_changes_nothing(case: Case) -> None:
    batches = cut(hour(), 400)
    shuffled = [Random(n).sample(batch, len(batch)) for n, batch in enumerate(batches)]
    assert told(run(case.make(), shuffled)) == told(run(case.make(), batches))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.93, 0.97])
def test_a_restart_in_the_middle_changes_nothing(case: Case, share: float) -> None:
    batches = cut(hour(), 100)
    place = int(len(batches) * share)
    whole = case.make()
    wanted = run(whole, batches, end=False)
    first, second = case.make(), case.make()
    found = run(first, batches[:place], end=False)
    kept = case.save(first)
    assert case.restore(kept, second)
    assert case.save(second) == kept
    found.extend(run(second, batches[place:], end=False))
    assert case.save(second) == case.save(whole)
    for released, detector in ((wanted, whole), (found, second)):
        released.extend(detector.release(None))
    assert told(wanted)
    assert told(found) == told(wanted)
    assert ends(found) == ends(wanted)


def test_the_same_gives_the_same_ids(case: Case) -> None:
    first, second = (run(case.make(), cut(hour(), 400)) for _ in range(2))
    assert [one.id for one in first.findings] == [one.id for one in second.findings] != []


def test_clusters_do_not_know_of_each_other(case: Case) -> None:
    both = sorted([*hour("c"), *hour("d")], key=lambda act: (act.at_us, act.id))
    alone = [told(run(case.make(), cut(hour(name), 400)))[0] for name in ("c", "d")]
    together = told(run(case.make(), cut(both, 700)))
    assert sorted(together, key=lambda one: str(one["orchestrator.cluster.name"])) == alone


def test_a_cluster_waits_for_its_own_watermark(case: Case) -> None:
    detector = case.make()
    detector.add(frame(hour()))
    assert not detector.release({"another": at(500)}).findings
    assert detector.release({"c": at(500)}).findings


def test_scores_are_finite_and_higher_is_stranger(case: Case) -> None:
    scores = []
    for many in (3, 4, 6):
        acts = [*quiet(QUIET_MINUTES), *strange(many=many)]
        (found,) = told(run(case.make(), cut(acts, 400)))
        scores.append(found["trailwarden.anomaly.score"])
    assert all(isfinite(score) for score in scores)
    assert scores == sorted(scores)
    assert len(set(scores)) == len(scores)


def test_columns_may_be_empty(case: Case) -> None:
    nothing: dict[str, list[Any]] = {name: [None] * 3 for name in DTYPES}
    timed = {
        "event.dataset": ["kubernetes.audit"] * 3,
        "@timestamp": frame(quiet(1)[:3])["@timestamp"].to_list(),
        "event.id": ["", None, "not hexadecimal"],
    }
    detector = case.make()
    detector.add(pl.DataFrame(nothing, DTYPES))
    detector.add(pl.DataFrame(nothing | timed, DTYPES))
    detector.add(frame(quiet(12)))
    released = detector.release(None)
    assert not released.findings


def test_memory_is_bounded(case: Case) -> None:
    chance = Random(5)
    detector = case.make_small()
    for minute in range(12):
        acts = [
            Act(at(minute + n / 300), f"user-{chance.random()}", "get", f"kind-{chance.random()}")
            for n in range(200)
        ]
        detector.add(frame(acts))
        detector.release(at(minute + 1))
        assert case.rows(detector) <= case.limit
    assert len(case.save(detector)) < 400_000


def test_late_events_enter_nothing(case: Case) -> None:
    batch = frame([*quiet(3), *strange(1.5)])
    late = pl.Series([False] * len(quiet(3)) + [True] * len(strange()))
    detector, without = case.make(), case.make()
    detector.add(batch, late)
    without.add(frame(quiet(3)))
    assert case.save(detector) == case.save(without)


def test_a_minute_is_scored_once_it_is_over(case: Case) -> None:
    acts = hour()
    detector = case.make()
    detector.add(frame(acts))
    first = min(act.at_us for act in strange())
    assert not detector.release(first // MINUTE_US * MINUTE_US).findings
    assert detector.release(first + 10 * MINUTE_US).findings
