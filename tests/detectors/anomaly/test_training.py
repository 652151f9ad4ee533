"""What training knows is what the detector would know: a service goes on where training ended."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import msgspec
import pytest

from detectors.anomaly.decisions import VERDICT_COLUMNS
from detectors.anomaly.learned import Learned, Learning
from detectors.anomaly.state import save
from detectors.anomaly.training import AT_ONCE, FOR_DAYS, TRAINING_COLUMNS, Training
from models.profile.profile_tables import PROFILE_TABLES, from_tables, to_tables
from tests.detectors.anomaly.world import (
    ACCOUNTS,
    QUIET_MINUTES,
    Act,
    at,
    frame,
    hour,
    quiet,
    strange,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.profile.profile import Profile

END = at(40)
"""On the boundary of a span, so that nothing waits to be learned."""


def learned(acts: Sequence[Act], end_us: int, size: int = 10_000) -> Profile:
    training = Training(tried_from_us=end_us)
    for start in range(0, len(acts), size):
        training.add(frame(acts[start : start + size]).select(TRAINING_COLUMNS))
    return training.profile(end_us)


@cache
def earlier() -> list[Act]:
    return [act for act in hour() if act.at_us < END]


@cache
def later() -> list[Act]:
    return [act for act in hour() if act.at_us >= END]


@cache
def profile() -> Profile:
    return learned(earlier(), END)


def test_a_detector_goes_on_where_training_ended() -> None:
    """Trained on the first part and fed the second: the state and findings of one run."""
    whole, begun = Learned(), Learned(begin=profile())
    whole.add(frame(hour()))
    begun.add(frame(later()))
    for detector in (whole, begun):
        detector.release(at(50))
    assert save(begun) == save(whole)
    found = [detector.release(None) for detector in (whole, begun)]
    documents = [[one.document for one in released.findings] for released in found]
    assert documents[0] == documents[1] != []
    assert documents[0][0]["user.name"] == ACCOUNTS[0]


@pytest.mark.parametrize("size", [97, 1_000])
def test_how_training_is_cut_changes_nothing(size: int) -> None:
    wanted, found = to_tables(profile()), to_tables(learned(earlier(), END, size))
    assert all(wanted[name].equals(found[name]) for name in PROFILE_TABLES)


def test_tables_hold_all_of_a_profile() -> None:
    days = [*quiet(50), *_next_days(quiet(30, seed=9), 1), *_next_days(quiet(30, seed=11), 2)]
    known = learned(days, at(2 * 1_440 + 30))
    assert not known.clusters[next(iter(known.clusters))].shown.is_empty()
    tables = to_tables(known)
    again = to_tables(from_tables(tables))
    assert all(tables[name].equals(again[name]) for name in PROFILE_TABLES)
    first, second = (Learned(begin=one) for one in (known, from_tables(tables)))
    for detector in (first, second):
        detector.add(frame(_next_days(quiet(5), 3)))
        detector.release(None)
    assert msgspec.msgpack.encode(save(first)) == msgspec.msgpack.encode(save(second))


def _next_days(acts: Sequence[Act], days: int) -> list[Act]:
    return [replace(act, at_us=act.at_us + days * 86_400_000_000) for act in acts]


def test_what_was_learned_already_is_not_learned_again() -> None:
    begun, fresh = Learned(begin=profile()), Learned(begin=profile())
    begun.add(frame(hour()))
    fresh.add(frame(later()))
    for detector in (begun, fresh):
        detector.release(None)
    assert begun.evicted["late"] > 0
    assert fresh.evicted["late"] == 0
    assert begun.counts.save() == fresh.counts.save()


def test_each_cluster_begins_with_its_own() -> None:
    """And one that the model does not know with nothing."""
    both = sorted([*hour("c"), *hour("d")], key=lambda act: (act.at_us, act.id))
    known = learned([act for act in both if act.at_us < END], END)
    assert sorted(one.name for one in known.clusters.values()) == ["c", "d"]
    detector = Learned(begin=known)
    detector.add(frame(_elsewhere(later(), "e")))
    detector.release(None)
    assert sorted(detector.clusters.values()) == ["e"]
    assert detector.evicted["late"] == 0
    detector.add(frame(_elsewhere(later(), "d")))
    alone = Learned(begin=learned([act for act in earlier() if act.cluster == "c"], END))
    alone.add(frame(later()))
    assert len(detector.release(None).findings) == len(alone.release(None).findings) == 1


def _elsewhere(acts: Sequence[Act], cluster: str) -> list[Act]:
    return [replace(act, cluster=cluster) for act in acts]


def test_two_detectors_share_a_model_and_nothing_else() -> None:
    """Its calibration is one's own: what one counts, the other does not."""
    before = to_tables(profile())
    first, second = Learned(begin=profile()), Learned(begin=profile())
    first.add(frame(later()))
    first.release(None)
    second.add(frame(later()[:1]))
    (cluster,) = second.clusters
    assert second.calibrations[cluster].sorted() == profile().clusters[cluster].calibration
    assert all(before[name].equals(table) for name, table in to_tables(profile()).items())


def test_the_end_of_the_time_is_tried_before_it_is_learned() -> None:
    acts = [*quiet(QUIET_MINUTES + 6), *strange()]
    training = Training(tried_from_us=at(QUIET_MINUTES), learning=Learning())
    training.add(frame(sorted(acts, key=lambda act: act.at_us)))
    end_us = at(QUIET_MINUTES + 6)
    training.profile(end_us)
    tried = training.tried(end_us)
    assert tried.findings == 1
    assert tried.events == len([act for act in acts if act.at_us >= at(QUIET_MINUTES)])
    assert tried.findings_a_day == pytest.approx(1_440 / 6)
    assert tried.highest_score > 50
    assert Training(at(0)).tried(at(10)).metrics()["held_out_findings"] == 0


def test_nothing_of_an_api_server_is_nothing_to_know() -> None:
    training = Training(at(0))
    training.add(frame([]))
    assert not training.profile(at(10)).clusters


def test_what_people_decided_is_read_with_the_events() -> None:
    assert set(VERDICT_COLUMNS) <= set(TRAINING_COLUMNS)


def test_after_days_an_identity_is_known_as_a_service_knows_it() -> None:
    """Of many events, and of a day: else its peers decide, and more is normal for it."""
    acts = sorted([*quiet(110), *strange(105)], key=lambda act: act.at_us)
    found = []
    for learning in (AT_ONCE, FOR_DAYS):
        training = Training(at(0), learning)
        training.add(frame(acts))
        training.profile(at(110))
        found.append(training.tried(at(110)).highest_score)
    assert found[0] > found[1] > 0
