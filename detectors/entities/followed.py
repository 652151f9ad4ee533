"""Of processes only those are remembered that run where somebody has entered: facts in, fewer out.

Separate from the facts, which follow from events alone: whether somebody is inside follows from the
memory. Without it every program of every container would be remembered, which a cluster's memory
has no room for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.entities.relation import GONE_PREFIX, JOINT, KINDS, NUMBERS, Relation

if TYPE_CHECKING:
    from detectors.entities.memory import EntityMemory

_PROCESS: Final = pl.col("relation") == NUMBERS[Relation.PROCESS_PARENT]
_SESSION: Final = pl.col("relation") == NUMBERS[Relation.POD_SESSION]
_FOR: Final = KINDS[Relation.POD_SESSION].keep


def followed(facts: pl.DataFrame, memory: EntityMemory) -> pl.DataFrame:
    """Return facts, in their order, without the processes of pods that nobody entered before.

    Parameters
        facts: under FACTS, in order of time, of the memory's cluster and not learned yet.
    """
    is_process = facts.select(_PROCESS).to_series()
    if not is_process.any():
        return facts
    pods = facts.select(
        pl.when(_PROCESS).then(pl.col("object").str.split(JOINT).list.first()).alias("pod"), "time"
    ).with_row_index("place")
    asked = pods.filter(is_process)
    known = memory.about(asked["pod"].unique()).of(Relation.POD_SESSION)
    entered = pl.concat(
        [
            known.select(pl.col("name").alias("pod"), "object", "time"),
            facts.filter(_SESSION).select(pl.col("subject").alias("pod"), "object", "time"),
        ]
    ).filter(~pl.col("object").str.starts_with(GONE_PREFIX))
    newest = entered.select("pod", "time", pl.col("time").alias("since")).sort("time")
    found = asked.sort("time").join_asof(
        newest, on="time", by="pod", strategy="backward", check_sortedness=False
    )
    lately = pl.col("time") - pl.col("since") < pl.lit(_FOR).dt.total_microseconds()
    dropped = found.filter(~lately.fill_null(value=False))["place"]
    if dropped.is_empty():
        return facts
    stays = ~pl.int_range(facts.height, dtype=pl.UInt32, eager=True).is_in(dropped.implode())
    return facts.filter(stays)
