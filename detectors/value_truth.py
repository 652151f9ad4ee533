"""Values of one column become the tests that each of them passes, remembered by value.

Separate from rows and lists of values, because here a value is all that counts: what passes a test
once passes it always. Names, verbs, images and commands come again and again, and a test costs 15
to 100 microseconds however few values it is made of (measured 2026-11-21), so only values that were
not met before are tested.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

from detectors import bitset

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from polars._typing import PolarsDataType

    from detectors.lanes import NamedTest

MOST: Final = 4_096
"""Values that are remembered of a column; beyond, all are forgotten."""

MAX_TEXT: Final = 1_000
"""Longer texts are not remembered: few come again. 4 MB a column at most, 0.1 usually."""

MAX_AT_ONCE: Final = 1_500
"""Beyond so many values, to look each up takes longer than some tests of all (2026-11-21)."""

REMEMBERED: Final = frozenset({pl.String(), pl.Boolean(), pl.Int64(), pl.UInt16(), pl.Int32()})


class Tester(Protocol):
    """What makes tests: `detectors.lanes.Lanes`."""

    def verdicts(self, frame: pl.DataFrame, tests: Iterable[NamedTest]) -> dict[str, pl.Series]:
        """Return a Boolean column for each of ``tests``, by name."""


class ValueTruth:
    """The tests of one column, and the values that were met."""

    __slots__ = ("_dtype", "_known", "_most", "_tests", "bits")

    def __init__(self, dtype: PolarsDataType, tests: Iterable[NamedTest], most: int = MOST) -> None:
        self._tests = tuple(tests)
        self._dtype = dtype
        self._most = most
        self._known: dict[object, int] = {None: 0}
        self.bits = {test.name: 1 << number for number, test in enumerate(self._tests)}
        """Name of each test -> its bit in what `of` returns."""

    def of(self, column: str, values: Sequence[object], lanes: Tester) -> list[int]:
        """Return for each value which tests it passes, as bits; null passes none."""
        known = self._known
        unknown = set(values).difference(known)
        if not unknown:
            return list(map(known.__getitem__, values))
        tested = self._tested(column, list(unknown), lanes)
        found = [known[value] if value in known else tested[value] for value in values]
        if len(known) + len(tested) > self._most:
            known = self._known = {None: 0}
        known.update((value, bits) for value, bits in tested.items() if _is_short(value))
        return found

    def _tested(self, column: str, values: list[object], lanes: Tester) -> dict[object, int]:
        frame = pl.Series(column, values, dtype=self._dtype).to_frame()
        passed = [0] * len(values)
        for name, verdicts in lanes.verdicts(frame, self._tests).items():
            for place in bitset.places(bitset.from_series(verdicts)):
                passed[place] |= self.bits[name]
        return dict(zip(values, passed, strict=True))


def _is_short(value: object) -> bool:
    return not isinstance(value, str) or len(value) <= MAX_TEXT


def rows_by_test(rows: Iterable[int], passed: Iterable[int]) -> dict[int, int]:
    """Return the distinct sets of tests that values pass -> the rows of those values, as bits."""
    found: dict[int, int] = {}
    for row, tests in zip(rows, passed, strict=True):
        if tests:
            found[tests] = found.get(tests, 0) | 1 << row
    return found
