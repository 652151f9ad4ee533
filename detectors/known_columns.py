"""All columns that a rule may name: those of the event, and what is remembered about it.

Separate because the first follow from one record and are on every event, while the second are there
only where a rule asks for them; a condition is compiled the same for both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from detectors.entities.recalled import RECALLED, RECALLED_DTYPES
from ingest.schema import DTYPES, EVENT_SCHEMA

if TYPE_CHECKING:
    import polars as pl

    from ingest.column import Column

KNOWN: Final[tuple[Column, ...]] = (*EVENT_SCHEMA, *RECALLED)

KNOWN_DTYPES: Final[dict[str, pl.DataType]] = {**DTYPES, **RECALLED_DTYPES}
"""Column name -> Polars type, in the order of the frame."""
