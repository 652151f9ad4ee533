"""What every model gives: scored units in one shape, and which events each unit is made of.

Separate because evaluation, findings and tests treat all models alike. A unit is what a model
scores as one: the five minutes of an identity, an hour's count of a class of action, one login.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

SCORES: Final[Mapping[str, pl.DataType]] = {
    "unit": pl.String(),
    "cluster": pl.String(),
    "entity": pl.String(),
    "start": pl.Int64(),
    "end": pl.Int64(),
    "score": pl.Float64(),
    "reasons": pl.List(pl.String()),
}
"""``entity`` is who or what is strange; ``start`` and ``end`` are microseconds of event time since
1970, and the unit is complete at ``end``. Higher scores are stranger; scores of two models do not
compare. ``reasons`` are words with numbers, the weightiest first."""

MEMBERS: Final[Mapping[str, pl.DataType]] = {"unit": pl.String(), "event.id": pl.String()}


class Scorer(Protocol):
    """A fitted model; scoring changes nothing of it."""

    def score(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return a row of `SCORES` for each unit of these events, in order of start and unit.

        Events need the columns that the model names, may come in any order, and may be none.
        """

    def members(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return a row of `MEMBERS` for each event that a unit is made of."""


def unit_id(start: pl.Expr, *parts: pl.Expr) -> pl.Expr:
    """Return a unit's name, distinct for distinct parts whatever these hold."""
    sized = [pl.format("{}:{}", part.str.len_bytes(), part) for part in parts]
    return pl.concat_str([start.cast(pl.String), *sized], separator="/")
