"""What a finding of a learned detector says beside what every finding says, with types and meaning.

Separate from making the finding (report.py) because indices, frames and the documentation are made
of this list.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from ingest.column import TEXT, TEXTS, Column

REAL: Final = pl.Float64()
PREFIX: Final = "trailwarden.anomaly."

ANOMALY: Final[tuple[Column, ...]] = (
    Column(
        PREFIX + "score",
        REAL,
        "bits: how rare all is that the identity did in that minute, added up",
    ),
    Column(
        PREFIX + "threshold",
        REAL,
        "the score from which on a minute was reported then; follows from the budget",
    ),
    Column(PREFIX + "budget_a_day", REAL, "findings a day that the cluster's budget asks for"),
    Column(
        PREFIX + "tail_probability",
        REAL,
        "share of an identity's minutes that are expected to be so strange, by the quiet ones",
    ),
    Column(
        PREFIX + "reasons",
        TEXTS,
        "what was strange, the strangest first: how new it is, and how many peers do it",
    ),
    Column(
        PREFIX + "normal",
        TEXT,
        "what was known of the identity before: for how long, how much, how many peers",
    ),
    Column(PREFIX + "model", TEXT, "the model that the detector began with, NAME/VERSION"),
)

ANOMALY_DTYPES: Final[dict[str, pl.DataType]] = {column.name: column.dtype for column in ANOMALY}
"""Field -> Polars type."""
