"""Signals leave one process under names that mean the same in another, and become rows again there.

Separate from the fold because what a unit or a column is numbered is a matter of one loaded pack:
between processes, which may have loaded others, a signal says its correlation's content hash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.correlation.signals import FOUND, SIGNALS, signals_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.correlation.plan import Plan

_MADE: Final = ("base", "key", "time", "event", "value", "number", "peer", "audit", "text")

SENT: Final = pl.Schema(
    {
        "correlation": pl.String(),
        "part": pl.UInt32(),
        **{name: SIGNALS[name] for name in _MADE},
    }
)
"""``correlation``: its content hash; ``part``: of the windows that it keeps, which; the rest as in
SIGNALS. There is no ``via``: what is across clusters joins rules alone."""

_CLUSTER: Final = "orchestrator.cluster.name"


@dataclass(frozen=True, slots=True)
class Sent:
    """Signals of a batch; row by row what each is, whom it is for, and its event."""

    signals: pl.DataFrame
    """Under SENT."""
    together: pl.Series
    """What must be folded in one place has one name: a correlation's group, or, where groups are
    compared with their peers, all of the correlation."""
    documents: pl.DataFrame
    """Columns of each signal's event."""


def sent(events: pl.DataFrame, hits: pl.DataFrame, plan: Plan, columns: Sequence[str]) -> Sent:
    """Return what correlations across clusters need of a batch.

    Parameters
        events: under EVENT_SCHEMA.
        hits: ``row`` and ``rule`` of those events that are in order of time.
        columns: what a finding may have to show of an event.
    """
    clusters = dict.fromkeys(events[_CLUSTER].unique(), 0)
    found = signals_of(events, hits, plan, clusters) if clusters else pl.DataFrame(schema=FOUND)
    named = found.join(_units(plan), on="unit", maintain_order="left")
    apart = pl.format("{}/{}", "id", "key")
    return Sent(
        named.select(SENT.names()),
        named.select(pl.when("whole").then("id").otherwise(apart).alias("together")).to_series(),
        events.select(name for name in columns if name in events.columns)[named["row"]],
    )


def taken(signals: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """Return signals that were sent as rows under FOUND; ``row``: where each stood.

    Those of correlations that are not in this plan, or were other ones then, are left out.
    """
    found = signals.with_row_index("row").join(
        _units(plan), on=["correlation", "part"], maintain_order="left"
    )
    nothing = [
        pl.lit(0, dtype=pl.UInt32).alias("cluster"),
        pl.lit(None, dtype=pl.UInt32).alias("via"),
    ]
    return found.with_columns(nothing).select(FOUND.names())


def _units(plan: Plan) -> pl.DataFrame:
    """Return for each unit what it is called elsewhere."""
    about = pl.DataFrame(
        {
            "index": range(len(plan.correlations)),
            "correlation": [one.content_hash for one in plan.correlations],
            "id": [one.id for one in plan.correlations],
            "whole": [bool(one.peers) for one in plan.correlations],
        },
        schema={
            "index": pl.UInt32(),
            "correlation": pl.String(),
            "id": pl.String(),
            "whole": pl.Boolean(),
        },
    )
    units = plan.units.select("unit", pl.col("correlation").alias("index"))
    part = pl.int_range(pl.len(), dtype=pl.UInt32).over("index").alias("part")
    return units.with_columns(part).join(about, on="index").drop("index")
