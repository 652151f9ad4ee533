"""However a log is cut, and wherever a worker starts again: verdicts change the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from detectors.anomaly.learned import Learned
from detectors.anomaly.state import SavedLearned, restore, save
from detectors.correlation.released import Released
from ingest.verdict import Choice
from tests.detectors.anomaly.judged import Line, Said, feed, folded
from tests.detectors.anomaly.test_verdicts import FINDING, FIRST, in_order, placed
from tests.detectors.anomaly.world import Act, quiet, strange

MINUTES = (FIRST, FIRST + 13, FIRST + 26)
BEGIN = FIRST - 2
"""What comes before is the same in all logs: it is folded once."""

LOG = in_order([*quiet(MINUTES[-1] + 3), *(act for n in MINUTES for act in strange(n))])
QUIET = next(n for n, one in enumerate(LOG) if isinstance(one, Act) and one.resource == "secrets")
QUIET_LINES = QUIET - 60


@dataclass(frozen=True)
class Told:
    """What came of a log: findings, how they ended, and the state at its end."""

    findings: list[dict[str, Any]]
    closed: list[Any]
    state: bytes


def packed(detector: Learned) -> bytes:
    return msgspec.msgpack.encode(save(detector))


@cache
def begun() -> tuple[bytes, int]:
    detector, out = Learned(), Released()
    newest = feed(detector, LOG[:QUIET_LINES], 0, out)
    assert not out
    return packed(detector), newest


def taken_up(data: bytes) -> Learned:
    detector = Learned()
    assert restore(msgspec.msgpack.decode(data, type=SavedLearned), detector)
    assert packed(detector) == data
    return detector


def run(lines: list[Line], cuts: list[int], restart: int | None = None) -> Told:
    """Fold the rest of a log in batches; ``restart``: before which of them a worker starts anew."""
    data, newest = begun()
    detector, out = taken_up(data), Released()
    places = [0, *sorted({min(cut, len(lines)) for cut in cuts}), len(lines)]
    for number, (start, end) in enumerate(pairwise(places)):
        if number == restart:
            detector = taken_up(packed(detector))
        newest = feed(detector, lines[start:end], newest, out)
    state = packed(detector)
    out.extend(detector.release(None))
    closed = sorted(msgspec.structs.astuple(one) for one in out.closed)
    return Told([one.document for one in out.findings], closed, state)


verdicts = st.lists(
    st.tuples(
        st.integers(FIRST - 1, MINUTES[-1] + 2),
        st.sampled_from(Choice),
        st.sampled_from([FINDING, "0" * 32]),
    ),
    max_size=4,
)
ACCEPTED = [(FIRST + 4, Choice.BENIGN, FINDING)]


@settings(max_examples=12, deadline=None, phases=(Phase.explicit, Phase.generate), derandomize=True)
@given(said=verdicts, cuts=st.lists(st.integers(0, 1_800), max_size=6), restart=st.integers(0, 6))
@example(said=ACCEPTED, cuts=[], restart=0)
@example(said=[*ACCEPTED, (FIRST + 9, Choice.TRUE_POSITIVE, FINDING)], cuts=[260], restart=1)
def test_cuts_and_restarts_change_nothing(
    said: list[tuple[int, Choice, str]], cuts: list[int], restart: int
) -> None:
    ordered = [(float(at), Said(name, choice)) for at, choice, name in sorted(said)]
    lines = placed(LOG[QUIET_LINES:], *ordered)
    wanted = run(lines, list(range(0, len(lines), 97)))
    found = run(lines, cuts, restart)
    assert found.findings == wanted.findings
    assert found.closed == wanted.closed
    assert found.state == wanted.state


def test_a_verdict_between_the_same_events_counts_the_same_in_one_batch_as_alone() -> None:
    lines = placed(LOG, *((float(at), Said(name, choice)) for at, choice, name in ACCEPTED))
    whole, single = folded(lines, len(lines)), folded(lines, 300)
    assert [one.id for one in whole.findings] == [one.id for one in single.findings]
    assert len(whole.findings) == 1
    assert len(folded(list(LOG), len(LOG)).findings) == len(MINUTES)


def test_all_that_is_decided_survives_a_restart() -> None:
    """Each part of the state is in the snapshot: none of it is empty here."""
    lines = placed(
        LOG[QUIET_LINES:],
        (FIRST + 4.0, Said(FINDING, Choice.BENIGN)),
        (MINUTES[-1] + 2.0, Said(FINDING, Choice.UNSURE)),
    )
    data, newest = begun()
    detector = taken_up(data)
    feed(detector, lines, newest, Released())
    state = detector.verdicts
    assert state.decisions.due
    assert state.held.height
    assert state.accepted.height
    taken_up(packed(detector))
