"""Boolean columns become Python integers, one bit a row, and back.

Separate, because the logic of hundreds of rules is then arithmetic: an ``and`` of two columns of
1,000 rows takes 0.05 microseconds as integers and 10 as an expression (measured 2026-11-21).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator


def from_series(column: pl.Series) -> int:
    """Return the rows of ``column`` as bits, the first one lowest; null counts as false."""
    array = column.to_arrow()
    validity, values = array.buffers()
    bits = int.from_bytes(values, "little")
    if validity is not None:
        bits &= int.from_bytes(validity, "little")
    skipped: int = array.offset
    return (bits >> skipped) & all_ones(len(column))


def from_rows(rows: pl.Series, wanted: pl.Series, height: int) -> int:
    """Return as bits of ``height`` rows which row numbers in ``rows`` are ``wanted``."""
    if not wanted.any():
        return 0
    return from_series(to_series(0, height).scatter(rows.filter(wanted), values=True))


def to_series(bits: int, rows: int) -> pl.Series:
    """Return the lowest ``rows`` bits as a Boolean column."""
    data = pa.py_buffer(bits.to_bytes((rows + 7) // 8, "little"))
    return pl.Series(pa.Array.from_buffers(pa.bool_(), rows, [None, data]))


def all_ones(rows: int) -> int:
    """Return the bits of a column that is true in every row."""
    return (1 << rows) - 1


def places(bits: int) -> Iterator[int]:
    """Yield the places of the bits that are set, the lowest first; for few of them."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
