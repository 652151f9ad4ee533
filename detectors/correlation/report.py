"""A match that begins an episode becomes a finding: the same form as that of any rule.

Separate from `detectors.finding` because what a correlation reports is a group, a window and many
events; who did what where is told by the event that completed it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from detectors.entities.recalled import RECALLED_DTYPES
from detectors.finding import (
    COPIED,
    Finding,
    iso_time,
    level_fields,
    recalled_fields,
    related_fields,
    rule_fields,
)
from detectors.message import printable, render
from detectors.severity import in_context
from detectors.sigma.correlation import OF_CORRELATIONS, CorrelationType
from ingest.ids import episode_id
from ingest.unix_time import time_of, unix_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from detectors.sigma.correlation import Correlation
    from detectors.sigma.rule import Rule
    from detectors.site import Site

_UNITS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of a match besides the event that completed it."""

    cluster: str | None
    """None: that of the event; empty: it is over several."""
    count: float
    base: int
    times: Sequence[int]
    """Of the evidence, microseconds, first to last."""
    events: Sequence[str]
    audit_ids: Sequence[str]
    values: Sequence[str]
    deadline_us: int | None = None
    """Of absence: when the time was over."""
    history: str = ""
    is_whole: bool = False
    """Whether the episode is this event and no more will come to it."""


def finding_of(
    correlation: Correlation,
    event: Mapping[str, Any],
    around: Circumstances,
    site: Site,
    bases: Sequence[Rule],
) -> Finding:
    """Make the finding.

    Parameters
        event: the event that completed the match, by column; of absence the unanswered one.
        site: what raises and lowers levels.
        bases: the rules that the correlation joins.
    """
    cluster = event["orchestrator.cluster.name"] if around.cluster is None else around.cluster
    columns = correlation.bases[around.base].group_by
    group = [str(event.get(column)) for column in columns]
    new = correlation.type is CorrelationType.FIRST_SEEN
    values = [str(event.get(column)) for column in correlation.fields] if new else []
    identifier = episode_id(correlation.id, cluster, [*group, *values], around.times[0])
    around = replace(around, values=[" ".join(values)]) if new else around
    time = event["@timestamp"] if around.deadline_us is None else time_of(around.deadline_us)
    words = _words(correlation, around)
    severity = in_context(correlation, event, site, bases=bases)
    document = {
        "@timestamp": iso_time(time),
        "event.kind": "alert",
        **dict(rule_fields(correlation)),
        "message": render(correlation.message, correlation.title, {**event, **words}),
        "trailwarden.finding.id": identifier,
        "trailwarden.act.id": identifier,
        **level_fields(correlation, severity),
        **{column: event[column] for column in COPIED if event.get(column) is not None},
        **recalled_fields(event, _recalled_by(correlation, columns)),
        **related_fields(event),
        **_over_time(correlation, around, columns, group),
        "trailwarden.evidence.event_ids": list(around.events),
        "trailwarden.evidence.audit_ids": list(around.audit_ids),
        "trailwarden.evidence.values": [],
    }
    time_us = 0 if time is None else unix_us(time)
    if around.is_whole:
        document |= closing_fields(time_us, len(around.events))
    return Finding(identifier, (time_us, event["event.id"]), severity.level, document)


def _recalled_by(correlation: Correlation, group: Iterable[str]) -> tuple[str, ...]:
    """Return what a correlation itself asked for: its event may have been asked more by others."""
    told = correlation.message.columns if correlation.message else ()
    read = correlation.recalled.union(told, correlation.fields, group)
    return tuple(column for column in RECALLED_DTYPES if column in read)


def _over_time(
    correlation: Correlation, around: Circumstances, columns: Sequence[str], group: Sequence[str]
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "trailwarden.correlation.type": correlation.type.value,
        "trailwarden.correlation.group": [
            f"{column}={value}" for column, value in zip(columns, group, strict=True)
        ],
        "trailwarden.correlation.count": int(around.count),
        "trailwarden.correlation.timespan_s": correlation.timespan_us // 1_000_000,
        "trailwarden.correlation.values": list(around.values),
        "trailwarden.episode.start": iso_time(time_of(around.times[0])),
        "trailwarden.episode.closed": False,
    }
    if around.history:
        found["trailwarden.correlation.history"] = around.history
    return found


def closing_fields(end_us: int, events: int) -> dict[str, Any]:
    """Return what an episode's end adds to its finding: absolute values."""
    end = iso_time(time_of(end_us))
    return {
        "trailwarden.episode.end": end,
        "trailwarden.episode.count": events,
        "trailwarden.episode.closed": True,
    }


def _words(correlation: Correlation, around: Circumstances) -> dict[str, str]:
    shown = ", ".join(printable(value) for value in around.values[:_SHOWN])
    more = len(around.values) - _SHOWN
    values = (
        f"{around.count:,.0f}",
        f"{shown} and {more} more" if more > 0 else shown,
        in_words(correlation.timespan_us),
        around.history,
    )
    return dict(zip(OF_CORRELATIONS, values, strict=True))


def in_words(time_us: int) -> str:
    """Return a span of time as people say it: ``5 minutes``."""
    seconds = time_us // 1_000_000
    for size, unit in _UNITS:
        if seconds >= size and seconds % size == 0:
            number = seconds // size
            return f"{number} {unit}{'s' * (number != 1)}"
    return f"{seconds} seconds"


def history_of(correlation: Correlation, known: Mapping[str, Any]) -> str:
    """Return how much was known before something new appeared."""
    count, most = known["known_events"], correlation.learning.events
    number = f"{most:,} or more" if count >= most else f"{count:,}"
    of_whom = " of its peers" if known["by_peers"] else ""
    return f"{number} events{of_whom} since {time_of(known['known_since']):%Y-%m-%d %H:%M} UTC"
