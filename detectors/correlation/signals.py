"""Hits of a batch become signals: small rows that a window can hold, by unit, group and value.

Separate from the windows because only here are events seen: what is kept over time is a time, an
id and three hashes. A hash is BLAKE2b over length-prefixed values, so that a state saved today
means the same after an upgrade, and nobody can write a value that passes for another.
"""

from __future__ import annotations

from hashlib import blake2b
from secrets import randbits
from typing import TYPE_CHECKING, Final

import polars as pl

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
_SEED: Final = randbits(64)
"""Of the hash that only tells values of one batch apart: nobody can prepare two that collide."""

FOUND: Final = pl.Schema({"row": pl.UInt32(), **SIGNALS})


def signals_of(
    events: pl.DataFrame, hits: pl.DataFrame, plan: Plan, clusters: Mapping[str, int]
) -> pl.DataFrame:
    """Return the signals among hits, under FOUND, in no order.

    Parameters
        events: a batch under EVENT_SCHEMA.
        hits: ``row`` and ``rule`` as `detectors.engine.detect` returns them for the pack's rules.
        clusters: number of each cluster among the events.

    An event without a value in a column of the group, or in that of the value, is no signal of it.
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
    return found.select(FOUND.names()).unique(["unit", "base", "event", "via"], keep="any")


def _with_values(found: pl.DataFrame, part: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """Return the rows that have all that their feed asks for, with key, value, number and peer."""
    asked = {
        shape
        for name in ("group", "values", "peers")
        for shape in found[name].unique().drop_nulls()
    }
    hashes = _hashes(part, {shape: plan.shapes[shape] for shape in asked})
    found = found.with_columns(
        _picked(hashes, found["group"], found["place"]).alias("key"),
        _picked(hashes, found["values"], found["place"]).alias("value"),
        _picked(hashes, found["peers"], found["place"]).alias("peer"),
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


def _hashes(part: pl.DataFrame, shapes: Mapping[int, tuple[str, ...]]) -> dict[int, pl.Series]:
    """Return for each combination of columns a hash for each row, null where one has no value."""
    told_apart = part.select(_told_apart(columns).alias(str(n)) for n, columns in shapes.items())
    return {
        shape: _hashed(told_apart[str(shape)], part, columns) for shape, columns in shapes.items()
    }


def _told_apart(columns: tuple[str, ...]) -> pl.Expr:
    if not columns:
        return pl.repeat(0, pl.len(), dtype=pl.UInt64)
    texts = [pl.col(column).cast(pl.String) for column in columns]
    missing = pl.any_horizontal(text.is_null() | (text == "") for text in texts)
    return pl.when(~missing).then(pl.struct(columns).hash(_SEED))


def _hashed(apart: pl.Series, part: pl.DataFrame, columns: tuple[str, ...]) -> pl.Series:
    places = apart.arg_unique()
    distinct = apart.gather(places)
    digests = [_digest(values) for values in part.select(columns)[places].iter_rows()]
    if not columns:
        digests = [0] * places.len()
    return apart.replace_strict(
        distinct, pl.Series(digests, dtype=pl.UInt64), default=None, return_dtype=pl.UInt64
    ).set(apart.is_null(), None)


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
