"""Events in, how strange each session is out: scaling and one of two methods, as one model.

Separate from its parts because this is what is stored, loaded and run by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import polars as pl

from models.scored import SCORES, unit_id
from models.session.atoms import SESSION_COLUMNS, WINDOW_US, atoms_of, session_members
from models.session.features import FEATURES, SESSION_KEYS, sessions_of
from models.session.forest import NODES, Forest
from models.session.histogram import COSTS, Histogram
from models.session.reasons import reasons_of
from models.session.scaling import EVERYONE, SCALING_TABLES, Scaling
from models.store.checks import require_counts, require_distinct
from models.store.kind import Kind
from models.store.refusal import ModelRefusedError, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.store.kind import Tables
    from models.store.manifest import Manifest

FOREST_KIND: Final = "session-forest"
HISTOGRAM_KIND: Final = "session-histogram"


@dataclass(frozen=True, slots=True, eq=False)
class SessionModel:
    """A fitted model of sessions (`models.scored.Scorer`)."""

    scaling: Scaling
    method: Forest | Histogram

    @classmethod
    def from_tables(cls, tables: Mapping[str, pl.DataFrame]) -> Self:
        """Return what tables of either kind hold.

        Raises
            ModelRefusedError: they mean nothing.
        """
        if "nodes" in tables:
            return cls(Scaling.from_tables(tables), Forest.of(tables["nodes"], len(FEATURES)))
        return cls(Scaling.from_tables(tables), Histogram.from_table(tables["costs"], FEATURES))

    def to_tables(self) -> dict[str, pl.DataFrame]:
        """Return plain tables, as the store takes them."""
        if isinstance(self.method, Forest):
            return {"nodes": self.method.nodes, **self.scaling.to_tables()}
        return {"costs": self.method.costs, **self.scaling.to_tables()}

    def score(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return a row of `models.scored.SCORES` for each session of these events."""
        return self.score_sessions(sessions_of(atoms_of(events.select(SESSION_COLUMNS))))

    def score_sessions(self, sessions: pl.DataFrame) -> pl.DataFrame:
        """Return a row of `models.scored.SCORES` for each of these sessions."""
        distances = self.scaling.distances(sessions)
        usual = self.scaling.usual(sessions)
        score = self.method.score(distances.select(FEATURES))
        return (
            sessions.select(*SESSION_KEYS)
            .with_columns(score.alias("score"), reasons_of(sessions, usual, distances))
            .select(
                unit_id(pl.col("start"), pl.col("cluster"), pl.col("identity")).alias("unit"),
                "cluster",
                pl.col("identity").alias("entity"),
                "start",
                (pl.col("start") + WINDOW_US).alias("end"),
                "score",
                "reasons",
            )
            .select(*SCORES)
            .sort("start", "unit")
        )

    def members(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return the session of each event."""
        return session_members(events)


def _check_scaling(tables: Tables) -> None:
    require_distinct(tables, "identities", ("cluster", "identity"))
    require_counts(tables, "identities", ("sessions",))
    for name in ("medians", "spreads"):
        require_distinct(tables, name, ("peers",))
        if EVERYONE not in tables[name]["peers"]:
            raise ModelRefusedError(Reason.OUT_OF_RANGE, f"table {name!r}: no row of everyone")
    if (tables["spreads"].select(FEATURES).min_horizontal() <= 0).any():
        raise ModelRefusedError(Reason.OUT_OF_RANGE, "table 'spreads': not above zero")


def _check_forest(_: Manifest, tables: Tables) -> None:
    _check_scaling(tables)
    Forest.of(tables["nodes"], len(FEATURES))


def _check_histogram(_: Manifest, tables: Tables) -> None:
    Histogram.from_table(tables["costs"], FEATURES)
    _check_scaling(tables)


SESSION_FOREST: Final = Kind(
    FOREST_KIND, {"nodes": NODES, **SCALING_TABLES}, _check_forest, FEATURES
)
SESSION_HISTOGRAM: Final = Kind(
    HISTOGRAM_KIND, {"costs": COSTS, **SCALING_TABLES}, _check_histogram, FEATURES
)
