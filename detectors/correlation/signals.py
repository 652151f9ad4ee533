"""Hits of a batch become signals: small rows that a window can hold, by unit, group and value.

Separate from the windows because only here are events seen: what is kept over time is a time, an
id and three hashes. A hash is BLAKE2b over length-prefixed values, so that a state saved today
means the same after an upgrade, and nobody can write a value that passes for another.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from detectors.correlation.plan import Feed, Plan

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

ORDER: Final = ("unit", "key", "time", "event")

_CLUSTER: Final = "orchestrator.cluster.name"
_EVERYTHING: Final = 0
_PERSON: Final = b"tw.group"


def signals_of(
    events: pl.DataFrame, hits: pl.DataFrame, plan: Plan, clusters: Mapping[str, int]
) -> pl.DataFrame:
    """Return the signals among hits, under SIGNALS, in no order.

    Parameters
        events: a batch under EVENT_SCHEMA.
        hits: ``row`` and ``rule`` as `detectors.engine.detect` returns them for the pack's rules.
        clusters: number of each cluster among the events.

    An event without a value in a column of the group, or in that of the value, is no signal of it.
    """
    wanted = hits.filter(pl.col("rule").is_in(plan.rules)) if plan.rules else hits.clear()
    if wanted.is_empty():
        return pl.DataFrame(schema=SIGNALS)
    rows_of = {
        rule: rows["row"] for (rule,), rows in wanted.partition_by("rule", as_dict=True).items()
    }
    feeds = [feed for feed in plan.feeds if feed.rule in rows_of]
    hashes = _Hashes(events, feeds, rows_of, () if plan.across_clusters else (_CLUSTER,))
    parts = [_signals(feed, rows_of[feed.rule], hashes) for feed in feeds]
    found = pl.concat(parts).drop_nulls(["key"])
    about = events.select(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"),
        pl.col(_CLUSTER).replace_strict(clusters, return_dtype=pl.UInt32).alias("cluster"),
        pl.col("@timestamp").to_physical().alias("time"),
        pl.col("event.id").alias("event"),
        pl.col("kubernetes.audit.auditID").alias("audit"),
    )
    found = found.join(about, on="row", how="left", maintain_order="left")
    return found.select(SIGNALS.names()).unique(["unit", "base", "event", "via"], keep="any")


class _Hashes:
    """Hashes of the combinations of columns that feeds ask for, each worked out once."""

    def __init__(
        self,
        events: pl.DataFrame,
        feeds: Sequence[Feed],
        rows_of: dict[int, pl.Series],
        within: tuple[str, ...],
    ) -> None:
        self.events = events
        self.within = within
        """Columns that stand before those of each group: the cluster, unless it does not count."""
        needed: dict[tuple[str, ...], list[pl.Series]] = {}
        for feed in feeds:
            peers = within + feed.peers if feed.peers else ()
            for columns in (within + feed.group_by, feed.values, peers):
                if columns:
                    needed.setdefault(columns, []).append(rows_of[feed.rule])
        self._by_row = {columns: _hashed(events, columns, rows) for columns, rows in needed.items()}

    def of(self, columns: tuple[str, ...], rows: pl.Series) -> pl.Series:
        """Return the hash for each of ``rows``; null where a column has no value."""
        if not columns:
            return pl.repeat(_EVERYTHING, rows.len(), dtype=pl.UInt64, eager=True)
        return self._by_row[columns].gather(rows)


def _hashed(events: pl.DataFrame, columns: tuple[str, ...], rows: Iterable[pl.Series]) -> pl.Series:
    """Return the hashes of columns by row number of the batch, null for rows nobody asked for."""
    wanted = pl.concat(list(rows)).unique()
    texts = events.select(columns)[wanted].select(_text(columns)).to_series()
    distinct = texts.unique().drop_nulls()
    known = pl.DataFrame(
        {"text": distinct, "hash": pl.Series([_digest(text) for text in distinct], dtype=pl.UInt64)}
    )
    found = pl.DataFrame({"row": wanted, "text": texts}).join(known, on="text", how="inner")
    spread = pl.repeat(None, events.height, dtype=pl.UInt64, eager=True)
    return spread.scatter(found["row"], found["hash"])


def _text(columns: tuple[str, ...]) -> pl.Expr:
    """Return the values joined so that no two lists give the same; null if one has no value."""
    texts = [pl.col(column).cast(pl.String) for column in columns]
    missing = pl.any_horizontal(text.is_null() | (text == "") for text in texts)
    parts = [p for t in texts for p in (t.str.len_bytes().cast(pl.String), pl.lit(":"), t)]
    return pl.when(~missing).then(pl.concat_str(parts))


def _shown(columns: tuple[str, ...]) -> pl.Expr:
    if not columns:
        return pl.repeat(None, pl.len(), dtype=pl.String)
    texts = [pl.col(column).cast(pl.String).str.slice(0, MAX_TEXT) for column in columns]
    return pl.concat_str(texts, separator=" ", ignore_nulls=True)


def _digest(text: str) -> int:
    data = text.encode(errors="surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8, person=_PERSON).digest(), "big")


def _signals(feed: Feed, rows: pl.Series, hashes: _Hashes) -> pl.DataFrame:
    nothing = pl.repeat(None, rows.len(), dtype=pl.UInt64, eager=True)
    value = hashes.of(feed.values, rows) if feed.values else nothing
    number = None if feed.number is None else hashes.events[feed.number].gather(rows)
    text = hashes.events.select(_shown(feed.values)).to_series().gather(rows)
    found = pl.DataFrame(
        {
            "row": rows,
            "key": hashes.of(hashes.within + feed.group_by, rows),
            "value": value,
            "text": text,
        }
    )
    found = found.with_columns(
        pl.lit(feed.unit, dtype=pl.UInt32).alias("unit"),
        pl.lit(feed.base, dtype=pl.UInt8).alias("base"),
        (number if number is not None else pl.lit(None, dtype=pl.Int64)).alias("number"),
        hashes.of(hashes.within + feed.peers, rows).alias("peer")
        if feed.peers
        else nothing.alias("peer"),
        pl.lit(feed.via, dtype=pl.UInt32).alias("via"),
    )
    needed = [name for name, asked in (("value", feed.values), ("number", feed.number)) if asked]
    return found.drop_nulls(needed) if needed else found
