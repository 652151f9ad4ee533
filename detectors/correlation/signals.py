"""Hits of a batch become signals: small rows that a window can hold, by unit, group and value.

Separate from the windows because only here are events seen: what is kept over time is a time, an
id and three hashes. A hash is BLAKE2b over length-prefixed values, so that a state saved today
means the same after an upgrade, and nobody can write a value that passes for another.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from secrets import randbits
from typing import TYPE_CHECKING, Final

import polars as pl

from ingest.schema import DTYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.correlation.plan import Plan

SIGNALS: Final = pl.Schema(
    {
        "unit": pl.UInt32(),
        "cluster": pl.UInt32(),
        "key": pl.UInt64(),
        "time": pl.Int64(),
        "event": pl.String(),
        "base": pl.UInt8(),
        "value": pl.UInt64(),
        "number": pl.Int64(),
        "peer": pl.UInt64(),
        "via": pl.UInt32(),
        "audit": pl.String(),
        "text": pl.String(),
    }
)
"""``time`` in microseconds of Unix time; ``cluster`` by its number in the state; ``key`` the group
(of one cluster, unless groups reach over clusters), ``value`` what is counted or seen
first, ``peer`` the peer group; ``via`` the correlation that must have matched at the event;
``audit`` the auditID and ``text`` the value itself, cut, for evidence."""

MAX_TEXT: Final = 100

_CLUSTER: Final = "orchestrator.cluster.name"
_PERSON: Final = b"tw.group"
_NOTHING: Final = 0
_known: Final[dict[int, int]] = {_NOTHING: 0}
"""Hash of values in this process -> their digest; a group of everything has no values."""
_MOST_KNOWN: Final = 200_000
"""Some 20 MB. Beyond, all is forgotten, and costs what it did at first."""
_DIGESTED: Final = {"group": "key", "values": "value", "peers": "peer"}
"""Combination of columns that a feed asks for -> the column of the signal made of it."""

FOUND: Final = pl.Schema({"row": pl.UInt32(), **SIGNALS})


def signals_of(
    events: pl.DataFrame, hits: pl.DataFrame, plan: Plan, clusters: Mapping[str, int]
) -> pl.DataFrame:
    """Return the signals among hits, under FOUND, in no order.

    Parameters
        events: a batch under EVENT_SCHEMA.
        hits: ``row`` and ``rule`` as `detectors.engine.detect` returns them for the pack's rules.
        clusters: number of each cluster among the events.

    An event without a value in a column of the group, or in that of the value, is no signal of it;
    nor is one without a time, which no window could hold.
    All feeds are worked out together: a call of Polars costs as much as hundreds of rows.
    """
    found = hits.select("row", "rule").join(plan.feeding, on="rule", how="inner")
    if found.is_empty():
        return pl.DataFrame(schema=FOUND)
    rows = found["row"].unique().sort()
    part = events.select(plan.read)[rows]
    found = found.with_columns(
        pl.Series("place", rows.search_sorted(found["row"]), dtype=pl.UInt32)
    )
    found = _with_values(found, part, plan)
    about = part.select(
        pl.col("@timestamp").to_physical().alias("time"),
        pl.col(_CLUSTER).replace_strict(clusters, return_dtype=pl.UInt32).alias("cluster"),
        pl.col("event.id").alias("event"),
        pl.col("kubernetes.audit.auditID").alias("audit"),
    )
    found = pl.concat([found, about[found["place"]]], how="horizontal")
    if about["time"].null_count():
        found = found.filter(pl.col("time").is_not_null())
    return found.select(FOUND.names()).unique(["unit", "base", "event", "via"], keep="any")


def _with_values(found: pl.DataFrame, part: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """Return the rows that have all that their feed asks for, with key, value, number and peer."""
    found = found.hstack(_digests(found, part, plan)).with_columns(
        _picked(_numbers(part, plan, found), found["number_of"], found["place"], pl.Int64()).alias(
            "number"
        ),
        _picked(_texts(part, plan, found), found["shown"], found["place"], pl.String()).alias(
            "text"
        ),
    )
    return found.filter(
        pl.col("key").is_not_null()
        & (pl.col("values").is_null() | pl.col("value").is_not_null())
        & (pl.col("number_of").is_null() | pl.col("number").is_not_null())
    )


def _picked(
    columns: Mapping[int, pl.Series],
    which: pl.Series,
    place: pl.Series,
    dtype: pl.DataType | None = None,
) -> pl.Series:
    """Return for each row the value at its place in the column that it asks for."""
    if not columns:
        return pl.repeat(None, place.len(), dtype=dtype or pl.UInt64(), eager=True)
    height = next(iter(columns.values())).len()
    start = {shape: number * height for number, shape in enumerate(columns)}
    begin = which.replace_strict(start, default=None, return_dtype=pl.UInt32)
    return pl.concat(list(columns.values())).gather(begin + place)


def _digests(found: pl.DataFrame, part: pl.DataFrame, plan: Plan) -> list[pl.Series]:
    """Return key, value and peer of each row, null where there is none.

    Those of all combinations of columns at once, and a digest is made once in the life of the
    process: `signals_of` takes 1.3 microseconds an event so, and 3.0 with one look-up for each
    combination and batch (measured 2026-11-21).
    """
    asked = pl.concat([found[name] for name in _DIGESTED])
    places = pl.concat([found["place"]] * len(_DIGESTED))
    shapes = asked.unique().drop_nulls().to_list()
    apart = part.select(_told_apart(plan.shapes[shape]).alias(str(shape)) for shape in shapes)
    wanted = _picked(dict(zip(shapes, apart, strict=True)), asked, places)
    first = wanted.arg_unique()
    distinct = wanted.gather(first)
    _learn(distinct, asked.gather(first), places.gather(first), part, plan)
    known = pl.Series([_known.get(one) for one in distinct], dtype=pl.UInt64)
    digests = wanted.replace_strict(distinct, known, return_dtype=pl.UInt64)
    return [
        digests.slice(number * found.height, found.height).alias(name)
        for number, name in enumerate(_DIGESTED.values())
    ]


@cache
def _seed(_: tuple[pl.DataType, ...]) -> int:
    """Return the seed of a hash that only tells values of some types apart in this process.

    Nobody can prepare two that collide; another type of the same bits is another value.
    """
    return randbits(64)


@cache
def _told_apart(columns: tuple[str, ...]) -> pl.Expr:
    if not columns:
        return pl.repeat(_NOTHING, pl.len(), dtype=pl.UInt64)
    texts = [pl.col(column).cast(pl.String) for column in columns]
    missing = pl.any_horizontal(text.is_null() | (text == "") for text in texts)
    return pl.when(~missing).then(pl.struct(columns).hash(_seed(tuple(DTYPES[c] for c in columns))))


def _learn(
    apart: pl.Series, shapes: pl.Series, places: pl.Series, part: pl.DataFrame, plan: Plan
) -> None:
    """Make the digests that are not known yet, each of the values at one place of a shape."""
    if len(_known) > _MOST_KNOWN:
        _known.clear()
        _known[_NOTHING] = 0
    new: dict[int, tuple[list[int], list[int]]] = {}
    for one, shape, place in zip(apart, shapes, places, strict=True):
        if one is not None and one not in _known:
            keys, rows = new.setdefault(shape, ([], []))
            keys.append(one)
            rows.append(place)
    for shape, (keys, rows) in new.items():
        values = part.select(plan.shapes[shape])[rows].rows()
        _known.update(zip(keys, map(_digest, values), strict=True))


def _digest(values: tuple[object, ...]) -> int:
    texts = [str(value) for value in values]
    joined = "".join(f"{len(text)}:{text}" for text in texts)
    data = joined.encode(errors="surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8, person=_PERSON).digest(), "big")


def _numbers(part: pl.DataFrame, plan: Plan, found: pl.DataFrame) -> dict[int, pl.Series]:
    asked = found["number_of"].unique().drop_nulls()
    return {shape: part[plan.shapes[shape][0]] for shape in asked}


def _texts(part: pl.DataFrame, plan: Plan, found: pl.DataFrame) -> dict[int, pl.Series]:
    asked = found["shown"].unique().drop_nulls().to_list()
    if not asked:
        return {}
    shown = part.select(_shown(plan.shapes[shape]).alias(str(shape)) for shape in asked)
    return {shape: shown[str(shape)] for shape in asked}


def _shown(columns: tuple[str, ...]) -> pl.Expr:
    texts = [pl.col(column).cast(pl.String).str.slice(0, MAX_TEXT) for column in columns]
    return pl.concat_str(texts, separator=" ", ignore_nulls=True)
