"""Late events that are enough by themselves become findings of their correlation after all.

Separate because it is the exception to the order that everything else rests on: a late event enters
no window, but where one event is enough (``event_count`` of at least one: one finding for each run
of them), nothing may be lost because a collector was away for a minute. Each is a finding of its
own, under the id that an episode beginning with it would have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from detectors.correlation.documents import Documents
from detectors.correlation.released import Released
from detectors.correlation.report import Circumstances, finding_of
from detectors.exceptions import excepted_rows
from ingest.unix_time import unix_us

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

    from detectors.correlation.plan import Plan
    from detectors.exceptions import Exemption
    from detectors.finding import Finding
    from detectors.site import Site

_TIME: Final = "@timestamp"


def late_findings(
    events: pl.DataFrame, hits: pl.DataFrame, plan: Plan, site: Site
) -> Iterator[tuple[Finding, int]]:
    """Yield findings, each with the row of its event.

    Parameters
        events: a batch under EVENT_SCHEMA.
        hits: ``row`` and ``rule`` of its late events.
    """
    mine = hits.select("row", "rule").join(plan.alone, on="rule", how="inner")
    if mine.is_empty():
        return
    mine = mine.unique(["row", "correlation"], keep="first", maintain_order=True)
    rows = mine["row"].unique().sort()
    named = zip(rows, events.select(plan.columns)[rows].iter_rows(named=True), strict=True)
    by_row = dict(named)
    for row, correlation, base in mine.select("row", "correlation", "base").iter_rows():
        joined = plan.correlations[correlation]
        event = by_row[row]
        if all(event.get(column) for column in joined.bases[base].group_by):
            around = _circumstances(event, base)
            yield finding_of(joined, event, around, site, plan.bases[correlation]), row


def _circumstances(event: dict[str, Any], base: int) -> Circumstances:
    time = event[_TIME]
    at_us = 0 if time is None else unix_us(time)
    audit = event["kubernetes.audit.auditID"]
    return Circumstances(
        None, 1.0, base, [at_us], [event["event.id"]], [audit] if audit else [], (), is_whole=True
    )


def released_late(
    found: Sequence[tuple[Finding, int]],
    events: pl.DataFrame,
    plan: Plan,
    exceptions: Sequence[Exemption],
) -> Released:
    """Return the findings that no exception covers, as what became certain."""
    by_id = {correlation.id: correlation for correlation in plan.correlations}
    pairs = [(by_id[finding.document["rule.id"]], row) for finding, row in found]
    covered, held = excepted_rows(pairs, events, exceptions)
    out = Released(excepted=held)
    for (finding, row), is_covered in zip(found, covered, strict=True):
        if not is_covered:
            event = events.select(plan.columns).row(row, named=True)
            out.findings.append(finding)
            out.received[finding.id] = event["event.created"] or event[_TIME]
            out.undated |= set() if Documents.is_dated(event) else {finding.id}
    return out
