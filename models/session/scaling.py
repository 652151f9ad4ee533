"""Sessions in, the same sessions as distances from what is usual for their identity out.

Separate because every method needs the same distances, and because here it is decided whom an
identity is compared with: its own median, drawn towards that of its peers while little is known of
it (a mean of both, weighted by its sessions against `PEER_WEIGHT`); of an unknown identity, its
peers' alone. Medians and inner quantiles, so that few odd sessions in training shift nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import polars as pl

from models.session.features import COUNTED, FEATURES, SESSION_KEYS
from models.store.manifest import ColumnType

if TYPE_CHECKING:
    from collections.abc import Mapping

PEER_WEIGHT: Final = 2.0
"""Sessions of its own after which an identity counts as much as its peers. Chosen, not tuned."""

FEWEST_PEERS: Final = 20
"""Sessions that a type of identity needs for quantiles of its own; below, all types' are used."""

MOST_IDENTITIES: Final = 200_000
"""Identities whose own medians are kept, those with the most sessions: some 60 MB. The others are
compared with their peers."""

EVERYONE: Final = ""
FARTHEST: Final = 50.0
"""Distances are cut here: beyond, more is not stranger."""

_OUTER: Final = 0.95
_NORMAL_QUANTILE: Final = 1.6449
"""The distance of that quantile from the median of a normal distribution, in deviations."""

_LEAST_SPREAD: Final = {
    **dict.fromkeys(COUNTED, 0.35),
    "share of changes": 0.1,
    "share of refused": 0.05,
    "share of secrets": 0.05,
    "spread": 0.35,
    "burst": 0.35,
}
"""Half of once, in logarithms: where nothing varied in training, one act is two deviations."""

_NUMBERS: Final[Mapping[str, ColumnType]] = dict.fromkeys(FEATURES, ColumnType.FLOAT64)
_OWN_KEYS: Final = ("cluster", "identity")

SCALING_TABLES: Final[Mapping[str, Mapping[str, ColumnType]]] = {
    "identities": {
        "cluster": ColumnType.TEXT,
        "identity": ColumnType.TEXT,
        "sessions": ColumnType.INT64,
        **_NUMBERS,
    },
    "medians": {"peers": ColumnType.TEXT, **_NUMBERS},
    "spreads": {"peers": ColumnType.TEXT, **_NUMBERS},
}


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """What is usual: medians of identities and of peers, and how far these identities stray."""

    identities: pl.DataFrame
    medians: pl.DataFrame
    spreads: pl.DataFrame

    @classmethod
    def of(cls, sessions: pl.DataFrame, most: int = MOST_IDENTITIES) -> Self:
        """Learn from sessions that are taken to be ordinary.

        Raises
            ValueError: there are none.
        """
        if sessions.is_empty():
            raise ValueError("no sessions to learn from")
        every = sessions.group_by(_OWN_KEYS).agg(
            pl.len().cast(pl.Int64).alias("sessions"), pl.col(FEATURES).median()
        )
        frequent = every.sort("sessions", *_OWN_KEYS, descending=[True, False, False])
        identities = frequent.head(most)
        medians = _by_peers(sessions, pl.col(FEATURES).median())
        centred = _residuals(sessions, identities, medians)
        spreads = _by_peers(centred, *map(_spread, FEATURES))
        return cls(identities.sort(_OWN_KEYS), medians, spreads)

    @classmethod
    def from_tables(cls, tables: Mapping[str, pl.DataFrame]) -> Self:
        """Return what `tables` holds, as the store has checked it."""
        return cls(*(tables[name] for name in SCALING_TABLES))

    def to_tables(self) -> dict[str, pl.DataFrame]:
        """Return plain tables, under `SCALING_TABLES`."""
        return dict(zip(SCALING_TABLES, (self.identities, self.medians, self.spreads), strict=True))

    def distances(self, sessions: pl.DataFrame) -> pl.DataFrame:
        """Return the keys of each session and each feature in deviations from what is usual."""
        scales = _of_peers(sessions, self.spreads, "_spread")
        residuals = _residuals(sessions, self.identities, self.medians)
        return residuals.hstack(scales).select(
            *SESSION_KEYS,
            *((pl.col(name) / pl.col(f"{name}_spread")).clip(0.0, FARTHEST) for name in FEATURES),
        )

    def usual(self, sessions: pl.DataFrame) -> pl.DataFrame:
        """Return what each session's features would usually be, a row for each session."""
        return _centres(sessions, self.identities, self.medians)


def _by_peers(sessions: pl.DataFrame, *values: pl.Expr) -> pl.DataFrame:
    """Return a row for each type of identity that is frequent enough, and one for everyone."""
    grouped = sessions.group_by("peers").agg(*values, pl.len().alias("_sessions"))
    known = grouped.filter(pl.col("_sessions") >= FEWEST_PEERS).drop("_sessions")
    everyone = sessions.select(pl.lit(EVERYONE).alias("peers"), *values)
    return pl.concat([everyone.head(1), known.select(everyone.columns)]).sort("peers")


def _spread(name: str) -> pl.Expr:
    column = pl.col(name).abs()
    return (column.quantile(_OUTER, "linear") / _NORMAL_QUANTILE).clip(
        lower_bound=_LEAST_SPREAD[name]
    )


def _residuals(
    sessions: pl.DataFrame, identities: pl.DataFrame, medians: pl.DataFrame
) -> pl.DataFrame:
    centres = _centres(sessions, identities, medians).rename(lambda name: f"{name}_usual")
    return sessions.hstack(centres).select(
        *SESSION_KEYS,
        "peers",
        *((pl.col(name) - pl.col(f"{name}_usual")).alias(name) for name in FEATURES),
    )


def _centres(
    sessions: pl.DataFrame, identities: pl.DataFrame, medians: pl.DataFrame
) -> pl.DataFrame:
    own = sessions.select(*_OWN_KEYS).join(
        identities, on=_OWN_KEYS, how="left", maintain_order="left"
    )
    joined = own.hstack(_of_peers(sessions, medians, "_peers"))
    weight = pl.col("sessions").fill_null(0)
    return joined.select(
        (
            (pl.col(name).fill_null(0.0) * weight + pl.col(f"{name}_peers") * PEER_WEIGHT)
            / (weight + PEER_WEIGHT)
        ).alias(name)
        for name in FEATURES
    )


def _of_peers(sessions: pl.DataFrame, table: pl.DataFrame, suffix: str) -> pl.DataFrame:
    """Return each session's row of a table by peers, everyone's where its peers have none."""
    known = pl.col("peers").is_in(table["peers"].to_list())
    peers = sessions.select(pl.when(known).then("peers").otherwise(pl.lit(EVERYONE)).alias("peers"))
    found = peers.join(table, on="peers", how="left", maintain_order="left").drop("peers")
    return found.rename(lambda name: f"{name}{suffix}")
