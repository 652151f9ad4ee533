"""Times of findings in, bars out: one lane per severity over one span, in buckets that fit it.

Separate because choosing the span and the bucket is arithmetic worth testing by itself. Lanes
rather than one column per bucket: beside five hundred medium findings a single critical one would
be a line too thin to see, and in a lane of its own it needs no colour to be told apart.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sinks.report.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sinks.report.finding import Finding

MOST_BUCKETS: Final = 60
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
# Widths a reader can name: seconds to a quarter of a year. Beyond, whole years.
_WIDTHS_S: Final = (
    *(1, 5, 15, 30),
    *(_MINUTE, 5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE),
    *(_HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR),
    *(_DAY, 7 * _DAY, 28 * _DAY, 91 * _DAY),
)
_YEAR: Final = 365 * _DAY
_UNITS: Final = (
    (_YEAR, "year"),
    (_DAY, "day"),
    (_HOUR, "hour"),
    (_MINUTE, "minute"),
    (1, "second"),
)


@dataclass(frozen=True, slots=True)
class Bar:
    """Findings of one severity in one bucket; `place` counts buckets from the left."""

    place: int
    start: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Lane:
    """The bars of one severity; empty buckets have no bar."""

    severity: Severity
    count: int
    bars: tuple[Bar, ...]

    @property
    def peak(self) -> Bar:
        """The tallest bar, the earliest of equals."""
        return max(self.bars, key=lambda bar: bar.count)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Lanes over one span, only for severities that occur; `untimed` findings are in none."""

    start: datetime
    end: datetime
    bucket_s: int
    buckets: int
    lanes: tuple[Lane, ...]
    untimed: int

    @property
    def bucket(self) -> str:
        """Width of a bucket in words."""
        size, unit = next((size, unit) for size, unit in _UNITS if self.bucket_s % size == 0)
        many = self.bucket_s // size
        return unit if many == 1 else f"{many} {unit}s"

    @property
    def table(self) -> tuple[tuple[datetime, tuple[int, ...]], ...]:
        """The same numbers as rows: the start of each bucket with findings, a count per lane."""
        counts: dict[datetime, Counter[Severity]] = defaultdict(Counter)
        for lane in self.lanes:
            for bar in lane.bars:
                counts[bar.start][lane.severity] = bar.count
        lanes = [lane.severity for lane in self.lanes]
        return tuple(
            (start, tuple(counts[start][severity] for severity in lanes))
            for start in sorted(counts)
        )


def timeline(
    findings: Sequence[Finding], first: datetime | None, last: datetime | None
) -> Timeline | None:
    """Place the findings on the span of the events read, widened where a finding lies outside.

    Returns None when no finding has a time.
    """
    timed = [(finding.severity, _seconds(finding.time)) for finding in findings if finding.time]
    if not timed:
        return None
    edges = [second for _, second in timed] + [_seconds(edge) for edge in (first, last) if edge]
    width = _bucket_width(max(edges) - min(edges))
    origin = min(edges) // width * width
    buckets = (max(edges) - origin) // width + 1
    return Timeline(
        start=_moment(origin),
        end=_moment(origin + buckets * width),
        bucket_s=width,
        buckets=buckets,
        lanes=_lanes(timed, origin, width),
        untimed=len(findings) - len(timed),
    )


def _lanes(timed: Iterable[tuple[Severity, int]], origin: int, width: int) -> tuple[Lane, ...]:
    counts: dict[Severity, Counter[int]] = defaultdict(Counter)
    for severity, second in timed:
        counts[severity][(second - origin) // width] += 1
    return tuple(
        Lane(
            severity,
            counts[severity].total(),
            tuple(
                Bar(place, _moment(origin + place * width), count)
                for place, count in sorted(counts[severity].items())
            ),
        )
        for severity in Severity
        if severity in counts
    )


def _bucket_width(span_s: int) -> int:
    # One bucket may be lost to aligning the first, hence one fewer than the most.
    fitting = (width for width in _WIDTHS_S if span_s // width < MOST_BUCKETS - 1)
    return next(fitting, (span_s // _YEAR // (MOST_BUCKETS - 1) + 1) * _YEAR)


def _seconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(seconds=1)


def _moment(second: int) -> datetime:
    """Return the time of a second, held within the years that a datetime can name."""
    return _EPOCH + timedelta(seconds=max(_LEAST_S, min(second, _MOST_S)))


_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_LEAST_S: Final = _seconds(datetime.min.replace(tzinfo=UTC))
_MOST_S: Final = _seconds(datetime.max.replace(tzinfo=UTC))
