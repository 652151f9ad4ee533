"""A block of signals and the tails before it become matches, and the tails after it.

Separate from the fold because this is what one step of it does with windows: each kind of
correlation by its kernel, all units and groups at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import polars as pl

from detectors.correlation import ordered
from detectors.correlation.absence import unanswered
from detectors.correlation.kernels import Kernel, place_of
from detectors.correlation.measures import measured
from detectors.correlation.rows import joined, repeated, told_apart, where
from detectors.correlation.signals import SIGNALS
from detectors.correlation.windows import counted, holds

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

_GROUP: Final = ["unit", "key"]

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
    tails: dict[int, pl.DataFrame]
    """Under SIGNALS, by the level and kernel of their unit: see ``Plan.places``."""
    waiting: pl.DataFrame
    memory: Memory


def steps_of(
    level: int, parts: dict[Kernel, pl.DataFrame], state: State, until_us: list[int]
) -> list[Step]:
    """Return what the kernels give for signals of one level, and keep what later ones need.

    Parameters
        parts: the signals of each kernel, in any order; not those of none.
        until_us: by cluster, the time up to which all signals were given.
    """
    steps = [
        _step_of_windows(rows, place_of(level, kernel), work_out, state)
        for kernel, work_out in _KERNELS
        if (rows := parts.get(kernel)) is not None
    ]
    if (new := parts.get(Kernel.SEEN)) is not None:
        steps.append(_first_seen(new, state))
    if (asking := parts.get(Kernel.AWAITED)) is not None:
        state.waiting = joined([state.waiting, asking])
        steps.append(unanswered_of(state, until_us))
    return [step for step in steps if step is not None and step.matches.height]


def activated(rows: pl.DataFrame, matched: pl.DataFrame) -> pl.DataFrame:
    """Return rows without those that stand on a correlation that did not match at their event."""
    if rows["via"].null_count() == rows.height:
        return rows
    by_itself = where(rows, rows["via"].is_null())
    if matched.is_empty():
        return by_itself
    events = matched.select(pl.col("correlation").alias("via"), "event").unique()
    return joined([by_itself, rows.join(events, on=["via", "event"], how="semi")])


def _step_of_windows(rows: pl.DataFrame, place: int, work_out: Work, state: State) -> Step | None:
    """Return what a kernel gives for signals and the tails of their groups; None: nothing."""
    tails = state.tails.get(place)
    if work_out is _chain:
        rows = _with_a_beginning(rows, tails)
        if rows.is_empty():
            return None
    others = []
    if tails is not None and tails.height:
        mine = told_apart(tails, _GROUP).is_in(told_apart(rows, _GROUP).implode())
        others = [where(tails, ~mine) if mine.any() else tails]
        held = where(tails, mine)
        fresh = repeated(value=True, height=rows.height, name="fresh")
        rows = joined([held, rows]).hstack(
            [repeated(value=False, height=held.height, name="fresh").append(fresh)]
        )
    else:
        rows = rows.hstack([repeated(value=True, height=rows.height, name="fresh")])
    step = work_out(rows.hstack(state.plan.about_units[rows["unit"]]), state.plan)
    state.tails[place] = joined([*others, step.tail])
    return step


def _with_a_beginning(rows: pl.DataFrame, tails: pl.DataFrame | None) -> pl.DataFrame:
    """Return the rows of sequences that have a first step among these rows or the tails.

    The second step of many sequences is ordinary work, such as any request that succeeds.
    """
    begun = [
        where(one[_GROUP], one["base"] == 0)
        for one in (rows, tails)
        if one is not None and one.height
    ]
    firsts = joined(begun)
    if firsts.is_empty():
        return firsts
    return where(rows, told_apart(rows, _GROUP).is_in(told_apart(firsts, _GROUP).implode()))


def _first_seen(rows: pl.DataFrame, state: State) -> Step | None:
    new = state.memory.observe(rows, state.plan.about_units)
    if new.is_empty():
        return None
    # Each new value of a group is an episode of its own: a second stranger is another stranger.
    apart = told_apart(new, ("key", "value")).alias("key")
    return _as_told(new.with_columns(apart).sort("time", "event", "unit", "base"), _of_one)


def is_any_over(state: State, until_us: list[int]) -> bool:
    """Return whether the time of any that wait for an answer is over."""
    waiting = state.waiting
    if waiting.is_empty():
        return False
    deadline = waiting["time"] + state.plan.about_units["timespan"][waiting["unit"]]
    return bool((deadline < pl.Series(until_us, dtype=pl.Int64)[waiting["cluster"]]).any())


def unanswered_of(state: State, until_us: list[int]) -> Step | None:
    """Return the step of those that waited long enough for the time of their cluster, if any."""
    waiting = state.waiting
    until = pl.Series("until", until_us, dtype=pl.Int64)[waiting["cluster"]]
    asking = waiting.hstack([until]).hstack(state.plan.about_units[waiting["unit"]])
    over, still = unanswered(asking.sort(*_GROUP, "time", "event", "base"))
    state.waiting = still[SIGNALS.names()]
    if over.is_empty():
        return None
    over = over.sort("deadline", "event", "unit")
    over = over.rename({"time": "asked"}).hstack([over["deadline"].alias("time")])
    return _as_told(over, _of_absence)


def _as_told(
    rows: pl.DataFrame, evidence: Callable[[pl.DataFrame, Sequence[int]], list[Evidence]]
) -> Step:
    row = pl.int_range(rows.height, dtype=pl.Int64, eager=True).alias("row")
    rows = rows.hstack([row, repeated(value=1.0, height=rows.height, name="count")])
    return Step(rows[MATCHES.names()], rows, evidence, rows[SIGNALS.names()].clear())


def _of_one(rows: pl.DataFrame, at: Sequence[int]) -> list[Evidence]:
    return _alone(rows, at, "time")


def _of_absence(rows: pl.DataFrame, at: Sequence[int]) -> list[Evidence]:
    return _alone(rows, at, "asked")


def _alone(rows: pl.DataFrame, at: Sequence[int], time: str) -> list[Evidence]:
    own = rows[at].select(time, "event", "audit").rows()
    return [
        Evidence([time_us], [event], [audit] * bool(audit), []) for time_us, event, audit in own
    ]


def _count(rows: pl.DataFrame, plan: Plan) -> Step:
    rows = rows.sort(*_IN_ORDER)
    first = rows.select_seq(_COUNTS).to_series()
    rows = (rows if first.all() else where(rows, first)).with_columns_seq(*_BY)
    return _step(counted(rows), plan, "count", _WHOLE)


_IN_ORDER: Final = ("unit", "key", "time", "event", "base")
_COUNTS: Final = (
    pl.col("counts_values")
    | pl.col("counts_rules")
    | pl.struct("unit", "key", "event").is_first_distinct()
)
_BY: Final = (
    pl.col("value").alias("kept_value"),
    pl.when("counts_rules")
    .then(pl.col("base").cast(pl.UInt64))
    .when("counts_values")
    .then("value")
    .alias("value"),
)
"""The kernel tells rows apart by what is counted; the signal's own value stays."""
_WHOLE: Final = pl.struct("unit", "key", "event").is_last_distinct()
"""An event may meet several bases: with the last it is counted in full."""


def _measure(rows: pl.DataFrame, plan: Plan) -> Step:
    rows = rows.sort(*_IN_ORDER)
    units = rows["unit"].unique().to_list()
    index = dict(plan.units.select("unit", "correlation").iter_rows())
    by_unit = {unit: plan.correlations[index[unit]] for unit in units}
    once = pl.struct("unit", "key", "event").is_first_distinct()
    rows = rows.filter(once).with_columns(pl.col("value").alias("kept_value"))
    return _step(measured(rows, by_unit), plan, "measure", None)


def _step(rows: pl.DataFrame, plan: Plan, number: str, once: pl.Expr | None) -> Step:
    holds_at = rows.select_seq(holds(number, plan.compared).alias("holds"), _LAST)
    holding, last = holds_at["holds"] & rows["fresh"], holds_at["last"]
    if once is not None and holding.any():
        holding &= rows.select_seq(once).to_series()
    matches = _as_matches(rows, rows[number].cast(pl.Float64), holding)
    kept = where(rows[[*_KEPT, "group", "tail"]], rows["end"] > last)
    is_new = kept.select_seq(_IS_NEW).to_series()
    kept = kept[_KEPT] if is_new.all() else where(kept[_KEPT], is_new)
    return Step(matches, rows, _in_window, kept.rename({"kept_value": "value"})[SIGNALS.names()])


_KEPT: Final = [*(name for name in SIGNALS if name != "value"), "kept_value"]
_ENDS: Final = (pl.col("group") != pl.col("group").shift(-1)).fill_null(value=True)
_LAST: Final = pl.when(_ENDS).then("row").backward_fill().alias("last")
"""The last row of the group."""
_PLACE: Final = pl.int_range(pl.len(), dtype=pl.Int64)
_IS_NEW: Final = (pl.when(_ENDS).then(_PLACE).backward_fill() - _PLACE) < pl.col("tail")
"""Whether a row is among the newest of its group, of as many as the unit needs."""


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
    count = chains["base"].cast(pl.Float64) + 1
    matches = _as_matches(chains, count, chains["match"] & chains["fresh"])
    alive = chains.select_seq(_ALIVE).to_series()
    kept = where(chains[SIGNALS.names()], ordered.still_needed(chains) & alive)
    return Step(matches, chains, _of_chain, kept)


_ALIVE: Final = (
    pl.col("start") + pl.col("timespan") > pl.when(_ENDS).then("time").backward_fill()
).fill_null(value=False)
"""Whether a chain may still be continued when the last event of its group has happened."""


def _of_chain(chains: pl.DataFrame, at: Sequence[int]) -> list[Evidence]:
    steps = [
        (nth, row) for nth, end in enumerate(at) for row in ordered.chain_ending_at(chains, end)
    ]
    spans = pl.DataFrame(steps, schema={"nth": pl.UInt32, "place": pl.Int64}, orient="row")
    own = pl.concat([spans, chains.select(_NAMED)[spans["place"]]], how="horizontal")
    return _named(own, len(at))


def _as_matches(rows: pl.DataFrame, count: pl.Series, wanted: pl.Series) -> pl.DataFrame:
    found = where(rows[MATCHES.names()[:-1]], wanted)
    return found.hstack([count.filter(wanted).alias("count")])


Work: TypeAlias = "Callable[[pl.DataFrame, Plan], Step]"
"""What a kernel does with signals of one level, with ``fresh`` and ``Plan.about_units``. Those that
are not fresh are the tails of their groups, and match no more."""

_KERNELS: Final[tuple[tuple[Kernel, Work], ...]] = (
    (Kernel.COUNTED, _count),
    (Kernel.MEASURED, _measure),
    (Kernel.CHAINED, _chain),
)
