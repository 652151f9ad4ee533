"""A function that makes a frame becomes a lazy frame: nothing is read before it is collected.

Separate because logs, Elasticsearch and detection all hide behind a lazy frame. What a query needs
(columns, predicate, row limit) is handed on, and the result arrives in batches.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from polars.io.plugins import register_io_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import polars as pl

T = TypeVar("T")


def once(make: Callable[[], T]) -> Callable[[], T]:
    """Return a function that calls ``make`` the first time and gives that value ever after."""
    lock = Lock()  # frames that are collected together ask from several threads
    made: list[T] = []

    def value() -> T:
        with lock:
            if not made:
                made.append(make())
            return made[0]

    return value


def deferred(make: Callable[[], pl.LazyFrame], schema: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """Return a lazy frame of ``schema`` that calls ``make`` each time it is collected."""

    def read(
        with_columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        batch_size: int | None,
    ) -> Iterator[pl.DataFrame]:
        frame = make()
        if with_columns is not None:
            frame = frame.select(with_columns)
        if predicate is not None:
            frame = frame.filter(predicate)
        if n_rows is not None:
            frame = frame.limit(n_rows)
        yield from frame.collect_batches(chunk_size=batch_size)

    return register_io_source(read, schema=dict(schema), validate_schema=True)


def streamed(
    pages: Callable[[list[str], int | None], Iterator[pl.DataFrame]],
    schema: Mapping[str, pl.DataType],
) -> pl.LazyFrame:
    """Return a lazy frame whose rows come page by page, with only the columns a query needs.

    Parameters
        pages: from column names, and a number of rows that are enough (None: all), to frames of
            just these columns.
    """

    def read(
        with_columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        _batch_size: int | None,
    ) -> Iterator[pl.DataFrame]:
        columns = list(schema) if with_columns is None else with_columns
        left = n_rows
        for page in pages(columns, None if predicate is not None else n_rows):
            rows = page if predicate is None else page.filter(predicate)
            yield rows if left is None else rows.head(left)
            left = None if left is None else left - rows.height
            if left is not None and left <= 0:
                return

    return register_io_source(read, schema=dict(schema), validate_schema=True)
