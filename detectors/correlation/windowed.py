"""A block of signals and the tails before it become matches, and the tails after it.

Separate from the fold because this is what one step of it does with windows: each kind of
correlation by its kernel, all units and groups at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

from detectors.correlation import ordered
from detectors.correlation.absence import unanswered
from detectors.correlation.measures import measured
from detectors.correlation.plan import COUNTED, MEASURED
from detectors.correlation.signals import SIGNALS
from detectors.correlation.windows import counted, holds
from detectors.sigma.correlation import CorrelationType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from detectors.correlation.first_seen import Memory
    from detectors.correlation.plan import Plan

MATCHES: Final = pl.Schema(
    {
        "correlation": pl.UInt32(),
        "unit": pl.UInt32(),
        "cluster": pl.UInt32(),
        "key": pl.UInt64(),
        "time": pl.Int64(),
        "event": pl.String(),
        "base": pl.UInt8(),
        "row": pl.Int64(),
        "count": pl.Float64(),
    }
)

_GROUP: Final = ("unit", "key")
_SPREAD: Final = pl.lit(0x9E3779B97F4A7C15, dtype=pl.UInt64)
"""An odd number without pattern: two hashes become one (Knuth, TAOCP 6.4)."""

MAX_EVIDENCE: Final = 100
"""Events that a finding names; the count says how many there are."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a match rests on, first to last."""

    times: list[int]
    events: list[str]
    audit_ids: list[str]
    values: list[str]

    def add(self, time_us: int, event: str, audit: str | None, value: str | None) -> None:
        """Take up one more event; what was said before is not said again."""
        self.times.append(time_us)
        self.events.append(event)
        if audit is not None and audit not in self.audit_ids:
            self.audit_ids.append(audit)
        if value is not None and value not in self.values:
            self.values.append(value)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What one kernel gives for a block."""

    matches: pl.DataFrame
    """Under MATCHES."""
    rows: pl.DataFrame
    evidence: Callable[[pl.DataFrame, Sequence[int]], list[Evidence]]
    """Of ``rows`` and the rows of some matches: all at once, since each call of Polars costs as
    much as hundreds of rows."""
    tail: pl.DataFrame
    """Under SIGNALS: what later signals of these groups need."""


class State(Protocol):
    """What steps need of a state, and change in it."""

    plan: Plan
    tails: pl.DataFrame
    waiting: pl.DataFrame
    memory: Memory
    folded_us: list[int]


def steps_of(rows: pl.DataFrame, state: State) -> list[Step]:
    """Return what the kernels give for signals of one level, and keep what later ones need."""
    plan = state.plan
    learns = pl.col("unit").is_in(plan.units_of(CorrelationType.FIRST_SEEN))
    waits = pl.col("unit").is_in(plan.units_of(CorrelationType.ABSENCE))
    steps = []
    windowed = _with_a_beginning(rows.filter(~learns & ~waits), state)
    if windowed.height:
        keys = windowed.select(_GROUP).unique()
        held = state.tails.join(keys, on=_GROUP, how="semi")
        both = pl.concat([held.with_columns(fresh=False), windowed.with_columns(fresh=True)])
        steps = windows(both, plan)
        others = state.tails.join(keys, on=_GROUP, how="anti")
        state.tails = pl.concat([others, *(step.tail for step in steps)])
    if (new := rows.filter(learns)).height:
        steps.append(_first_seen(new, state))
    if (asking := rows.filter(waits)).height:
        state.waiting = pl.concat([state.waiting, asking])
        steps.append(unanswered_of(state))
    return steps


def _with_a_beginning(rows: pl.DataFrame, state: State) -> pl.DataFrame:
    """Return the rows without later steps of a sequence that has no first one.

    The second step of many sequences is ordinary work, such as any request that succeeds.
    """
    ordered = state.plan.units_of(CorrelationType.TEMPORAL_ORDERED)
    later = pl.col("unit").is_in(ordered) & (pl.col("base") > 0)
    if not ordered or (waiting := rows.filter(later)).is_empty():
        return rows
    first = pl.col("unit").is_in(ordered) & (pl.col("base") == 0)
    begun = pl.concat([one.filter(first).select(_GROUP) for one in (state.tails, rows)]).unique()
    alive = waiting.join(begun, on=_GROUP, how="semi", maintain_order="left")
    return pl.concat([rows.filter(~later), alive])


def _first_seen(rows: pl.DataFrame, state: State) -> Step:
    joined = rows.join(state.plan.units, on="unit", how="left", maintain_order="left")
    new = state.memory.observe(joined).sort("time", "event", "unit", "base")
    # Each new value of a group is an episode of its own: a second stranger is another stranger.
    return _as_told(new.with_columns(pl.col("key") * _SPREAD + pl.col("value")), _of_one)


def unanswered_of(state: State) -> Step:
    """Return the step of those that waited long enough for the time of their cluster."""
    until = pl.Series("until", state.folded_us, dtype=pl.Int64).gather(state.waiting["cluster"])
    joined = state.waiting.with_columns(until).join(state.plan.units, on="unit", how="left")
    over, still = unanswered(joined.sort(*_GROUP, "time", "event", "base"))
    state.waiting = still.select(SIGNALS.names())
    over = over.sort("deadline", "event", "unit").with_columns(
        pl.col("time").alias("asked"), pl.col("deadline").alias("time")
    )
    return _as_told(over, _of_absence)


def _as_told(
    rows: pl.DataFrame, evidence: Callable[[pl.DataFrame, Sequence[int]], list[Evidence]]
) -> Step:
    rows = rows.with_columns(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("row"), pl.lit(1.0).alias("count")
    )
    return Step(_as_matches(rows), rows, evidence, pl.DataFrame(schema=SIGNALS))


def _of_one(rows: pl.DataFrame, at: Sequence[int]) -> list[Evidence]:
    return _alone(rows, at, "time")


def _of_absence(rows: pl.DataFrame, at: Sequence[int]) -> list[Evidence]:
    return _alone(rows, at, "asked")


def _alone(rows: pl.DataFrame, at: Sequence[int], time: str) -> list[Evidence]:
    own = rows[at].select(time, "event", "audit").rows()
    return [
        Evidence([time_us], [event], [audit] * bool(audit), []) for time_us, event, audit in own
    ]


def windows(rows: pl.DataFrame, plan: Plan) -> list[Step]:
    """Return what each kernel gives.

    Parameters
    ----------
    rows
        Signals of one level, with ``fresh``: their groups' tails stand among them and match no
        more. No unit is ``first_seen`` or ``absence``.
    """
    joined = rows.join(plan.units, on="unit", how="left")
    kinds = (
        (plan.units_of(*COUNTED), _count),
        (plan.units_of(*MEASURED), _measure),
        (plan.units_of(CorrelationType.TEMPORAL_ORDERED), _chain),
    )
    found = []
    for units, kernel in kinds:
        own = joined.filter(pl.col("unit").is_in(units)) if units else joined.clear()
        if own.height:
            found.append(kernel(own.sort(*ordered.BACKWARDS[:4], "base"), plan))
    return found


def _count(rows: pl.DataFrame, plan: Plan) -> Step:
    events = plan.units_of(CorrelationType.EVENT_COUNT)
    rules = plan.units_of(CorrelationType.TEMPORAL)
    of_events = pl.col("unit").is_in(events)
    once = pl.struct("unit", "key", "event").is_first_distinct()
    value = (
        pl.when(pl.col("unit").is_in(rules))
        .then(pl.col("base").cast(pl.UInt64))
        .when(~of_events)
        .then("value")
    )
    rows = counted(rows.filter(~of_events | once).with_columns(value.alias("number_of")).pipe(_by))
    whole = pl.struct("unit", "key", "event").is_last_distinct()  # an event may meet several bases
    return _step(rows, whole & holds(pl.col("count").cast(pl.Float64)), "count")


def _by(rows: pl.DataFrame) -> pl.DataFrame:
    """Let the kernel tell rows apart by what is counted; the signal's own value stays."""
    return rows.rename({"value": "kept_value", "number_of": "value"})


def _measure(rows: pl.DataFrame, plan: Plan) -> Step:
    units = rows["unit"].unique().to_list()
    index = dict(plan.units.select("unit", "correlation").iter_rows())
    by_unit = {unit: plan.correlations[index[unit]] for unit in units}
    once = pl.struct("unit", "key", "event").is_first_distinct()
    return _step(measured(rows.filter(once), by_unit), holds(pl.col("measure")), "measure")


def _step(rows: pl.DataFrame, test: pl.Expr, number: str) -> Step:
    matches = rows.filter(test & pl.col("fresh"))
    matches = matches.with_columns(pl.col(number).cast(pl.Float64).alias("count"))
    last = pl.col("row").max().over("group")
    kept = rows.filter(pl.col("end") > last)
    rank = pl.col("row").rank("ordinal", descending=True).over("group")
    kept = kept.filter(rank <= pl.col("tail"))
    if "kept_value" in kept.columns:
        kept = kept.drop("value").rename({"kept_value": "value"})
    return Step(_as_matches(matches), rows, _in_window, kept.select(SIGNALS.names()))


def _in_window(rows: pl.DataFrame, at: Sequence[int]) -> list[Evidence]:
    """Return what counts at some rows; all of them are of one group, and follow each other."""
    upto = pl.Series("at", at, dtype=pl.Int64)
    # Expiries never fall: a row before the first that is not over at `at` is too old for it.
    oldest = rows["expiry"].search_sorted(upto, side="right").cast(pl.Int64)
    spans = pl.DataFrame({"at": upto, "oldest": oldest}).with_row_index("nth")
    within = spans.select("nth", "at", pl.int_ranges("oldest", pl.col("at") + 1).alias("place"))
    within = within.explode("place")
    own = pl.concat([within, rows.select("end", *_NAMED)[within["place"]]], how="horizontal")
    return _named(own.filter(pl.col("end") > pl.col("at")), len(at))


_NAMED: Final = ("time", "event", "audit", "text")


def _named(own: pl.DataFrame, runs: int) -> list[Evidence]:
    """Return the evidence of each run, of rows in order that say in ``nth`` whose they are."""
    events = own.unique(["nth", "event"], keep="first", maintain_order=True)
    found = [Evidence([], [], [], []) for _ in range(runs)]
    kept = events.filter(pl.int_range(pl.len()).over("nth") < MAX_EVIDENCE)
    for nth, time, event, audit, text in kept.select("nth", *_NAMED).iter_rows():
        found[nth].add(time, event, audit, text)
    return found


def _chain(rows: pl.DataFrame, _: Plan) -> Step:
    descending = [False] * 4 + [True]
    chains = ordered.chained(rows.sort(*ordered.BACKWARDS, descending=descending))
    matches = chains.filter(pl.col("match") & pl.col("fresh")).with_columns(
        (pl.col("base").cast(pl.Float64) + 1).alias("count")
    )
    last = pl.col("time").max().over("group")
    alive = pl.col("start") + pl.col("timespan") > last
    kept = chains.filter(ordered.still_needed(chains)).filter(alive.fill_null(value=False))
    return Step(_as_matches(matches), chains, _of_chain, kept.select(SIGNALS.names()))


def _of_chain(chains: pl.DataFrame, at: Sequence[int]) -> list[Evidence]:
    steps = [
        (nth, row) for nth, end in enumerate(at) for row in ordered.chain_ending_at(chains, end)
    ]
    spans = pl.DataFrame(steps, schema={"nth": pl.UInt32, "place": pl.Int64}, orient="row")
    own = pl.concat([spans, chains.select(_NAMED)[spans["place"]]], how="horizontal")
    return _named(own, len(at))


def _as_matches(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(MATCHES.names()).cast(dict(MATCHES))  # type: ignore[arg-type]  # a schema is a mapping
