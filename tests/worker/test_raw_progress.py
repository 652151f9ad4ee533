"""The time that all partitions of `raw` have passed, and who holds it up."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from sinks.signals import Passed
from worker.partition import QUIET_US
from worker.raw_progress import RawProgress, SavedProgress

DAY_US = 86_400_000_000


def passed(
    number: int, at_us: int | None, *, is_whole: bool = True, sent_us: int = 0, of: int = 2
) -> Passed:
    return Passed(number, of, None if at_us is None else DAY_US + at_us, is_whole, sent_us)


def heard(*messages: Passed) -> RawProgress:
    progress = RawProgress()
    for message in messages:
        progress.hear(message)
    return progress


def test_nothing_is_known_at_first() -> None:
    assert (RawProgress().watermark_us, RawProgress().missing()) == (0, [])


def test_it_is_the_least_of_all_and_waits_for_those_who_never_spoke() -> None:
    progress = heard(passed(0, 50, of=3), passed(2, 40, of=3))
    assert (progress.watermark_us, progress.missing()) == (0, [1])
    progress.hear(passed(1, 45, of=3))
    assert (progress.watermark_us, progress.missing()) == (DAY_US + 40, [])
    progress.hear(passed(2, 60, of=3))
    assert progress.watermark_us == DAY_US + 45


def test_it_never_goes_back() -> None:
    """One that lost its partition, or began again, speaks of the past."""
    progress = heard(passed(0, 50), passed(1, 50))
    progress.hear(passed(1, 20))
    progress.hear(passed(0, 60))
    assert progress.watermark_us == DAY_US + 50
    assert progress.heard[1].watermark_us == DAY_US + 50


def test_a_partition_without_a_cluster_holds_nothing_once_it_was_read_to_its_end() -> None:
    progress = heard(passed(0, 50), passed(1, None, is_whole=False))
    assert progress.watermark_us == 0
    progress.hear(passed(1, None, sent_us=1))
    assert progress.watermark_us == DAY_US + 50


def test_nobody_has_a_cluster() -> None:
    assert heard(passed(0, None), passed(1, None)).watermark_us == 0


@pytest.mark.parametrize(
    ("behind_us", "is_whole", "holds"),
    [
        (QUIET_US, True, True),
        (QUIET_US + 1, True, False),
        (QUIET_US + 1, False, True),
        (DAY_US // 2, True, False),
    ],
)
def test_a_quiet_partition_holds_nothing_unless_it_was_not_read_to_its_end(
    behind_us: int, *, is_whole: bool, holds: bool
) -> None:
    progress = heard(passed(0, 0), passed(1, -behind_us, is_whole=is_whole))
    assert progress.watermark_us == DAY_US - (behind_us if holds else 0)
    assert progress.missing() == []


def test_a_partition_that_nobody_speaks_for_any_more_holds_time_and_is_named() -> None:
    """Its last word was that there is nothing; that says nothing of today."""
    progress = heard(passed(0, 0), passed(1, 0))
    later_us = QUIET_US + 1
    progress.hear(passed(0, later_us, sent_us=QUIET_US))
    assert (progress.missing(), progress.watermark_us) == ([], DAY_US + later_us)
    progress = heard(passed(0, 0), passed(1, 0))
    progress.hear(passed(0, later_us, sent_us=later_us))
    assert (progress.missing(), progress.watermark_us) == ([1], DAY_US)
    progress.hear(passed(1, 0, sent_us=later_us))
    assert (progress.missing(), progress.watermark_us) == ([], DAY_US + later_us)


def test_partitions_that_were_added_are_waited_for() -> None:
    progress = heard(passed(0, 50), passed(1, 50), passed(0, 90, of=4))
    assert (progress.watermark_us, progress.missing()) == (DAY_US + 50, [2, 3])


def test_it_goes_on_as_it_was_saved() -> None:
    random = Random(4)
    messages = [
        passed(
            random.randrange(4),
            random.choice([None, random.randrange(QUIET_US * 3)]),
            is_whole=random.random() < 0.5,
            sent_us=random.randrange(QUIET_US * 3),
            of=4,
        )
        for _ in range(200)
    ]
    whole = RawProgress()
    cut = RawProgress()
    for message in messages:
        whole.hear(message)
        data = msgspec.msgpack.encode(cut.save())
        cut = RawProgress.restore(msgspec.msgpack.decode(data, type=SavedProgress))
        cut.hear(message)
        assert (cut.watermark_us, cut.missing()) == (whole.watermark_us, whole.missing())
    assert cut.save() == whole.save()
    assert whole.watermark_us
