from __future__ import annotations

import polars as pl

from detectors.correlation.rows import MAX_CHUNKS, joined, repeated, told_apart, where

ROWS = pl.DataFrame(
    {"key": [1, 2, (1 << 64) - 1], "unit": [7, 7, 8], "event": ["a", None, "c"]},
    schema={"key": pl.UInt64, "unit": pl.UInt32, "event": pl.String},
)


def test_rows_are_picked_where_it_is_true_and_not_where_it_is_unknown() -> None:
    wanted = pl.Series([True, None, False])
    assert where(ROWS, wanted).equals(ROWS.filter(wanted))
    assert where(ROWS, pl.Series([False] * 3)).equals(ROWS.clear())


def test_frames_below_each_other_are_one_in_few_pieces() -> None:
    many = joined([ROWS.clear(), *[ROWS] * (3 * MAX_CHUNKS), ROWS.clear()])
    assert many.equals(pl.concat([ROWS] * (3 * MAX_CHUNKS)))
    assert many.n_chunks() == 1
    assert joined([ROWS.clear(), ROWS.clear()]).equals(ROWS.clear())


def test_rows_of_the_same_values_have_one_number_and_others_another() -> None:
    values = [(1, 2), (2, 1), (1, 2), (0, (1 << 64) - 1), (3, 0)]
    frame = pl.DataFrame(values, {"a": pl.UInt32, "b": pl.UInt64}, orient="row")
    numbers = told_apart(frame, ("a", "b")).to_list()
    assert numbers[0] == numbers[2]
    assert len(set(numbers)) == 4


def test_a_value_is_repeated_as_often_as_there_are_rows() -> None:
    assert repeated(value=True, height=2, name="fresh").to_list() == [True, True]
    assert repeated(value=1.0, height=0, name="count").dtype == pl.Float64
