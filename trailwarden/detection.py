"""Event frames become findings, where a source holds events only.

Separate from `worker.scan`, which reads logs: here the events are normalized already, and come in
the order in which they are stored. Rules, engine and findings are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from detectors.ruleset import look
from trailwarden.finding_frame import finding_frame
from worker.scan import HeldEpisodes

if TYPE_CHECKING:
    import polars as pl

    from detectors.finding import Finding
    from detectors.ruleset import Ruleset

BATCH_EVENTS: Final = 10_000
"""Events evaluated together, as in a scan (worker.scan.BATCH_RECORDS)."""


def detected(events: pl.LazyFrame, rules: Ruleset) -> pl.DataFrame:
    """Return the findings of ``rules`` in ``events``, in the order that a scan writes.

    Of the findings that share an id the first in log order stands, whatever the order in which the
    events are stored. Memory holds one batch of events, the distinct findings, and all signals of
    rules over time: these are folded in order of time at the end.
    """
    first: dict[str, Finding] = {}
    remembered, across = rules.remembered(), rules.over_clusters()
    for batch in events.collect_batches(chunk_size=BATCH_EVENTS):
        looked = look(batch, rules)
        remembered.add(batch, looked.hits, None, looked.flagged)
        across.add(batch, looked.hits)
        for finding in looked.reported.findings:
            held = first.get(finding.id)
            if held is None or finding.order < held.order:
                first[finding.id] = finding
    for state in (remembered, across):
        first |= {finding.id: finding for finding in HeldEpisodes().take(state.release(None))}
    ordered = sorted(first.values(), key=lambda finding: (finding.order, finding.id))
    return finding_frame(finding.document for finding in ordered)
