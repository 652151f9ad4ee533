"""Time moves by the records alone: late events enter no window, and a canary is enough for an end.

All of it through a worker as it reads a topic.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from detectors.ruleset import Ruleset
from ingest.envelope import Format
from ingest.sources.kafka import Record
from tests.worker.messages import NOON, canary, message
from tests.worker.over_time import ALONE, MANY, SILENT, Kept, Topic, act, finish, rules_in, start

ALONE_ID, MANY_ID, SILENT_ID = (f"00000000-0000-4000-8000-{number:012}" for number in (9, 1, 3))
RECEIVED = NOON + timedelta(hours=1)


@pytest.fixture
def rules(tmp_path: Path) -> Ruleset:
    return rules_in(tmp_path / "rules", (ALONE, MANY, SILENT))


def acts(*given: tuple[float, str], cluster: str = "blue") -> list[Record]:
    return [
        message(n, act(n, *one), received=RECEIVED, cluster=cluster) for n, one in enumerate(given)
    ]


def at(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def read(folder: Path, rules: Ruleset, *records: Record, cut: int = 1) -> Kept:
    """Read messages in an order of offsets that is theirs."""
    numbered = [
        Record(0, n, one.value, one.envelope, one.stored_ms) for n, one in enumerate(records)
    ]
    kept = Kept()
    finish(start(Topic({0: numbered}), folder / "store", rules, kept, Random(cut), [0]))
    return kept


def found(kept: Kept) -> Counter[str]:
    return Counter(one["rule.id"] for one in kept.findings.values())


@pytest.mark.parametrize("cut", range(4))
def test_late_events_enter_no_window_but_rules_see_them(
    tmp_path: Path, rules: Ruleset, cut: int
) -> None:
    gets = [(float(n), "get") for n in range(3)]
    records = acts(*gets, (40.0, "list"), (4.0, "get"), (5.0, "delete"), (200.0, "list"))
    assert found(read(tmp_path, rules, *records, cut=cut)) == {ALONE_ID: 1}


@pytest.mark.parametrize("cut", range(4))
def test_events_out_of_order_by_less_enter_the_window_where_they_belong(
    tmp_path: Path, rules: Ruleset, cut: int
) -> None:
    gets = [(float(n), "get") for n in range(3)]
    records = acts(*gets, (33.0, "list"), (4.0, "get"), (200.0, "list"))
    kept = read(tmp_path, rules, *records, cut=cut)
    assert found(kept) == {MANY_ID: 1}
    (one,) = kept.findings.values()
    assert one["@timestamp"] == "2026-11-21T12:00:04.000000Z"


@pytest.mark.parametrize("cut", range(3))
def test_a_late_answer_answers_nothing(tmp_path: Path, rules: Ruleset, cut: int) -> None:
    """It came when nobody could wait for it any more."""
    records = acts((0.0, "create"), (100.0, "list"), (10.0, "delete"), (300.0, "list"))
    assert found(read(tmp_path, rules, *records, cut=cut)) == {ALONE_ID: 1, SILENT_ID: 1}


@pytest.mark.parametrize("cut", range(3))
def test_a_canary_is_enough_for_an_absence_to_be_told(
    tmp_path: Path, rules: Ruleset, cut: int
) -> None:
    (begun,) = acts((0.0, "create"))
    before = canary(1, NOON + at(80))  # 50 s to wait and 30 s of lateness: not over yet
    assert not found(read(tmp_path / "before", rules, begun, before, cut=cut))
    after = canary(1, NOON + at(80.1))
    kept = read(tmp_path / "after", rules, begun, after, cut=cut)
    assert found(kept) == {SILENT_ID: 1}
    (one,) = kept.findings.values()
    assert one["@timestamp"] == "2026-11-21T12:00:50.000000Z"


def test_a_canary_may_come_alone(tmp_path: Path, rules: Ruleset) -> None:
    """Batches of one message each: none but the canary's own tells of its time."""
    log = [*acts((0.0, "create")), canary(1, NOON + at(80.1))]
    kept = Kept()
    running = start(Topic({0: log}), tmp_path / "store", rules, kept, Random(1), [0])
    running.source.lengths = (1,)
    finish(running)
    assert found(kept) == {SILENT_ID: 1}


def test_partitions_of_one_batch_have_late_events_of_their_own(
    tmp_path: Path, rules: Ruleset
) -> None:
    in_order = acts(*((float(n), "list") for n in range(5)), (200.0, "list"))
    gets = [(float(n), "get") for n in range(3)]
    late = acts(*gets, (40.0, "list"), (4.0, "get"), (200.0, "list"), cluster="red")
    late = [Record(1, n, one.value, one.envelope) for n, one in enumerate(late)]
    kept = Kept()
    running = start(Topic({0: in_order, 1: late}), tmp_path / "store", rules, kept, Random(1))
    running.source.lengths = (30,)
    finish(running)
    assert not found(kept)


def test_a_canary_is_enough_for_an_episode_to_end(tmp_path: Path, rules: Ruleset) -> None:
    gets = acts(*((float(n), "get") for n in range(4)))
    before = read(tmp_path / "before", rules, *gets, canary(4, NOON + at(93)))
    after = read(tmp_path / "after", rules, *gets, canary(4, NOON + at(93.1)))
    (begun,), (ended,) = before.findings.values(), after.findings.values()
    assert begun["trailwarden.episode.closed"] is False
    assert ended["trailwarden.episode.closed"] is True
    assert ended["trailwarden.episode.end"] == "2026-11-21T12:00:03.000000Z"
    assert ended["trailwarden.episode.count"] == 4


def test_a_canary_that_lags_or_is_another_clusters_moves_nothing(
    tmp_path: Path, rules: Ruleset
) -> None:
    (begun,) = acts((0.0, "create"))
    others = [
        canary(1, NOON + at(600), caught_up=False),
        canary(1, NOON + at(600), cluster="red"),
        canary(1, NOON + at(600), received=NOON + at(60)),
    ]
    for number, other in enumerate(others):
        assert not found(read(tmp_path / str(number), rules, begun, other))


def test_a_silence_alarm_lets_time_pass_as_well(tmp_path: Path, rules: Ruleset) -> None:
    """A source that fell silent must not keep an absence from being told."""
    (begun,) = acts((0.0, "create"))
    told = canary(1, NOON + at(600), caught_up=False)
    alarm = message(1, told.value, received=RECEIVED, kind=Format.SILENCE)
    assert found(read(tmp_path, rules, begun, alarm)) == {SILENT_ID: 1}


def test_a_canary_makes_late_what_comes_after_it(tmp_path: Path, rules: Ruleset) -> None:
    gets = acts(*((float(n), "get") for n in range(4)), (5.0, "delete"))
    kept = read(tmp_path, rules, *gets[:3], canary(3, NOON + at(34)), *gets[3:])
    assert found(kept) == {ALONE_ID: 1}


def test_clusters_have_times_of_their_own(tmp_path: Path, rules: Ruleset) -> None:
    gets = [(float(n), "get") for n in range(4)]
    blue, red = acts(*gets), acts(*gets, cluster="red")
    ahead = acts((900.0, "list"), cluster="red")
    kept = read(tmp_path, rules, *ahead, *red, *blue, canary(9, NOON + at(40)))
    assert found(kept) == {MANY_ID: 1}
    (one,) = kept.findings.values()
    assert one["orchestrator.cluster.name"] == "blue"
