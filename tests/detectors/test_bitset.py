from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from detectors import bitset

columns = st.lists(st.none() | st.booleans(), max_size=200)


def expected(values: list[bool | None]) -> int:
    return sum(1 << row for row, value in enumerate(values) if value)


@given(columns, st.integers(0, 9), st.integers(0, 70))
def test_bits_are_the_true_rows_of_any_slice(
    values: list[bool | None], start: int, length: int
) -> None:
    column = pl.Series(values, dtype=pl.Boolean)

    assert bitset.from_series(column) == expected(values)
    assert bitset.from_series(column.slice(start, length)) == expected(values[start:][:length])


@given(columns, columns)
def test_bits_of_a_column_in_two_chunks(
    first: list[bool | None], second: list[bool | None]
) -> None:
    column = pl.concat([pl.Series(part, dtype=pl.Boolean) for part in (first, second)])

    assert bitset.from_series(column) == expected(first + second)


@given(columns)
def test_places_are_those_of_the_true_rows(values: list[bool | None]) -> None:
    places = list(bitset.places(expected(values)))

    assert places == [row for row, value in enumerate(values) if value]


@given(columns)
def test_a_column_comes_back_with_null_as_false(values: list[bool | None]) -> None:
    bits = bitset.from_series(pl.Series(values, dtype=pl.Boolean))

    assert bitset.to_series(bits, len(values)).to_list() == [bool(value) for value in values]


def test_all_ones_is_every_row() -> None:
    assert bitset.all_ones(0) == 0
    assert bitset.to_series(bitset.all_ones(70), 70).all()
