"""Tests are evaluated so that regular expressions are compiled once, not for each batch.

Polars keeps 32 compiled expressions for each thread, and drops the eldest. Rules have more: with 92
of them, each batch compiled them all, at 45 microseconds an event instead of 1.6 (5,000 events
a batch, measured 2026-11-21). A test with a regular expression is therefore always evaluated on the
same one of several threads, a lane, and no lane has more than its thread keeps. A select of one
expression runs on the thread that asks for it; were that to change, the results would be the same.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable

REGEXES_PER_LANE: Final = 24
"""Fewer than the 32 that Polars keeps: other work in the thread may need some."""

SHARING: Final = pl.QueryOptFlags.none().update(comm_subexpr_elim=True)
"""Nothing but common subexpressions: there is nothing else to optimize in one projection, and
looking for it takes longer than it saves."""


@dataclass(frozen=True, slots=True, eq=False)
class NamedTest:
    """A Boolean expression, the name of its column, and how many regular expressions it has."""

    name: str
    test: pl.Expr
    regexes: int


class Lanes:
    """The threads for a set of tests."""

    def __init__(self, tests: Iterable[NamedTest]) -> None:
        self._lane: dict[str, int] = {}
        taken: list[int] = []
        for test in tests:
            if not test.regexes:
                continue
            if not taken or taken[-1] + test.regexes > REGEXES_PER_LANE:
                taken.append(0)
            taken[-1] += test.regexes
            self._lane[test.name] = len(taken) - 1
        self._threads = [ThreadPoolExecutor(1, f"regex-{lane}") for lane in range(len(taken))]

    def verdicts(self, frame: pl.DataFrame, tests: Iterable[NamedTest]) -> dict[str, pl.Series]:
        """Return a column of ``frame``'s height for each of ``tests``, by name.

        The tests are some of those that the lanes were made for.
        """
        plain: list[pl.Expr] = []
        by_lane: dict[int, list[pl.Expr]] = {}
        for test in tests:
            lane = self._lane.get(test.name)
            (plain if lane is None else by_lane.setdefault(lane, [])).append(test.test)
        waiting = [
            self._threads[lane].submit(_one_by_one, frame, several)
            for lane, several in by_lane.items()
        ]
        found: list[pl.Series] = []
        if plain:
            found += frame.lazy().select(plain).collect(optimizations=SHARING).get_columns()
        for future in waiting:
            found += future.result()
        return {column.name: column for column in found}


def _one_by_one(frame: pl.DataFrame, tests: list[pl.Expr]) -> list[pl.Series]:
    return [frame.select(test).to_series() for test in tests]
