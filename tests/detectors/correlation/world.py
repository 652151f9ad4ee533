"""What the tests of correlations share: events by a few letters, correlations by a few words."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from detectors.correlation.fold import OverTime
from detectors.correlation.plan import plan_for
from detectors.correlation.released import Released
from detectors.engine import HITS_SCHEMA
from detectors.sigma.correlation import Base, Bound, Comparison, Correlation, CorrelationType
from detectors.sigma.pack import Pack
from detectors.sigma.rule import Category, Level
from ingest.schema import DTYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from detectors.correlation.plan import Plan
    from detectors.finding import Finding
    from detectors.sigma.rule import Rule

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000
SECOND = 1_000_000

BASES = ("a", "b", "c")
"""Names of the base rules; an event matches those whose letter is in its ``rules``."""


class Event:
    """One event: when, which rules match it, of whom, with which value and number."""

    def __init__(
        self,
        at_s: float,
        rules: str = "a",
        user: str | None = "u",
        value: str | None = None,
        number: int | None = None,
        n: int = 0,
    ) -> None:
        self.time_us = START_US + round(at_s * SECOND)
        self.rules, self.user, self.value, self.number = rules, user, value, number
        text = f"{self.time_us} {rules} {user} {value} {number} {n}"
        self.id = blake2b(text.encode(), digest_size=16).hexdigest()

    @property
    def order(self) -> tuple[int, str]:
        """Where it stands in the sequence."""
        return self.time_us, self.id

    def __repr__(self) -> str:
        at_s = (self.time_us - START_US) / SECOND
        return f"Event({at_s}, {self.rules!r}, {self.user!r}, {self.value!r}, {self.number})"


def frame(events: Sequence[Event]) -> pl.DataFrame:
    rows = [
        {
            "event.id": event.id,
            "@timestamp": datetime.fromtimestamp(event.time_us / SECOND, UTC),
            "event.dataset": "kubernetes.audit",
            "orchestrator.cluster.name": "c",
            "user.name": event.user,
            "orchestrator.resource.name": event.value,
            "http.response.status_code": event.number,
            "kubernetes.audit.auditID": f"audit-{event.id[:6]}",
        }
        for event in events
    ]
    return pl.DataFrame(rows, DTYPES)


def hits(events: Sequence[Event]) -> pl.DataFrame:
    pairs = [
        {"row": row, "rule": BASES.index(letter), "matched": []}
        for row, event in enumerate(events)
        for letter in event.rules
        if letter in BASES
    ]
    return pl.DataFrame(pairs, HITS_SCHEMA)


def correlation(
    kind: CorrelationType,
    timespan_s: float,
    rules: Iterable[str] = ("a",),
    *,
    group_by: tuple[str, ...] = ("user.name",),
    identifier: str = "00000000-0000-4000-8000-000000000001",
    fields: tuple[str, ...] = (),
    bounds: tuple[Bound, ...] = (),
    **bounds_and_more: Any,
) -> Correlation:
    bounds += tuple(
        Bound(comparison, bounds_and_more.pop(comparison.value))
        for comparison in Comparison
        if comparison.value in bounds_and_more
    )
    return Correlation(
        file=Path("x.yml"),
        title="A correlation",
        id=identifier,
        name=None,
        related=(),
        status=None,
        description="",
        license=None,
        references=(),
        author=None,
        date=None,
        modified=None,
        tags=(),
        techniques=(),
        tactics=(),
        falsepositives=(),
        level=Level.MEDIUM,
        category=Category.CLUSTER_CONTROL,
        catalogue=(),
        message=None,
        next_steps=(),
        blind_spots=(),
        type=kind,
        bases=tuple(Base(name, name, group_by) for name in rules),
        group_by=group_by,
        timespan_us=round(timespan_s * SECOND),
        bounds=bounds,
        fields=fields,
        content_hash=identifier,
        **bounds_and_more,
    )


class _Named:
    def __init__(self, identifier: str) -> None:
        self.id = identifier


def plan(*correlations: Correlation, silent: Iterable[str] = (), state_rows: int = 10_000) -> Plan:
    rules = cast("tuple[Rule, ...]", tuple(_Named(name) for name in BASES))
    return plan_for(
        Pack(rules, correlations, frozenset(silent)), learning_time=True, state_rows=state_rows
    )


def run(
    planned: Plan, batches: Iterable[Sequence[Event]], lateness_s: float = 30
) -> tuple[list[Finding], list[Any]]:
    """Fold batches as a worker does; return the findings and the ends of episodes, in order."""
    state = OverTime(planned)
    found: list[Released] = []
    newest = 0
    for batch in batches:
        if batch:
            state.add(frame(batch), hits(batch))
            newest = max(newest, *(event.time_us for event in batch))
            found.append(state.release(newest - round(lateness_s * SECOND)))
    found.append(state.release(None))
    assert not state.evicted.total(), state.evicted
    return [f for one in found for f in one.findings], [c for one in found for c in one.closed]


def told(found: Iterable[Finding]) -> list[tuple[int, str, list[str], float]]:
    """Return what tests compare of findings: when, of whom, with which evidence."""
    return sorted(
        (
            one.order[0] - START_US,
            ",".join(one.document["trailwarden.correlation.group"]),
            one.document["trailwarden.evidence.event_ids"],
            one.document["trailwarden.correlation.count"],
        )
        for one in found
    )
