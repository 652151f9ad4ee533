"""A pack's correlations become a plan: which hits feed which window, and what each window asks.

Separate from the fold, because it is worked out once for a pack and used for each batch. A *unit*
is one window that is kept: a correlation has one, or one for each alternative of its expression.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.circumstances import READ_BY_WORDS
from detectors.correlation.kernels import KERNELS, Kernel, place_of
from detectors.finding import COPIED, RELATED
from detectors.known_columns import KNOWN_DTYPES
from detectors.sigma.correlation import (
    Bound,
    Comparison,
    Correlation,
    CorrelationType,
    Learning,
)
from ingest.schema import DTYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from detectors.sigma.pack import Pack
    from detectors.sigma.rule import Rule

STATE_ROWS: Final = 1_000_000
"""Rows of state that a cluster may have, some 90 bytes each: what is oldest goes beyond."""

_ALWAYS: Final = (
    "event.id",
    "event.created",
    "@timestamp",
    "trailwarden.parse.issues",
    "trailwarden.act.id",
    "kubernetes.audit.auditID",
    "trailwarden.authorization.decision",
)

UNITS_SCHEMA: Final = pl.Schema(
    {
        "unit": pl.UInt32(),
        "correlation": pl.UInt32(),
        "timespan": pl.Int64(),
        "last_base": pl.UInt8(),
        "tail": pl.UInt32(),
        **{comparison.value: pl.Float64() for comparison in Comparison},
        "learn_events": pl.UInt32(),
        "learn_time": pl.Int64(),
    }
)
MAX_TAIL: Final = 10_000
"""Rows of one group that a window may need; beyond, the oldest are dropped and counted."""


@dataclass(frozen=True, slots=True, eq=False)
class Feed:
    """Hits of one rule that are signals of one unit."""

    rule: int
    """Index in ``Pack.rules``."""
    unit: int
    base: int
    via: int | None
    """Index of the correlation that must have matched at the event, for the signal to count."""
    group_by: tuple[str, ...]
    values: tuple[str, ...]
    """Columns of the value that is counted or seen first; empty: none."""
    number: str | None
    peers: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How a pack's correlations are folded."""

    correlations: tuple[Correlation, ...]
    pack_rules: tuple[Rule, ...]
    silent: frozenset[str]
    units: pl.DataFrame
    """One row for each, under UNITS_SCHEMA."""
    feeds: tuple[Feed, ...]
    levels: tuple[frozenset[int], ...]
    """Units by how many correlations stand below them; those of a level need nothing of it."""
    columns: tuple[str, ...]
    """Columns of events that findings of correlations show."""
    rules: frozenset[int]
    """Indices of the rules that feed anything."""
    kept_rules: frozenset[int]
    """Of these, the ones whose events are evidence in themselves: all but those that only serve to
    learn what is usual."""
    feeding: pl.DataFrame
    """The feeds as rows: ``feed``, ``rule``, ``unit``, ``base``, ``via``, and for ``group``,
    ``values``, ``peers``, ``number_of`` and ``shown`` an index in ``shapes`` each, null where there
    is none. Those of the same ``signal`` have the same unit, base and via."""
    shapes: tuple[tuple[str, ...], ...]
    """Combinations of columns that signals are told apart by."""
    read: tuple[str, ...]
    """Columns of events that signals are made of."""
    across_clusters: bool = False
    """Whether groups reach over clusters: all clusters then have one time."""
    state_rows: int = STATE_ROWS
    """Of each cluster."""

    places: pl.Series = field(init=False)
    """By unit: the level that it stands on and its kernel, as `place_of` numbers them."""
    learns: pl.Series = field(init=False)
    """By unit: whether it is one of ``first_seen``."""
    awaits: pl.Series = field(init=False)
    """By unit: whether it is one of ``absence``."""
    about_units: pl.DataFrame = field(init=False)
    """By unit, what kernels ask: the columns of ``units`` without its number, and besides
    ``counts_values`` and ``counts_rules``."""
    compared: tuple[Comparison, ...] = field(init=False)
    """The comparisons that any unit makes."""
    alone: pl.DataFrame = field(init=False)
    """``rule``, ``correlation`` and ``base`` of correlations for which one event is enough."""
    bases: tuple[tuple[Rule, ...], ...] = field(init=False)
    """By correlation: the rules that it joins, whatever stands between."""

    def __post_init__(self) -> None:
        """Work out what is asked again and again."""
        by_type: dict[CorrelationType, list[int]] = {kind: [] for kind in CorrelationType}
        owner: dict[int, int] = {}
        for unit, index in self.units.select("unit", "correlation").iter_rows():
            by_type[self.correlations[index].type].append(unit)
            owner[unit] = index
        joined: list[dict[int, Rule]] = [{} for _ in self.correlations]
        for feed in self.feeds:
            joined[owner[feed.unit]][feed.rule] = self.pack_rules[feed.rule]
        single = {
            feed.unit
            for feed in self.feeds
            if self.correlations[owner[feed.unit]].type is CorrelationType.EVENT_COUNT
            and all(_is_met_by_one(bound) for bound in self.correlations[owner[feed.unit]].bounds)
            and self.correlations[owner[feed.unit]].id not in self.silent
            and not self.across_clusters
        }
        alone = [
            (feed.rule, owner[feed.unit], feed.base)
            for feed in self.feeds
            if feed.unit in single and feed.via is None
        ]
        schema = {"rule": pl.UInt32(), "correlation": pl.UInt32(), "base": pl.UInt8()}
        object.__setattr__(self, "alone", pl.DataFrame(alone, schema=schema, orient="row"))
        object.__setattr__(self, "places", self._places())
        object.__setattr__(self, "about_units", self._about_units(by_type))
        object.__setattr__(self, "learns", self._units_that(by_type[_SEEN]))
        object.__setattr__(self, "awaits", self._units_that(by_type[CorrelationType.ABSENCE]))
        compared = (one for one in Comparison if self.units[one.value].count())
        object.__setattr__(self, "compared", tuple(compared))
        object.__setattr__(self, "bases", tuple(tuple(found.values()) for found in joined))

    def _places(self) -> pl.Series:
        found = [0] * self.units.height
        for number, index in self.units.select("unit", "correlation").iter_rows():
            level = next(n for n, units in enumerate(self.levels) if number in units)
            found[number] = place_of(level, KERNELS[self.correlations[index].type])
        return pl.Series(found, dtype=pl.UInt16)

    def _units_that(self, chosen: Iterable[int]) -> pl.Series:
        return pl.int_range(self.units.height, eager=True).is_in(list(chosen))

    def _about_units(self, by_type: Mapping[CorrelationType, list[int]]) -> pl.DataFrame:
        counted = {
            "counts_values": by_type[CorrelationType.VALUE_COUNT],
            "counts_rules": by_type[CorrelationType.TEMPORAL],
        }
        unit = pl.col("unit")
        told = (unit.is_in(units).alias(name) for name, units in counted.items())
        return self.units.with_columns(told).drop("unit")


def _is_met_by_one(bound: Bound) -> bool:
    return (bound.comparison is Comparison.GTE and bound.number <= 1) or (
        bound.comparison is Comparison.GT and bound.number < 1
    )


def plan_for(
    pack: Pack,
    *,
    learning_time: bool = False,
    across_clusters: bool = False,
    state_rows: int = STATE_ROWS,
) -> Plan:
    """Return the plan for a pack's correlations, or for those across clusters.

    Parameters
        learning_time: whether ``first_seen`` asks for the time of its learning as well; a scan,
            whose log may be shorter than that, asks for events only.
        across_clusters: the plan for correlations whose groups reach over clusters, else for the
            others. One that builds on another is in the plan of its own kind.
    """
    chosen = tuple(c for c in pack.correlations if c.across_clusters is across_clusters)
    rules = {rule.id: index for index, rule in enumerate(pack.rules)}
    index_of = {correlation.id: index for index, correlation in enumerate(chosen)}
    feeds: list[Feed] = []
    units: list[tuple[object, ...]] = []
    level_of: list[int] = []
    unit_level: list[int] = []
    for index, correlation in enumerate(chosen):
        below = [index_of[base.id] for base in correlation.bases if base.id in index_of]
        level_of.append(max((level_of[one] + 1 for one in below), default=0))
        for part in correlation.expression or (None,):
            unit = len(units)
            units.append(_unit(unit, index, correlation, part, learning_time=learning_time))
            unit_level.append(level_of[index])
            feeds += _feeds(unit, correlation, part, _Known(rules, index_of, chosen))
    levels = [
        frozenset(unit for unit, own in enumerate(unit_level) if own == level)
        for level in range(max(unit_level, default=-1) + 1)
    ]
    learners = {unit for unit, row in enumerate(units) if chosen[int(str(row[1]))].type is _SEEN}
    return Plan(
        chosen,
        pack.rules,
        pack.silent,
        pl.DataFrame(units, UNITS_SCHEMA, orient="row"),
        tuple(feeds),
        tuple(levels),
        _columns(chosen, DTYPES if across_clusters else KNOWN_DTYPES),
        frozenset(feed.rule for feed in feeds),
        frozenset(feed.rule for feed in feeds if feed.unit not in learners),
        *_feeding(feeds, learners, () if across_clusters else (_CLUSTER,)),
        across_clusters,
        state_rows,
    )


_CLUSTER: Final = "orchestrator.cluster.name"
_FEEDING: Final = {
    "rule": pl.UInt32(),
    "unit": pl.UInt32(),
    "base": pl.UInt8(),
    "via": pl.UInt32(),
    "group": pl.UInt32(),
    "values": pl.UInt32(),
    "peers": pl.UInt32(),
    "number_of": pl.UInt32(),
    "shown": pl.UInt32(),
}


def _feeding(
    feeds: Iterable[Feed], learners: set[int], within: tuple[str, ...]
) -> tuple[pl.DataFrame, tuple[tuple[str, ...], ...], tuple[str, ...]]:
    """Return feeds as a frame, the combinations of columns they ask for, and all these columns.

    Parameters
        within: columns that stand before those of each group.
    """
    shapes: dict[tuple[str, ...], int] = {}

    def shape(columns: tuple[str, ...]) -> int:
        return shapes.setdefault(tuple(dict.fromkeys(columns)), len(shapes))

    rows = [
        (
            feed.rule,
            feed.unit,
            feed.base,
            feed.via,
            shape(within + feed.group_by),
            shape(feed.values) if feed.values else None,
            shape(within + feed.peers) if feed.peers else None,
            shape((feed.number,)) if feed.number else None,
            shape(feed.values) if feed.values and feed.unit not in learners else None,
        )
        for feed in feeds
    ]
    always = ("@timestamp", _CLUSTER, "event.id", "kubernetes.audit.auditID")
    read = dict.fromkeys((*always, *(column for columns in shapes for column in columns)))
    feeding = pl.DataFrame(rows, schema=_FEEDING, orient="row").with_row_index("feed")
    signal = pl.struct("unit", "base", "via").rank("dense").cast(pl.UInt64).alias("signal")
    return feeding.with_columns(signal), tuple(shapes), tuple(read)


_SEEN: Final = CorrelationType.FIRST_SEEN


@dataclass(frozen=True, slots=True)
class _Known:
    rules: dict[str, int]
    index_of: dict[str, int]
    correlations: tuple[Correlation, ...]

    def rules_below(self, identifier: str) -> Iterator[int]:
        """Yield the rules whose events may complete a base: its own, or those under it."""
        if identifier in self.rules:
            yield self.rules[identifier]
        else:
            for base in self.correlations[self.index_of[identifier]].bases:
                yield from self.rules_below(base.id)


def _unit(
    unit: int,
    index: int,
    correlation: Correlation,
    part: frozenset[int] | None,
    *,
    learning_time: bool,
) -> tuple[object, ...]:
    wanted: dict[str, float] = {
        bound.comparison.value: bound.number for bound in correlation.bounds
    }
    bases = len(correlation.bases)
    if correlation.type is CorrelationType.TEMPORAL and not wanted:
        wanted = {"gte": float(len(part) if part is not None else bases)}
    learning = correlation.learning if correlation.type is _SEEN else Learning(0, 0)
    return (
        unit,
        index,
        correlation.timespan_us,
        bases - 1,
        _tail(correlation.type, wanted),
        *(wanted.get(comparison.value) for comparison in Comparison),
        learning.events,
        learning.time_us if learning_time else 0,
    )


def _tail(kind: CorrelationType, wanted: dict[str, float]) -> int:
    """Return how many rows of a group a window must keep so that nothing is lost.

    To know whether there are at least n, the newest n - 1 rows of before are enough, or the newest
    n values: the next may have one of them.
    """
    if KERNELS[kind] is Kernel.COUNTED and wanted.keys() <= {"gt", "gte"}:
        needed = max(wanted.get("gt", 0.0) + 1, wanted.get("gte", 1.0))
        spare = kind is CorrelationType.EVENT_COUNT
        return max(1, min(MAX_TAIL, int(needed) - spare))
    return MAX_TAIL


def _feeds(
    unit: int, correlation: Correlation, part: frozenset[int] | None, known: _Known
) -> Iterator[Feed]:
    measured = KERNELS[correlation.type] is Kernel.MEASURED
    seen: set[tuple[int, int]] = set()
    for number, base in enumerate(correlation.bases):
        if part is not None and number not in part:
            continue
        via = None if base.id in known.rules else known.index_of[base.id]
        for rule in known.rules_below(base.id):
            if (rule, number) not in seen:
                seen.add((rule, number))
                yield Feed(
                    rule,
                    unit,
                    number,
                    via,
                    base.group_by,
                    () if measured else correlation.fields,
                    correlation.fields[0] if measured else None,
                    correlation.peers,
                )


def _columns(correlations: Iterable[Correlation], known: Iterable[str]) -> tuple[str, ...]:
    wanted = {*COPIED, *RELATED, *_ALWAYS}
    for one in correlations:
        wanted.update(one.fields, one.peers, one.recalled, *(base.group_by for base in one.bases))
        told = one.message.columns if one.message else ()
        wanted.update(told, (READ_BY_WORDS[name] for name in told if name in READ_BY_WORDS))
    return tuple(column for column in known if column in wanted)
