"""Rows of frames are picked and told apart, column by column.

Separate because it stands in for calls of Polars that mean the same on a whole frame: those are
handed to a pool of threads, which takes two switches of context and 40 to 100 microseconds however
few the rows are, while a column by itself takes 1 to 5 (measured 2026-11-22). A fold has hundreds
of such steps, and a few hundred rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_CHUNKS: Final = 16
"""Pieces that a frame may lie in before it is laid out anew: each step costs a little more for each
piece, and laying out costs as much as the frame is long."""

_SPREAD: Final = pl.Series([0x9E3779B97F4A7C15], dtype=pl.UInt64)
"""An odd number without pattern: two hashes become one (Knuth, TAOCP 6.4)."""


def where(frame: pl.DataFrame, wanted: pl.Series) -> pl.DataFrame:
    """Return the rows for which ``wanted`` is true; null is not."""
    return pl.DataFrame([column.filter(wanted) for column in frame.get_columns()])


def joined(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return frames of the same columns, of which there is at least one, below each other."""
    first, *others = frames
    for other in others:
        if first.is_empty():
            first = other
        elif not other.is_empty():
            first = first.vstack(other)
    return first.rechunk() if first.n_chunks() > MAX_CHUNKS else first


def told_apart(rows: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """Return one number for the values of some whole, never negative columns without nulls.

    Equal values have equal numbers. Others hardly ever: hashes are among the columns.
    """
    first, *others = columns
    found = rows[first].cast(pl.UInt64)
    for name in others:
        found = found * _SPREAD + rows[name].cast(pl.UInt64)
    return found


def repeated(value: object, height: int, name: str) -> pl.Series:
    """Return a column of one value."""
    return pl.Series(name, [value]).new_from_index(0, height)
