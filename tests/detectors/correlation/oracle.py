"""The same correlations said as plainly as possible: event by event, each window looked at anew."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING

from detectors.sigma.correlation import Comparison, CorrelationType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from detectors.sigma.correlation import Correlation
    from tests.detectors.correlation.world import Event

Told = tuple[int, str, list[str], float]


def expected(correlation: Correlation, events: Iterable[Event], start_us: int) -> list[Told]:
    """Return when episodes begin, of whom, with which evidence and count."""
    groups: dict[str | None, list[Event]] = defaultdict(list)
    letters = {base.id for base in correlation.bases}
    for event in sorted(events, key=lambda one: one.order):
        if event.user is not None and letters & set(event.rules) and _counts(correlation, event):
            groups[event.user].append(event)
    found: list[Told] = []
    for user, members in groups.items():
        last: int | None = None
        for index, event in enumerate(members):
            match = _match(correlation, members[: index + 1])
            if match is None:
                continue
            if last is None or event.time_us - last > correlation.timespan_us:
                evidence, count = match
                ids = [one.id for one in evidence[:100]]
                found.append((event.time_us - start_us, f"user.name={user}", ids, count))
            last = event.time_us
    return sorted(found)


def _counts(correlation: Correlation, event: Event) -> bool:
    if "http.response.status_code" in correlation.fields:
        return event.number is not None
    return not correlation.fields or event.value is not None


def _match(correlation: Correlation, members: Sequence[Event]) -> tuple[list[Event], float] | None:
    now = members[-1]
    window = [one for one in members if one.time_us > now.time_us - correlation.timespan_us]
    kind = correlation.type
    if kind is CorrelationType.TEMPORAL_ORDERED:
        chains = _chains(correlation, window, now)
        best = max(chains, key=lambda chain: [one.order for one in chain], default=None)
        return None if best is None else (best, len(best))
    if kind is CorrelationType.TEMPORAL:
        return _proximity(correlation, window)
    if kind is CorrelationType.VALUE_COUNT:
        newest = {one.value: one for one in window}
        count: float = len(newest)
        window = sorted(newest.values(), key=lambda one: one.order)
    elif kind is CorrelationType.EVENT_COUNT:
        count = len(window)
    else:
        numbers = [one.number or 0 for one in window]
        count = sum(numbers)
        if kind is CorrelationType.VALUE_AVG:
            count /= len(numbers)
        if kind is CorrelationType.VALUE_PERCENTILE:
            count = _percentile(numbers, correlation.percentile or 0)
    return (window, int(count)) if _holds(correlation, count) else None


def _percentile(numbers: list[int], percentile: float) -> float:
    ordered = sorted(numbers)
    place = percentile / 100 * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _proximity(
    correlation: Correlation, window: Sequence[Event]
) -> tuple[list[Event], float] | None:
    newest = {base.id: one for one in window for base in correlation.bases if base.id in one.rules}
    if len(newest) < len(correlation.bases):
        return None
    evidence = sorted({one.id: one for one in newest.values()}.values(), key=lambda one: one.order)
    return evidence, len(newest)


def _chains(correlation: Correlation, window: Sequence[Event], now: Event) -> Iterator[list[Event]]:
    steps = [base.id for base in correlation.bases]
    if steps[-1] not in now.rules:
        return
    for before in combinations(window[:-1], len(steps) - 1):
        chain = [*before, now]
        if all(step in one.rules for step, one in zip(steps, chain, strict=True)):
            yield chain


def _holds(correlation: Correlation, number: float) -> bool:
    tests = {
        Comparison.GT: number.__gt__,
        Comparison.GTE: number.__ge__,
        Comparison.LT: number.__lt__,
        Comparison.LTE: number.__le__,
        Comparison.EQ: number.__eq__,
        Comparison.NEQ: number.__ne__,
    }
    return all(tests[bound.comparison](bound.number) for bound in correlation.bounds)


def expected_first_seen(
    correlation: Correlation, events: Iterable[Event], start_us: int
) -> list[tuple[int, str, str]]:
    """Return when a user has a value that is new, once enough of the user is known."""
    learning = correlation.learning
    last: dict[tuple[str, str], int] = {}
    known: dict[str, list[int]] = {}
    found = []
    rounding = max(1, correlation.timespan_us // 720)
    for event in sorted(events, key=lambda one: one.order):
        if event.user is None or event.value is None or "a" not in event.rules:
            continue
        stamp = event.time_us // rounding * rounding
        first, count, latest = known.get(event.user, [event.time_us, 0, event.time_us])
        if event.time_us - latest > correlation.timespan_us:
            first, count = event.time_us, 0
        before = last.get((event.user, event.value))
        new = before is None or event.time_us - before > correlation.timespan_us
        learned = count >= learning.events and event.time_us - first >= learning.time_us
        if new and learned:
            found.append((event.time_us - start_us, event.user, event.value))
        last[event.user, event.value] = stamp
        known[event.user] = [first, count + 1, stamp]
    return found


def expected_absence(
    correlation: Correlation, events: Iterable[Event], start_us: int
) -> list[tuple[int, str]]:
    """Return when the time ran out of an event that nothing answered, one for each episode."""
    ordered = sorted(events, key=lambda one: one.order)
    end_us = max((one.time_us for one in ordered), default=0)
    asked, answer = correlation.bases[0].id, correlation.bases[-1].id
    found = []
    for user in {one.user for one in ordered} - {None}:
        own = [one for one in ordered if one.user == user]
        last: int | None = None
        for index, event in enumerate(own):
            if asked not in event.rules or (asked != answer and answer in event.rules):
                continue
            deadline = event.time_us + correlation.timespan_us
            answered = any(
                answer in one.rules and one.time_us <= deadline for one in own[index + 1 :]
            )
            if answered or deadline >= end_us:
                continue
            if last is None or deadline - last > correlation.timespan_us:
                found.append((deadline - start_us, str(user)))
            last = deadline
    return sorted(found)
