"""Three simple methods that a learned one has to be better than, on the same sessions.

Separate because nothing else runs them. They share the sessions and nothing more: no scaling, no
peers, no features but counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

from models.scored import SCORES, unit_id
from models.session.atoms import SESSION_COLUMNS, WINDOW_US, atoms_of, session_members
from models.session.features import SESSION_KEYS
from models.training.fit import fit_forest

if TYPE_CHECKING:
    from models.session.forest import Forest

_KEYS: Final = list(SESSION_KEYS)
_IDENTITY: Final = ["cluster", "identity"]
_ACT: Final = ["action", "resource"]
_OTHER: Final = "other"


class _Rank(Protocol):
    def __call__(self, atoms: pl.DataFrame) -> pl.DataFrame:
        """Return a row for each session, its keys and ``score``."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A fitted baseline (`models.scored.Scorer`); it gives no reasons."""

    name: str
    rank: _Rank

    def score(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return a row of `models.scored.SCORES` for each session."""
        ranked = self.rank(_atoms(events))
        return (
            ranked.with_columns(
                unit_id(pl.col("start"), pl.col("cluster"), pl.col("identity")).alias("unit"),
                pl.col("identity").alias("entity"),
                (pl.col("start") + WINDOW_US).alias("end"),
                pl.col("score").cast(pl.Float64),
                pl.lit([], pl.List(pl.String)).alias("reasons"),
            )
            .select(*SCORES)
            .sort("start", "unit")
        )

    def members(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return the session of each event."""
        return session_members(events)


def baselines(events: pl.DataFrame, seed: int) -> tuple[Baseline, ...]:
    """Fit all three to the same events."""
    atoms = _atoms(events)
    return (
        Baseline("volume z-score", _Volume.of(atoms)),
        Baseline("plain frequency", _Frequency.of(atoms)),
        Baseline("isolation forest on raw counts", _RawForest.of(atoms, seed)),
    )


def _atoms(events: pl.DataFrame) -> pl.DataFrame:
    return atoms_of(events.select(SESSION_COLUMNS))


@dataclass(frozen=True, slots=True, eq=False)
class _Volume:
    """How many deviations an identity's number of events is above its mean."""

    known: pl.DataFrame
    mean: float
    deviation: float

    @classmethod
    def of(cls, atoms: pl.DataFrame) -> _Volume:
        counts = atoms.group_by(_KEYS).agg(pl.col("count").sum())
        mean, deviation = pl.col("count").mean(), pl.col("count").std(ddof=0)
        known = counts.group_by(_IDENTITY).agg(mean.alias("mean"), deviation.alias("deviation"))
        overall = counts.select(mean.alias("mean"), deviation.alias("deviation")).row(0)
        return cls(known, *(float(value or 0.0) for value in overall))

    def __call__(self, atoms: pl.DataFrame) -> pl.DataFrame:
        counts = atoms.group_by(_KEYS).agg(pl.col("count").sum())
        held = counts.join(self.known, on=_IDENTITY, how="left")
        deviation = pl.col("deviation").fill_null(self.deviation).clip(lower_bound=1.0)
        above = (pl.col("count") - pl.col("mean").fill_null(self.mean)) / deviation
        return held.select(*_KEYS, above.alias("score"))


@dataclass(frozen=True, slots=True, eq=False)
class _Frequency:
    """How rare the rarest action on a kind of resource was in training, in bits."""

    counts: pl.DataFrame

    @classmethod
    def of(cls, atoms: pl.DataFrame) -> _Frequency:
        return cls(atoms.group_by(_ACT).agg(pl.col("count").sum().alias("seen")))

    def __call__(self, atoms: pl.DataFrame) -> pl.DataFrame:
        total = self.counts["seen"].sum() + self.counts.height + 1
        acts = atoms.select(*_KEYS, *_ACT).unique()
        held = acts.join(self.counts, on=_ACT, how="left")
        share = (pl.col("seen").fill_null(0) + 1) / total
        return held.group_by(_KEYS).agg((-share.log(2)).max().round(9).alias("score"))


@dataclass(frozen=True, slots=True, eq=False)
class _RawForest:
    """An isolation forest on how often each action was done, as it stands."""

    actions: tuple[str, ...]
    forest: Forest

    @classmethod
    def of(cls, atoms: pl.DataFrame, seed: int) -> _RawForest:
        actions = (*atoms["action"].unique().sort().to_list(), _OTHER)
        return cls(actions, fit_forest(_raw_counts(atoms, actions).drop(_KEYS), seed))

    def __call__(self, atoms: pl.DataFrame) -> pl.DataFrame:
        counts = _raw_counts(atoms, self.actions)
        score = self.forest.score(counts.drop(_KEYS))
        return counts.select(*_KEYS).with_columns(score.alias("score"))


def _raw_counts(atoms: pl.DataFrame, actions: tuple[str, ...]) -> pl.DataFrame:
    known = pl.col("action").is_in(actions[:-1])
    return (
        atoms.group_by(_KEYS)
        .agg(
            *(
                pl.col("count").filter(pl.col("action") == name).sum().alias(f"n_{name}")
                for name in actions[:-1]
            ),
            pl.col("count").filter(~known).sum().alias("n_other_"),
        )
        .sort(_KEYS)
        .with_columns(pl.exclude(_KEYS).cast(pl.Float64))
    )
