"""A correlation and its cases become a score, as those of a rule do (detectors/mutation.py).

Turned round are the conditions of the rules that stand in its own file; of it, and of correlations
below it in its file, each bound's number is moved by one both ways, and each base and each column
of the group is left out. Rules of other files have cases of their own. Separate because a mutant
here has to be folded, on hits that the bits of its rules say.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors import bitset
from detectors.case_events import end_us
from detectors.correlation.fold import OverTime
from detectors.correlation.plan import plan_for
from detectors.mutation import Mutant, Turn, as_known, conditions, holds, truths_of
from detectors.sigma.correlation import Comparison, CorrelationType
from detectors.sigma.pack import Pack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from detectors.case_events import CaseEvents
    from detectors.cases import Case
    from detectors.correlation.plan import Plan
    from detectors.sigma.correlation import Bound, Correlation
    from detectors.sigma.pack import Detection
    from detectors.sigma.rule import Rule
    from detectors.sigma.tree import Tree

_CLUSTER: Final = "orchestrator.cluster.name"
_SPACE: Final = " "

Change = tuple[Turn, str, "Correlation"]


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """What all mutants of one correlation share."""

    correlation: Correlation
    rules: tuple[Rule, ...]
    below: tuple[Correlation, ...]
    """It and those it builds on, each behind its own bases."""
    cases: CaseEvents
    apart: pl.DataFrame
    """The events, each case in clusters of its own, so that one fold tells all cases."""
    truths: Mapping[str, Mapping[str, int]]
    """By the id of a rule."""

    @property
    def every(self) -> int:
        """Return the bits of all rows."""
        return bitset.all_ones(self.cases.events.height)


def mutants_over_time(
    correlation: Correlation,
    pack: Pack,
    words: Callable[[Rule], Mapping[int, str]],
    cases: CaseEvents,
) -> tuple[Mutant, ...]:
    """Return each change of a correlation, and whether one of its cases notices.

    Parameters
        pack: what the correlation is of.
        words: how the parts of a rule's condition are called, by ``id``.

    The correlation itself must decide all cases as they say; else all would be noticed.
    """
    trial = _trial(correlation, pack, cases)
    return (*_of_rules(trial, words), *_of_correlations(trial))


def _trial(correlation: Correlation, pack: Pack, cases: CaseEvents) -> _Trial:
    wanted = {correlation.id}
    for one in reversed(pack.correlations):
        if one.id in wanted:
            wanted |= {base.id for base in one.bases}
    rules = tuple(rule for rule in pack.rules if rule.id in wanted)
    below = tuple(one for one in pack.correlations if one.id in wanted)
    cases = as_known((rule.tree for rule in rules), cases)
    truths = {rule.id: truths_of(rule.tree, cases.events) for rule in rules}
    return _Trial(correlation, rules, below, cases, _apart(cases), truths)


def _apart(cases: CaseEvents) -> pl.DataFrame:
    """Return the events with the number of their case in the names of clusters and events.

    Cases may be made of the same records: an id that two share would be one event.
    """
    owners = {row: number for number, rows in enumerate(cases.rows) for row in rows}
    numbers = pl.Series([f"{owners[row]}{_SPACE}" for row in range(cases.events.height)])
    named = [(numbers + cases.events[name]).alias(name) for name in (_CLUSTER, "event.id")]
    return cases.events.with_columns(named)


def _of_rules(trial: _Trial, words: Callable[[Rule], Mapping[int, str]]) -> Iterator[Mutant]:
    usual = {rule.id: _rows(trial, rule, None) for rule in trial.rules}
    plan = _plan(trial, trial.below)
    for rule in trial.rules:
        if rule.file != trial.correlation.file:
            continue
        for one in conditions(rule.tree, words(rule)):
            changed = _rows(trial, rule, one.part)
            same = changed == usual[rule.id]
            noticed = not same and _is_noticed(trial, plan, usual | {rule.id: changed})
            yield Mutant(one.turn, f"{rule.name or rule.title}: {one.what}", noticed)


def _rows(trial: _Trial, rule: Rule, turned: Tree | None) -> int:
    return holds(rule.tree, trial.truths[rule.id], trial.every, turned)


def _of_correlations(trial: _Trial) -> Iterator[Mutant]:
    usual = {rule.id: _rows(trial, rule, None) for rule in trial.rules}
    for at, one in enumerate(trial.below):
        if one.file != trial.correlation.file:
            continue
        for turn, what, changed in changes(one):
            below = (*trial.below[:at], changed, *trial.below[at + 1 :])
            noticed = _is_noticed(trial, _plan(trial, below), usual)
            named = what if one is trial.correlation else f"{one.name or one.title}: {what}"
            yield Mutant(turn, named, noticed)


def changes(correlation: Correlation) -> Iterator[Change]:
    """Yield each change of a correlation's own section: what it is, in words, and the result."""
    for at, bound in enumerate(correlation.bounds):
        for step in (1, -1):
            moved = replace(bound, number=bound.number + step)
            if _is_met_by_any(correlation, bound) and _is_met_by_any(correlation, moved):
                continue  # no case could tell the two apart
            bounds = (*correlation.bounds[:at], moved, *correlation.bounds[at + 1 :])
            what = f"{bound.comparison} {bound.number:g} moved to {moved.number:g}"
            yield Turn.BOUND, what, replace(correlation, bounds=bounds)
    if len(correlation.bases) > 1:
        for at, base in enumerate(correlation.bases):
            yield Turn.BASE, f"base {base.name} left out", _without_base(correlation, at)
    for at, column in enumerate(correlation.group_by):
        left = _without(correlation.group_by, at)
        bases = tuple(
            replace(base, group_by=_without(base.group_by, at)) for base in correlation.bases
        )
        changed = replace(correlation, group_by=left, bases=bases)
        yield Turn.GROUP_BY, f"group-by {column} left out", changed


def _is_met_by_any(correlation: Correlation, bound: Bound) -> bool:
    """Return whether one event is enough, as there is at least one where a window is looked at."""
    if correlation.type not in {CorrelationType.EVENT_COUNT, CorrelationType.VALUE_COUNT}:
        return False
    least = {Comparison.GTE: 1, Comparison.GT: 0}
    return bound.comparison in least and bound.number <= least[bound.comparison]


def _without_base(correlation: Correlation, at: int) -> Correlation:
    """Return a correlation without one base; in its expression that base counts as fulfilled."""
    sets = tuple(
        frozenset(index - (index > at) for index in one if index != at)
        for one in correlation.expression
    )
    bases = (*correlation.bases[:at], *correlation.bases[at + 1 :])
    return replace(correlation, bases=bases, expression=tuple(one for one in sets if one))


def _without(columns: tuple[str, ...], at: int) -> tuple[str, ...]:
    return (*columns[:at], *columns[at + 1 :])


def _plan(trial: _Trial, below: tuple[Correlation, ...]) -> Plan:
    every: tuple[Detection, ...] = (*trial.rules, *below)
    silent = frozenset(one.id for one in every) - {trial.correlation.id}
    pack = Pack(trial.rules, below, silent)
    return plan_for(pack, across_clusters=trial.correlation.across_clusters)


def _is_noticed(trial: _Trial, plan: Plan, hits: Mapping[str, int]) -> bool:
    """Return whether some case comes out otherwise than it says."""
    if not trial.correlation.across_clusters:
        cases = trial.cases.cases
        found = _findings(plan, trial.apart, _pairs(trial, hits), dict(_ends(trial)))
        count = Counter(int(name.partition(_SPACE)[0]) for name in found)
        return any(_differs(case, count[number]) for number, case in enumerate(cases))
    return any(_notices(trial, plan, hits, n, case) for n, case in enumerate(trial.cases.cases))


def _notices(trial: _Trial, plan: Plan, hits: Mapping[str, int], number: int, case: Case) -> bool:
    """Return what one case, folded alone, says: across clusters all cases would be one group."""
    rows = pl.Series(trial.cases.rows[number], dtype=pl.UInt32)
    numbers = pl.DataFrame({"row": rows}).with_row_index("own")
    pairs = _pairs(trial, hits).join(numbers, on="row").select(pl.col("own").alias("row"), "rule")
    until_us = end_us(case)
    events = trial.cases.of(number)
    ends = {} if until_us is None else dict.fromkeys(events[_CLUSTER].unique(), until_us)
    return _differs(case, len(_findings(plan, events, pairs, ends)))


def _differs(case: Case, found: int) -> bool:
    wanted = found > 0 if case.findings is None else found == case.findings
    return wanted is not case.expected


def _ends(trial: _Trial) -> Iterator[tuple[str, int]]:
    """Yield until when each cluster of a case that says so is watched."""
    for case, rows in zip(trial.cases.cases, trial.cases.rows, strict=True):
        until_us = end_us(case)
        if until_us is not None:
            yield from ((name, until_us) for name in trial.apart[list(rows)][_CLUSTER].unique())


def _pairs(trial: _Trial, hits: Mapping[str, int]) -> pl.DataFrame:
    """Return the hits of all rules as the fold takes them."""
    height = trial.cases.events.height
    found = [bitset.to_series(hits[rule.id], height).arg_true() for rule in trial.rules]
    lists = {"row": found, "rule": range(len(found))}
    schema = {"row": pl.List(pl.UInt32), "rule": pl.UInt32()}
    return pl.DataFrame(lists, schema=schema).explode("row").drop_nulls("row")


def _findings(
    plan: Plan, events: pl.DataFrame, hits: pl.DataFrame, ends: dict[str, int]
) -> list[str]:
    """Return the cluster of each finding."""
    fold = OverTime(plan)
    fold.add(events, hits)
    found = list(fold.release(ends).findings) if ends else []
    found += fold.release(None).findings
    return [str(finding.document[_CLUSTER]) for finding in found]
