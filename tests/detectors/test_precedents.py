from __future__ import annotations

import polars as pl
import pytest

from detectors import bitset
from detectors.precedents import Certainty, Precedents


class Asked:
    """Works out which combinations have an ``a`` above one, and notes what it was asked for."""

    def __init__(self) -> None:
        self.rows: list[list[int]] = []

    def __call__(self, combinations: pl.DataFrame) -> Certainty:
        self.rows.append(combinations["a"].to_list())
        bits = bitset.from_series(combinations["a"] > 1)
        return Certainty(combinations.height, {"leaf": bits}, [bits], [bits])


def combinations(*values: int) -> pl.DataFrame:
    return pl.DataFrame({"a": values, "b": [["x"]] * len(values)})


def numbers_of(
    precedents: Precedents, rows: pl.DataFrame, asked: Asked
) -> tuple[pl.Series, Certainty]:
    hashes = rows.select(pl.struct(rows.columns).hash(1)).to_series().to_list()
    return precedents.of(hashes, lambda new: asked(rows[new]))


def above_one(numbers: pl.Series, known: Certainty) -> list[bool]:
    return [bool(known.certain[0] >> number & 1) for number in numbers]


@pytest.mark.parametrize("most", [0, 2, 100])
def test_what_is_certain_is_the_same_whatever_was_met_before(most: int) -> None:
    precedents, asked = Precedents(most), Asked()

    for values in ([1, 2, 3], [3, 5, 1, 0], [0], [9, 2]):
        numbers, known = numbers_of(precedents, combinations(*values), asked)

        assert above_one(numbers, known) == [value > 1 for value in values]
        assert known.truths == {"leaf": known.certain[0]}
        assert known.possible == known.certain
        assert numbers.max() < known.height  # type: ignore[operator]  # of an integer column


def test_only_new_combinations_are_worked_out() -> None:
    precedents, asked = Precedents(), Asked()

    for values in ([1, 2], [2, 1, 3], [3, 2]):
        numbers_of(precedents, combinations(*values), asked)

    assert asked.rows == [[1, 2], [3]]


def test_no_more_than_a_bound_are_remembered_for_the_next_batch() -> None:
    precedents, asked = Precedents(most=2), Asked()

    for values in ([1, 2, 3], [3, 2], [2]):
        numbers_of(precedents, combinations(*values), asked)

    assert asked.rows == [[1, 2, 3], [3, 2]]
