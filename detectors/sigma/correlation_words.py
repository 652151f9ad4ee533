"""A correlation becomes sentences: what it joins, over which time, by whom, and when it matches.

Separate from explaining a rule, whose condition is a tree and stands for one moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from detectors.sigma.correlation import Comparison, CorrelationType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detectors.sigma.correlation import Correlation

_UNITS: Final = (
    (86_400_000_000, "day"),
    (3_600_000_000, "hour"),
    (60_000_000, "minute"),
    (1_000_000, "second"),
)
_COMPARED: Final = {
    Comparison.GT: "more than",
    Comparison.GTE: "at least",
    Comparison.LT: "less than",
    Comparison.LTE: "at most",
    Comparison.EQ: "exactly",
    Comparison.NEQ: "anything but",
}
_COUNTED: Final = {
    CorrelationType.EVENT_COUNT: "the number of events is",
    CorrelationType.VALUE_COUNT: "the number of different values of {fields} is",
    CorrelationType.VALUE_SUM: "the sum of {fields} is",
    CorrelationType.VALUE_AVG: "the average of {fields} is",
    CorrelationType.VALUE_PERCENTILE: "the {percentile:g}th percentile of {fields} is",
    CorrelationType.TEMPORAL: "the number of different rules that match is",
}


def span(microseconds: int) -> str:
    """Return a duration in the largest unit that it is a whole number of."""
    for size, name in _UNITS:
        if microseconds >= size and microseconds % size == 0:
            number = microseconds // size
            return f"{number} {name}" if number == 1 else f"{number} {name}s"
    return f"{microseconds / 1_000_000:g} seconds"


def sentences(correlation: Correlation) -> Iterator[str]:
    """Yield what a correlation asks for, one sentence each."""
    yield f"It joins: {_list([base.name for base in correlation.bases])}."
    yield _groups(correlation)
    yield _match(correlation)
    if correlation.type is not CorrelationType.FIRST_SEEN:
        window = span(correlation.timespan_us)
        yield f"Matches that follow each other within {window} are one finding."


def _groups(correlation: Correlation) -> str:
    where = "in all clusters together" if correlation.across_clusters else "in each cluster"
    if not correlation.group_by:
        return f"All events {where} are one group."
    return f"Events with the same {_list(correlation.group_by)} are a group, {where}."


def _match(correlation: Correlation) -> str:
    window = span(correlation.timespan_us)
    match correlation.type:
        case CorrelationType.FIRST_SEEN:
            return _first_seen(correlation, window)
        case CorrelationType.ABSENCE:
            return _absence(correlation, window)
        case CorrelationType.TEMPORAL_ORDERED:
            return f"It matches when all of them match in this order within {window}."
        case CorrelationType.TEMPORAL if not correlation.bounds:
            return f"It matches when {_sets(correlation)} match within {window}, in any order."
        case _:
            counted = _COUNTED[correlation.type].format(
                fields=_list(correlation.fields), percentile=correlation.percentile
            )
            bounds = " and ".join(
                f"{_COMPARED[one.comparison]} {one.number:g}" for one in correlation.bounds
            )
            return f"It matches when, within any {window}, {counted} {bounds}."


def _sets(correlation: Correlation) -> str:
    if not correlation.expression:
        return "all of them"
    names = [base.name for base in correlation.bases]
    sets = [" and ".join(names[at] for at in sorted(one)) for one in correlation.expression]
    return " or ".join(sets)


def _first_seen(correlation: Correlation, window: str) -> str:
    learning = correlation.learning
    known = f"{learning.events} events over {span(learning.time_us)} (in a scan, only the events)"
    peers = ""
    if correlation.peers:
        peers = f"; until then its peers are asked, those with the same {_list(correlation.peers)}"
    return (
        f"It matches when a group shows {_list(correlation.fields)} that it did not show for "
        f"{window}, once {known} of it are known{peers}."
    )


def _absence(correlation: Correlation, window: str) -> str:
    first, *then = [base.name for base in correlation.bases]
    if then:
        return f"It matches when {first} is not followed by {then[0]} within {window}."
    return f"It matches when {first}, seen before, is not seen for {window}."


def _list(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(names)
