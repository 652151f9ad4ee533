"""Rulesets and a span of time become what has to be read: from when on, and which columns.

Separate because it is arithmetic on rules alone: nothing of the archive is opened for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from detectors.anomaly.decisions import VERDICT_COLUMNS
from detectors.anomaly.report import SHOWN
from detectors.finding import iso_time
from detectors.recalling import READ_COLUMNS
from ingest.schema import DTYPES, POD_SPEC_PREFIX
from models.profile.action_key import READ

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detectors.ruleset import Ruleset

BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
END: Final = datetime.max.replace(tzinfo=UTC)

_WINDOWS: Final = 2
"""A match of a window that lies a timespan back may have begun the episode that still goes on, and
its own window reaches back another timespan."""

_ACT: Final = timedelta(hours=1)
"""Both stages of a request share a finding; one may take so long."""

_LEARNED_US: Final = 28 * 86_400_000_000
"""Two half-lives (models/profile/counts.py): what was learned before weighs a quarter by then."""

_OF_FINDINGS: Final = (
    "event.dataset",  # tells verdicts, which move no time
    "url.path",
    POD_SPEC_PREFIX + "workload.kind",
    POD_SPEC_PREFIX + "workload.name",
)
"""What findings of rules read besides the columns that a plan over time keeps of each event."""


@dataclass(frozen=True, slots=True)
class Span:
    """What is asked for: findings of ``[start, end)``, by event time, and of which clusters."""

    start: datetime = BEGINNING
    end: datetime = END
    clusters: frozenset[str] = frozenset()
    """Empty: all."""

    def holds(self, time: object) -> bool:
        """Return whether a finding's time, as documents have it, lies within."""
        return time is not None and self._first <= str(time) < self._last

    @property
    def _first(self) -> str:
        return iso_time(self.start) or ""

    @property
    def _last(self) -> str:
        return iso_time(self.end) or ""


def told_from(start: datetime) -> datetime:
    """Return from when on acts count as told already: a workload's finding stands for its day."""
    if start < BEGINNING + _ACT:
        return BEGINNING
    return (start - _ACT).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def memory_of(rulesets: Iterable[Ruleset]) -> timedelta:
    """Return how long before the span events are needed so that windows and episodes are right.

    What learned detectors knew is nearly right by then.
    """
    longest = 0
    for rules in rulesets:
        longest = max(longest, _LEARNED_US if rules.learned else 0)
        reach: dict[str, int] = {}
        for one in rules.pack.correlations:  # bases come before
            below = max((reach.get(base.id, 0) for base in one.bases), default=0)
            reach[one.id] = _WINDOWS * one.timespan_us + below
        longest = max(longest, *reach.values(), 0)
    return timedelta(microseconds=longest)


def read_from(span: Span, memory: timedelta) -> datetime:
    """Return the time of the first event that is read."""
    return min(before(span.start, memory), told_from(span.start))


def before(time: datetime, length: timedelta) -> datetime:
    """Return the time so long before another, or the beginning of all time."""
    return BEGINNING if time <= BEGINNING + length else time - length


def columns_of(rulesets: Iterable[Ruleset]) -> list[str]:
    """Return the columns that rules, windows, exceptions and findings need, as the schema orders.

    The others, bodies above all, are never read.
    """
    wanted = set(_OF_FINDINGS)
    for rules in rulesets:
        wanted.update(rules.plan.columns, rules.across.columns)
        wanted.update(*(one.columns for one in rules.exceptions))
        wanted.update(READ_COLUMNS if rules.asking else ())
        wanted.update((*READ, *SHOWN, *VERDICT_COLUMNS) if rules.learned else ())
        for rule in rules.pack.rules:
            wanted.update(rule.columns, rule.message.columns if rule.message else ())
    return [name for name in DTYPES if name in wanted]
