"""Column values become one frame under EVENT_SCHEMA: dense columns, and facets of the few.

Separate from normalize because it is only about types and layout, and is where the cost of a
hundred mostly empty columns is kept small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from ingest.column import TEXTS, TIME
from ingest.schema import DTYPES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def series(name: str, values: list[Any]) -> pl.Series:
    """Build one column; timestamps stay text here (ingest/timestamps.py).

    Lists of texts go through Arrow: one flat pass instead of a series per row.
    """
    dtype = DTYPES[name]
    if dtype == TEXTS:
        return pl.Series(name, pa.array(values, pa.large_list(pa.large_utf8())))
    return pl.Series(name, values, pl.String if dtype == TIME else dtype)


def sparse_series(
    height: int, rows: Sequence[int], facets: Sequence[Mapping[str, object]]
) -> dict[str, pl.Series]:
    """Lay values of few rows into columns of full height.

    Parameters
        height: rows of the frame.
        rows: row of each facet, ascending.
        facets: column name -> value.

    Returns
        only the columns that any facet has.
    """
    at: list[int | None] = [None] * height
    held: dict[str, list[Any]] = {}
    nothing: list[Any] = [None] * len(facets)
    for position, (row, facet) in enumerate(zip(rows, facets, strict=True)):
        at[row] = position
        for name, value in facet.items():
            try:
                held[name][position] = value
            except KeyError:
                held[name] = nothing.copy()
                held[name][position] = value
    if not held:
        return {}
    dense = pl.DataFrame([series(name, held[name]) for name in DTYPES if name in held])
    laid = dense.select(pl.all().gather(pl.Series(at, dtype=pl.UInt32)))
    return {name: laid[name] for name in laid.columns}


def event_frame(columns: Mapping[str, pl.Series], height: int) -> pl.DataFrame:
    """Put columns in the schema's order; those that nobody filled are null."""
    return pl.DataFrame(
        [
            columns[name]
            if name in columns
            else pl.Series(name, [None], dtype).new_from_index(0, height)
            for name, dtype in DTYPES.items()
        ]
    )


def with_rows(values: pl.Series, rows: Sequence[int], replacements: pl.Series) -> pl.Series:
    """Return the series with some rows replaced; works for lists, which scatter does not."""
    index = list(range(len(values)))
    for position, row in enumerate(rows):
        index[row] = len(values) + position
    return pl.concat([values, replacements.rename(values.name)]).gather(index)
