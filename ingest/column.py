"""One column of the event: its name, its type, what it means; and the types that columns have.

Separate from the schema (ingest/schema.py), which is made of several lists of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

TEXT: Final = pl.String()
TEXTS: Final = pl.List(pl.String())
NUMBER: Final = pl.Int64()
NUMBERS: Final = pl.List(pl.Int64())
FLAG: Final = pl.Boolean()
TIME: Final = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its type, what it means, and the raw names rules may call it by."""

    name: str
    dtype: pl.DataType
    meaning: str
    aliases: tuple[str, ...] = ()
