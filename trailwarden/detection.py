"""Event frames become findings, where a source holds events only.

Separate from `worker.scan`, which reads logs: here the events are normalized already, and come in
the order in which they are stored. Rules, engine and findings are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from detectors.engine import detect
from detectors.finding import Finding, findings
from trailwarden.finding_frame import finding_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from detectors.sigma.rule import Rule

BATCH_EVENTS: Final = 10_000
"""Events evaluated together, as in a scan (worker.scan.BATCH_RECORDS)."""


def detected(events: pl.LazyFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    """Return the findings of ``rules`` in ``events``, in the order that a scan writes.

    Of the findings that share an id the first in log order stands, whatever the order in which the
    events are stored. Memory holds one batch of events and the distinct findings.
    """
    first: dict[str, Finding] = {}
    for batch in events.collect_batches(chunk_size=BATCH_EVENTS):
        for finding in findings(batch, detect(batch, rules), rules):
            held = first.get(finding.id)
            if held is None or finding.order < held.order:
                first[finding.id] = finding
    ordered = sorted(first.values(), key=lambda finding: (finding.order, finding.id))
    return finding_frame(finding.document for finding in ordered)
