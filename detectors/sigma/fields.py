"""A field name in a rule becomes the event column it means.

A rule may name a column, or the raw Kubernetes path of one as community rules do; both are listed
in ``ingest/schema.py`` and ``detectors/entities/recalled.py``, and nothing else is accepted, so a
typing error cannot become a rule that never fires.
"""

from __future__ import annotations

from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.known_columns import KNOWN
from detectors.sigma.errors import Place, RefusedError, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ingest.column import Column

_COLUMNS: Final[dict[str, Column]] = {
    name: column for column in KNOWN for name in (column.name, *column.aliases)
}


_LONGEST: Final = 100  # no known name is longer, and comparing costs the product of the lengths


class Kind(StrEnum):
    """What the values of a column are, or the elements of a list column."""

    TEXT = "text"
    NUMBER = "a number"
    FLAG = "true or false"
    TIME = "a time"


def column_named(name: str, place: Place) -> Column:
    """Return the column that ``name`` or one of its aliases means.

    Raises ``RefusedError`` at ``place`` if there is none.
    """
    column = _COLUMNS.get(name)
    if column is None:
        raise RefusedError(place, f"unknown field {shown(name)}{suggestion(name, _COLUMNS)}")
    return column


def is_list(column: Column) -> bool:
    """Return whether each row holds a list of values."""
    return isinstance(column.dtype, pl.List)


def kind_of(column: Column) -> Kind:
    """Return what the values of ``column`` are."""
    dtype = column.dtype.inner if isinstance(column.dtype, pl.List) else column.dtype
    if dtype == pl.String:
        return Kind.TEXT
    if dtype == pl.Boolean:
        return Kind.FLAG
    return Kind.TIME if isinstance(dtype, pl.Datetime) else Kind.NUMBER


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ``, did you mean ...?`` if a known name is close, else nothing."""
    if len(name) > _LONGEST:
        return ""
    close = get_close_matches(name, known, n=1, cutoff=0.75)
    return f", did you mean {str(close[0])!r}?" if close else ""
