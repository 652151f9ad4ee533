"""Leaves and rows become bits: for which rows each leaf is true.

Separate from the logic that joins them. Tests of a list column are made on the elements, laid out
flat: a test of a list costs 75 to 140 microseconds whatever it holds, one of flat values 10
(measured 2026-11-21), and most tests hold for no value in a batch.
"""

from __future__ import annotations

from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING, Final

import polars as pl
from pyarrow.compute import list_flatten, list_parent_indices

from detectors import bitset
from detectors.value_truth import MAX_AT_ONCE, rows_by_test

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detectors.plan import Plan
    from detectors.sigma.tree import Leaf

_SPARSE: Final = 0.5
"""Above this share of nulls, they are taken out before regular expressions look at the column."""


def truths(rows: pl.DataFrame, leaves: Iterable[Leaf], plan: Plan) -> dict[str, int]:
    """Return for each leaf, by its key, for which of ``rows`` it is true, as bits."""
    found: dict[str, int] = {}
    whole: list[Leaf] = []
    flat: dict[str, list[Leaf]] = {}
    known: dict[str, list[Leaf]] = {}
    nulls_of = {column.name: column.null_count() for column in rows.get_columns()}
    for leaf in leaves:
        nulls = nulls_of[leaf.column] if leaf.needs_value else 0
        if leaf.needs_value and nulls == rows.height:
            found[leaf.key] = 0
        elif _is_remembered(leaf, rows.height - nulls, plan):
            known.setdefault(leaf.column, []).append(leaf)
        elif leaf.elements or (nulls > _SPARSE * rows.height and leaf.regexes):
            flat.setdefault(leaf.column, []).append(leaf)
        else:
            whole.append(leaf)
    for column, several in known.items():
        found |= _of_known_values(rows[column], several, plan)
    for column, several in flat.items():
        found |= _of_values(rows[column], several, plan)
    return found | _of_rows(rows, whole, plan)


def _of_rows(rows: pl.DataFrame, leaves: list[Leaf], plan: Plan) -> dict[str, int]:
    tests = {leaf.key: plan.tests[leaf.key][0] for leaf in leaves}
    verdicts = plan.lanes.verdicts(rows, tests.values())
    return {key: bitset.from_series(verdicts[test.name]) for key, test in tests.items()}


def _of_values(column: pl.Series, leaves: list[Leaf], plan: Plan) -> dict[str, int]:
    """Return for which rows each leaf has a value for each of its tests."""
    rows, values = _flat(column)
    tests = {leaf.key: plan.tests[leaf.key] for leaf in leaves}
    verdicts = plan.lanes.verdicts(values.to_frame(), [t for own in tests.values() for t in own])
    found: dict[str, int] = {}
    for key, own in tests.items():
        found[key] = bitset.all_ones(column.len())
        for test in own:
            found[key] &= bitset.from_rows(rows, verdicts[test.name], column.len())
    return found


def _is_remembered(leaf: Leaf, values: int, plan: Plan) -> bool:
    own = plan.by_value.get(leaf.column)
    return own is not None and values <= MAX_AT_ONCE and plan.tests[leaf.key][0].name in own.bits


def _of_known_values(column: pl.Series, leaves: list[Leaf], plan: Plan) -> dict[str, int]:
    """Return the same as `_of_values`, by what was found out about each value before."""
    own = plan.by_value[column.name]
    rows: Iterable[int] = range(column.len())
    if column.dtype == pl.List:
        numbers, column = _flat(column)
        rows = numbers.to_list()
    passed = own.of(column.name, column.to_list(), plan.lanes)
    by_tests = rows_by_test(rows, passed) if any(passed) else {}
    if not by_tests:
        return dict.fromkeys((leaf.key for leaf in leaves), 0)
    found: dict[str, int] = {}
    for leaf in leaves:
        bits = [own.bits[test.name] for test in plan.tests[leaf.key]]
        where = [[rows for tests, rows in by_tests.items() if tests & bit] for bit in bits]
        found[leaf.key] = reduce(and_, (reduce(or_, rows, 0) for rows in where))
    return found


def _flat(column: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return the values of ``column``, elements of lists each, and the row number of each."""
    if column.dtype == pl.List:
        lists = column.to_arrow()
        return pl.Series(list_parent_indices(lists)), pl.Series(column.name, list_flatten(lists))
    numbers = pl.int_range(column.len(), eager=True)
    if not column.null_count():
        return numbers, column
    return numbers.filter(column.is_not_null()), column.drop_nulls()
