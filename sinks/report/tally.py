"""Findings in, ranked counts out: one row per cluster, actor, category, severity or technique.

Separate because every table of counts on the page is the same thing, and because tests compare
these numbers with the data.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sinks.report.model import CATEGORIES, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sinks.report.finding import Finding


@dataclass(frozen=True, slots=True)
class Row:
    """A label, how many findings bear it, and how many of them at each severity."""

    label: str
    count: int
    severities: tuple[tuple[Severity, int], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """Rows of one table, the largest first; `more` rows were left out of `rows`."""

    rows: tuple[Row, ...]
    more: int = 0

    @property
    def largest(self) -> int:
        """Count of the longest bar, at least 1 so that widths can be divided by it."""
        return max((row.count for row in self.rows), default=0) or 1


def tally_by(
    findings: Sequence[Finding],
    labels_of: Callable[[Finding], Iterable[str]],
    *,
    top: int,
    notes: Mapping[str, str] | None = None,
) -> Tally:
    """Count findings by the labels each bears; ties in alphabetical order, `top` rows kept."""
    by_label: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        for label in labels_of(finding):
            by_label[label].append(finding)
    rows = [_row(label, members, notes or {}) for label, members in by_label.items()]
    rows.sort(key=lambda row: (-row.count, row.label))
    return Tally(tuple(rows[:top]), max(0, len(rows) - top))


def tally_severities(findings: Sequence[Finding]) -> Tally:
    """One row for each severity, the worst first, those without findings too."""
    found = {severity: [f for f in findings if f.severity is severity] for severity in Severity}
    return Tally(tuple(_row(severity.value, members, {}) for severity, members in found.items()))


def tally_categories(findings: Sequence[Finding], rules: Mapping[str, int]) -> Tally:
    """One row for each category, those without findings too; `rules` counts the rules of each."""
    labels = [*CATEGORIES, *sorted({f.category for f in findings} | set(rules) - set(CATEGORIES))]
    return Tally(
        tuple(
            _row(
                label,
                [f for f in findings if f.category == label],
                {label: str(rules.get(label, 0))},
            )
            for label in dict.fromkeys(labels)
        )
    )


def _row(label: str, members: Sequence[Finding], notes: Mapping[str, str]) -> Row:
    counts = ((level, sum(f.severity is level for f in members)) for level in Severity)
    return Row(
        label,
        len(members),
        tuple((severity, count) for severity, count in counts if count),
        notes.get(label, ""),
    )
