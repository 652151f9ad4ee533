"""Where a caller is, where they were before, and how fast they must have been in between.

Separate from what else is known of callers (recall_caller.py), because it needs a database of
places that most sites have not; what is remembered are addresses alone, so that one that is added
later is used at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.entities.geography import kilometers
from detectors.entities.recalled import PREFIX
from detectors.entities.relation import KEEP_S, NUMBERS, Relation

if TYPE_CHECKING:
    from detectors.entities.asof import Held
    from detectors.entities.geography import Geography
    from detectors.entities.memory import EntityMemory
    from detectors.sigma.predicates import Predicate

NEAR_KM: Final = 100.0
"""Places so near to each other are one: a city and what commutes to it."""

_SECOND_US: Final = 1_000_000
_DAY_US: Final = 86_400_000_000
_REACH_S: Final = float(KEEP_S[NUMBERS[Relation.IDENTITY_ORIGIN]])


def travel_columns(
    events: pl.DataFrame, memory: EntityMemory, geography: Geography, hidden: Predicate | None
) -> pl.DataFrame:
    """Return what is recalled of the ways of callers, a row for each of ``events``.

    Parameters
        events: under ASKED (enrich.py).
        hidden: holds for addresses that tell nothing of where somebody is; they are in no place.

    A place is known as a circle, so that a distance is at least that between two circles.
    """
    here = _placed(events["address"], geography, hidden)
    calls = events.select("row", "time", pl.col("user").alias("key"), "address").join(
        here, on="address", how="left", maintain_order="left"
    )
    known = calls["key"].filter(calls["latitude"].is_not_null()).drop_nulls().unique()
    callers = memory.about(known)
    told = _with_known(_with_last(calls, callers, geography, hidden), callers, geography)
    return told.with_columns(_way_km().alias("way_km")).select(
        pl.col("place").alias(PREFIX + "origin.place"),
        *(
            pl.when(pl.col("way_km").is_not_null()).then(value).alias(f"{PREFIX}travel.{name}")
            for name, value in _told(geography.version).items()
        ),
    )


def _told(version: str) -> dict[str, pl.Expr]:
    speed = pl.col("way_km") * 3_600 / pl.col("seconds")
    return {
        "from": pl.col("from_place"),
        "from_address": pl.col("from_address"),
        "to": pl.col("place"),
        "distance_km": pl.col("way_km").floor().cast(pl.Int64),
        "minutes": (pl.col("seconds") / 60).ceil().cast(pl.Int64),
        "speed_kmh": speed.floor().cast(pl.Int64),
        "known_days": pl.col("known_days"),
        "database": pl.lit(version),
    }


def _placed(
    addresses: pl.Series, geography: Geography, hidden: Predicate | None = None
) -> pl.DataFrame:
    """Return the places of those addresses that have one and do not stand for others."""
    places = geography.places_of(addresses.drop_nulls().unique())
    return places if hidden is None else places.filter(~hidden(pl.col("address")))


def _from(places: pl.DataFrame) -> pl.DataFrame:
    """Return places that have coordinates, as those that somebody came from."""
    point = places.filter(pl.col("latitude").is_not_null())
    return point.rename({name: f"from_{name}" for name in point.columns})


def _with_last(
    calls: pl.DataFrame, callers: Held, geography: Geography, hidden: Predicate | None
) -> pl.DataFrame:
    """Return calls with the last place that each caller came from before, and how long ago.

    What comes in between without a place, behind a proxy or inside, is no place to hide in.
    """
    rows = callers.of(Relation.IDENTITY_ORIGIN)
    there = _from(_placed(rows["object"], geography, hidden))
    placed = rows.select(
        pl.col("name").alias("key"),
        pl.col("object").alias("from_address"),
        "time",
        pl.col("time").alias("since"),
        "last",
    ).join(there, on="from_address")
    joined = calls.sort("time").join_asof(
        placed.sort("time"),
        on="time",
        by="key",
        strategy="backward",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    # They called from there at least until then: the last call is noted by a grain of minutes.
    seen_us = pl.max_horizontal("since", pl.col("last").cast(pl.Int64) * _SECOND_US)
    ago = (pl.col("time") - seen_us) / _SECOND_US
    # From the same address it is no journey, and how long they stay there is not over yet.
    moved = (pl.col("from_address") != pl.col("address")) & (ago <= _REACH_S)
    timely = pl.when(moved).then(ago.clip(lower_bound=1.0))
    return joined.with_columns(timely.alias("seconds")).sort("row")


def _with_known(calls: pl.DataFrame, callers: Held, geography: Geography) -> pl.DataFrame:
    """Return calls with how many days ago their caller was first seen near their place."""
    rows = callers.of(Relation.IDENTITY_ADDRESS)
    there = _from(_placed(rows["object"], geography))
    seen = rows.select(
        pl.col("name").alias("key"), pl.col("object").alias("from_address"), pl.col("time")
    ).join(there, on="from_address")
    here = calls.select("key", "address", "latitude", "longitude").drop_nulls().unique()
    near = here.join(seen, on="key").filter(_apart_km() <= NEAR_KM)
    first = near.group_by("key", "address").agg(pl.col("time").min().alias("first_us"))
    told = calls.join(first, on=["key", "address"], how="left", maintain_order="left")
    days = (pl.col("time") - pl.col("first_us")) // _DAY_US
    before = pl.col("first_us") < pl.col("time")
    return told.with_columns(pl.when(before).then(days).alias("known_days"))


def _apart_km() -> pl.Expr:
    here = pl.col("latitude"), pl.col("longitude")
    return kilometers((pl.col("from_latitude"), pl.col("from_longitude")), here)


def _way_km() -> pl.Expr:
    """Return how far it is at least: databases say how wrong they may be."""
    unsure = pl.col("radius_km") + pl.col("from_radius_km")
    way = (_apart_km() - unsure).clip(lower_bound=0.0)
    return pl.when(pl.col("seconds").is_not_null()).then(way)
