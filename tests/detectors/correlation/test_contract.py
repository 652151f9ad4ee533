"""Correlations give the same whatever the batches, the order of arrival and the restarts were."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from detectors.correlation.fold import OverTime
from detectors.correlation.state import restore, save
from detectors.sigma.correlation import CorrelationType as Kind
from detectors.sigma.correlation import Learning
from tests.detectors.correlation.oracle import expected, expected_absence, expected_first_seen
from tests.detectors.correlation.world import (
    SECOND,
    START_US,
    Event,
    correlation,
    frame,
    hits,
    plan,
    run,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.sigma.correlation import Correlation

VALUE = ("orchestrator.resource.name",)
NUMBER = ("http.response.status_code",)
LATENESS_S = 30.0
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
"""Without shrinking: an example takes some hundredths of a second, and thousands would follow."""

COUNTS = {
    "at least one": correlation(Kind.EVENT_COUNT, 10, gte=1),
    "at least three": correlation(Kind.EVENT_COUNT, 10, gte=3),
    "of two rules": correlation(Kind.EVENT_COUNT, 10, ("a", "b"), gt=2),
    "a range": correlation(Kind.EVENT_COUNT, 10, gte=2, lt=4),
    "exactly": correlation(Kind.EVENT_COUNT, 10, eq=3),
    "but two": correlation(Kind.EVENT_COUNT, 10, neq=2),
    "two values": correlation(Kind.VALUE_COUNT, 10, gte=2, fields=VALUE),
    "three values": correlation(Kind.VALUE_COUNT, 10, gte=3, fields=VALUE),
    "few values": correlation(Kind.VALUE_COUNT, 10, lte=2, fields=VALUE),
    "a sum": correlation(Kind.VALUE_SUM, 10, gte=12, fields=NUMBER),
    "an average": correlation(Kind.VALUE_AVG, 10, gt=4, fields=NUMBER),
    "a percentile": correlation(Kind.VALUE_PERCENTILE, 10, gt=4, fields=NUMBER, percentile=75.0),
    "two rules": correlation(Kind.TEMPORAL, 10, ("a", "b")),
    "three rules": correlation(Kind.TEMPORAL, 10, ("a", "b", "c")),
    "two in order": correlation(Kind.TEMPORAL_ORDERED, 10, ("a", "b")),
    "three in order": correlation(Kind.TEMPORAL_ORDERED, 10, ("a", "b", "c")),
}

event = st.builds(
    Event,
    st.integers(0, 60) | st.floats(0, 60),
    st.sampled_from(["a", "b", "c", "ab", "bc", "abc", "x"]),
    st.sampled_from(["u", "v", None]),
    st.sampled_from(["p", "q", "r", "s", None]),
    st.sampled_from([1, 3, 5, 7, None]),
    st.integers(0, 1),
)


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[Event], list[list[Event]]]:
    """Events in their order, and the same shuffled within the lateness and cut into batches."""
    ordered = sorted({one.id: one for one in draw(st.lists(event, max_size=30))}.values(), key=_at)
    delays = [draw(st.integers(0, int(LATENESS_S) - 1)) for _ in ordered]
    shuffled = [
        one
        for _, one in sorted(
            zip(delays, ordered, strict=True), key=lambda pair: pair[1].time_us + pair[0] * SECOND
        )
    ]
    return ordered, _cut(shuffled, draw(st.lists(st.integers(0, 30), max_size=4)))


def _at(one: Event) -> tuple[int, str]:
    return one.order


def _cut(events: Sequence[Event], places: Sequence[int]) -> list[list[Event]]:
    cuts = [0, *sorted(min(place, len(events)) for place in places), len(events)]
    return [list(events[a:b]) for a, b in pairwise(cuts)]


@pytest.mark.parametrize("name", COUNTS)
@settings(max_examples=40, deadline=None, phases=PHASES)
@given(arrived=arrivals())
def test_windows_hold_what_they_should(
    name: str, arrived: tuple[list[Event], list[list[Event]]]
) -> None:
    ordered, batches = arrived
    found, _ = run(plan(COUNTS[name]), batches, LATENESS_S)
    assert told(found) == expected(COUNTS[name], ordered, START_US)


SEEN = correlation(Kind.FIRST_SEEN, 20, fields=VALUE, learning=Learning(3, 5 * SECOND))


@settings(max_examples=150, deadline=None, phases=PHASES)
@given(arrived=arrivals())
def test_a_value_is_new_once_its_group_is_known(
    arrived: tuple[list[Event], list[list[Event]]],
) -> None:
    ordered, batches = arrived
    found, _ = run(plan(SEEN), batches, LATENESS_S)
    got = [
        (
            one.order[0] - START_US,
            str(one.document["user.name"]),
            one.document["trailwarden.correlation.values"][0],
        )
        for one in found
    ]
    assert sorted(got) == _first_of_episodes(expected_first_seen(SEEN, ordered, START_US), SEEN)
    assert len({one.id for one in found}) == len(found)


def _first_of_episodes(
    moments: list[tuple[int, str, str]], of: Correlation
) -> list[tuple[int, str, str]]:
    last: dict[tuple[str, str], int] = {}
    begun = []
    for at, user, value in moments:
        if (user, value) not in last or at - last[user, value] > of.timespan_us:
            begun.append((at, user, value))
        last[user, value] = at
    return sorted(begun)


@pytest.mark.parametrize("rules", [("a", "b"), ("a",)])
@settings(max_examples=100, deadline=None, phases=PHASES)
@given(arrived=arrivals())
def test_what_is_not_answered_in_time_is_told(
    rules: tuple[str, ...], arrived: tuple[list[Event], list[list[Event]]]
) -> None:
    ordered, batches = arrived
    absence = correlation(Kind.ABSENCE, 8, rules)
    found, _ = run(plan(absence), batches, LATENESS_S)
    got = [(at, group.removeprefix("user.name=")) for at, group, _, _ in told(found)]
    assert got == expected_absence(absence, ordered, START_US)


ALL = plan(
    *(
        correlation(
            of.type,
            10,
            [base.id for base in of.bases],
            identifier=f"00000000-0000-4000-8000-{number:012}",
            fields=of.fields,
            percentile=of.percentile,
            bounds=of.bounds,
        )
        for number, of in enumerate(COUNTS.values())
    ),
    correlation(
        Kind.FIRST_SEEN,
        20,
        identifier="10000000-0000-4000-8000-000000000001",
        fields=VALUE,
        learning=Learning(2, 0),
        peers=("http.response.status_code",),
    ),
    correlation(Kind.ABSENCE, 8, ("a", "b"), identifier="10000000-0000-4000-8000-000000000002"),
    correlation(
        Kind.TEMPORAL_ORDERED,
        15,
        ("00000000-0000-4000-8000-000000000001", "c"),
        identifier="20000000-0000-4000-8000-000000000001",
    ),
)
"""Every kind at once, one of them on top of another."""


@settings(max_examples=60, deadline=None, phases=PHASES)
@given(arrived=arrivals(), stops=st.sets(st.integers(0, 4)))
def test_restarts_change_nothing(
    arrived: tuple[list[Event], list[list[Event]]], stops: set[int]
) -> None:
    ordered, batches = arrived
    whole, ends = run(ALL, [ordered], 1_000)
    state = OverTime(ALL)
    released = []
    newest = 0
    for number, batch in enumerate(batches):
        state.add(frame(batch), hits(batch))
        newest = max([newest, *(one.time_us for one in batch)])
        released.append(state.release(newest - int(LATENESS_S) * SECOND))
        if number in stops:
            saved, state = save(state), OverTime(ALL)
            restore(saved, state)
    released.append(state.release(None))
    found = [finding for one in released for finding in one.findings]
    assert {one.id: one.document for one in found} == {one.id: one.document for one in whole}
    closed = [end for one in released for end in one.closed]
    assert sorted(closed, key=repr) == sorted(ends, key=repr)
