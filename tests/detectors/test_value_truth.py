from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from detectors.lanes import Lanes, NamedTest
from detectors.value_truth import MAX_TEXT, ValueTruth, rows_by_test

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME = pl.col("name")
TESTS = [
    NamedTest("a", NAME.str.starts_with("a").alias("a"), 0),
    NamedTest("b", NAME.str.contains("b$").alias("b"), 1),
]


class Noting:
    """Lanes that note which values they are given."""

    def __init__(self) -> None:
        self.lanes = Lanes(TESTS)
        self.asked: list[list[str]] = []

    def verdicts(self, frame: pl.DataFrame, tests: Iterable[NamedTest]) -> dict[str, pl.Series]:
        self.asked.append(sorted(frame["name"]))
        return self.lanes.verdicts(frame, tests)


def passed(values: list[str]) -> list[int]:
    return [value.startswith("a") + 2 * value.endswith("b") for value in values]


@pytest.mark.parametrize("most", [0, 3, 100])
def test_each_value_passes_its_tests_whatever_was_met_before(most: int) -> None:
    truth, lanes = ValueTruth(pl.String(), TESTS, most), Noting()

    for values in (["a", "b", "ab", ""], ["ab", "x", "a"], [], ["x", "cb", "x"]):
        assert truth.of("name", values, lanes) == passed(values)
    assert truth.bits == {"a": 1, "b": 2}


def test_values_that_were_met_are_not_tested_again() -> None:
    truth, lanes = ValueTruth(pl.String(), TESTS), Noting()

    for values in (["a", "b"], ["b", "a"], ["b", "c"]):
        truth.of("name", values, lanes)

    assert lanes.asked == [["a", "b"], ["c"]]


def test_long_texts_and_texts_beyond_the_bound_are_not_kept() -> None:
    truth, lanes = ValueTruth(pl.String(), TESTS, most=2), Noting()
    long = "a" * (MAX_TEXT + 1)

    for values in ([long], [long], ["1", "2"], ["3"], ["1"]):
        truth.of("name", values, lanes)

    assert lanes.asked == [[long], [long], ["1", "2"], ["3"], ["1"]]


def test_rows_are_joined_by_the_tests_that_their_values_pass() -> None:
    assert rows_by_test([0, 3, 5, 9], [1, 2, 1, 0]) == {1: 0b100001, 2: 0b1000}
