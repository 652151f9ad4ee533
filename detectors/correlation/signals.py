"""Hits of a batch become signals: small rows that a window can hold, by unit, group and value.

Separate from the windows because only here are events seen: what is kept over time is a time, an
id and three hashes. A hash is BLAKE2b over length-prefixed values, so that a state saved today
means the same after an upgrade, and nobody can write a value that passes for another.
"""

from __future__ import annotations

from functools import cache, lru_cache
from hashlib import blake2b
from secrets import randbits
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.correlation.rows import where
from detectors.known_columns import KNOWN_DTYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from polars._typing import PolarsDataType

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
    found = hits[["row", "rule"]].join(plan.feeding[["rule", "feed"]], on="rule", how="inner")
    if found.is_empty():
        return pl.DataFrame(schema=FOUND)
    rows = found["row"].unique().sort()
    part = events[list(plan.read)][rows]
    place = rows.search_sorted(found["row"]).cast(pl.UInt32)
    if part["@timestamp"].null_count():
        found, place = _timed(found, place, part)
    once = _once(place, plan.feeding["signal"][found["feed"]], part["event.id"])
    asked = plan.feeding[found["feed"].filter(once)]
    place = place.filter(once)
    number = _picked(_numbers(part, plan, asked), asked["number_of"], place, pl.Int64())
    text = _picked(_texts(part, plan, asked), asked["shown"], place, pl.String())
    key, value, peer = _digests(asked, place, part, plan)
    cluster = part.select_seq(_cluster(frozenset(clusters.items()))).to_series()
    signals = pl.DataFrame(
        {
            "row": found["row"].filter(once),
            "unit": asked["unit"],
            "cluster": cluster[place],
            "key": key,
            "time": part["@timestamp"].to_physical()[place],
            "event": part["event.id"][place],
            "base": asked["base"],
            "value": value,
            "number": number,
            "peer": peer,
            "via": asked["via"],
            "audit": part["kubernetes.audit.auditID"][place],
            "text": text,
        }
    )
    has_value = asked["values"].is_null() | value.is_not_null()
    has_number = asked["number_of"].is_null() | number.is_not_null()
    return where(signals, key.is_not_null() & has_value & has_number)


def _timed(
    found: pl.DataFrame, place: pl.Series, part: pl.DataFrame
) -> tuple[pl.DataFrame, pl.Series]:
    has_time = part["@timestamp"].is_not_null()[place]
    return where(found, has_time), place.filter(has_time)


def _once(place: pl.Series, signal: pl.Series, events: pl.Series) -> pl.Series:
    """Return whether a signal is the first of its kind: several rules may give the same one."""
    if events.n_unique() < events.len():  # one event stands in several rows
        place = events.rank("dense")[place]
    return (place.cast(pl.UInt64) * (1 << 32) + signal).is_first_distinct()


@lru_cache(maxsize=64)
def _cluster(clusters: frozenset[tuple[str, int]]) -> pl.Expr:
    if len(clusters) == 1:
        ((_, number),) = clusters
        return pl.repeat(number, pl.len(), dtype=pl.UInt32)
    return pl.col(_CLUSTER).replace_strict(dict(clusters), return_dtype=pl.UInt32)


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
    begins: list[int | None] = [None] * (max(columns) + 1)
    for number, shape in enumerate(columns):
        begins[shape] = number * height
    begin = pl.Series(begins, dtype=pl.UInt32)[which]
    return pl.concat(list(columns.values()))[begin + place]


def _digests(
    asked: pl.DataFrame, place: pl.Series, part: pl.DataFrame, plan: Plan
) -> list[pl.Series]:
    """Return key, value and peer of each signal, null where there is none.

    Those of all combinations of columns at once, and a digest is made once in the life of the
    process: `signals_of` takes 1.3 microseconds an event so, and 3.0 with one look-up for each
    combination and batch (measured 2026-11-21).
    """
    shapes = pl.concat([asked[name] for name in _DIGESTED])
    places = pl.concat([place] * len(_DIGESTED))
    apart = _told_apart(shapes.unique().drop_nulls().to_list(), part, plan)
    wanted = _picked(apart, shapes, places)
    first = wanted.arg_unique()
    distinct = wanted[first]
    _learn(distinct, shapes[first], places[first], part, plan)
    known = pl.Series([_known.get(one) for one in distinct.to_list()], dtype=pl.UInt64)
    digests = wanted.replace_strict(distinct, known, return_dtype=pl.UInt64)
    return [digests.slice(number * place.len(), place.len()) for number in range(len(_DIGESTED))]


def _told_apart(shapes: Iterable[int], part: pl.DataFrame, plan: Plan) -> dict[int, pl.Series]:
    """Return for each combination of columns a number for the values of each row, null for none.

    It only tells values apart, in this process; each column is looked at once.
    """
    columns = {shape: plan.shapes[shape] for shape in shapes}
    read = dict.fromkeys(name for names in columns.values() for name in names)
    numbers = part.select_seq(_number_of(name) for name in read)
    return {
        shape: _joined([numbers[name] for name in names]) if names else _no_values(part.height)
        for shape, names in columns.items()
    }


def _no_values(height: int) -> pl.Series:
    return pl.repeat(_NOTHING, height, dtype=pl.UInt64, eager=True)


def _joined(numbers: Sequence[pl.Series]) -> pl.Series:
    """Return one number for several; null where one of them is."""
    found, *others = numbers
    for place, number in enumerate(others):
        found = found * _multiplier(place) + number
    return found


@cache
def _multiplier(_: int) -> pl.Series:
    """Return a secret odd number: nobody can prepare values whose numbers come to the same."""
    return pl.Series([randbits(64) | 1], dtype=pl.UInt64)


@cache
def _number_of(column: str) -> pl.Expr:
    """Return a hash of a column's values, null for those that are none."""
    own = pl.col(column)
    dtype = KNOWN_DTYPES[column]
    is_value = own != "" if dtype == pl.String else own.is_not_null()
    return pl.when(is_value).then(own.hash(_seed(dtype)))


@cache
def _seed(_: PolarsDataType) -> int:
    """Return the seed of a hash that only tells values of a type apart in this process.

    Nobody can prepare two that collide; another type of the same bits is another value.
    """
    return randbits(64)


def _learn(
    apart: pl.Series, shapes: pl.Series, places: pl.Series, part: pl.DataFrame, plan: Plan
) -> None:
    """Make the digests that are not known yet, each of the values at one place of a shape."""
    if len(_known) > _MOST_KNOWN:
        _known.clear()
        _known[_NOTHING] = 0
    new: dict[int, tuple[list[int], list[int]]] = {}
    told = (apart.to_list(), shapes.to_list(), places.to_list())
    for one, shape, place in zip(*told, strict=True):
        if one is not None and one not in _known:
            keys, rows = new.setdefault(shape, ([], []))
            keys.append(one)
            rows.append(place)
    for shape, (keys, rows) in new.items():
        values = part[list(plan.shapes[shape])][rows].rows()
        _known.update(zip(keys, map(_digest, values), strict=True))


def _digest(values: tuple[object, ...]) -> int:
    texts = [str(value) for value in values]
    joined = "".join(f"{len(text)}:{text}" for text in texts)
    data = joined.encode(errors="surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8, person=_PERSON).digest(), "big")


def _numbers(part: pl.DataFrame, plan: Plan, found: pl.DataFrame) -> dict[int, pl.Series]:
    if found["number_of"].null_count() == found.height:
        return {}
    asked = found["number_of"].unique().drop_nulls()
    return {shape: part[plan.shapes[shape][0]] for shape in asked}


def _texts(part: pl.DataFrame, plan: Plan, found: pl.DataFrame) -> dict[int, pl.Series]:
    if found["shown"].null_count() == found.height:
        return {}
    asked = found["shown"].unique().drop_nulls().to_list()
    shown = part.select_seq(_shown(plan.shapes[shape]).alias(str(shape)) for shape in asked)
    return {shape: shown[str(shape)] for shape in asked}


@cache
def _shown(columns: tuple[str, ...]) -> pl.Expr:
    texts = [pl.col(column).cast(pl.String).str.slice(0, MAX_TEXT) for column in columns]
    return pl.concat_str(texts, separator=" ", ignore_nulls=True)
