"""The tables of a profile in, nothing out, or a refusal: what no training would have written.

Separate from the format because this is what stands between a signed file and a detector's memory:
a sum that is none or a time to come would not be seen later, only believed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from models.profile.action_key import DAY_TICKS
from models.profile.budget import MOST_BITS, MOST_CORRECTION
from models.profile.counts import TOTAL
from models.profile.drift import KEPT_DAYS, MOST_VALUES
from models.profile.observed import Feature, digest
from models.profile.profile_tables import CLUSTER_REALS, PROFILE_KEYS
from models.store.checks import (
    refuse_rows,
    require_at_most,
    require_between,
    require_counts,
    require_shares,
    require_sorted,
)
from models.store.refusal import ModelRefusedError, Reason

if TYPE_CHECKING:
    from models.store.kind import Tables
    from models.store.manifest import Manifest

MOST_CLUSTERS: Final = 10_000
MOST_COUNTS: Final = 1_000_000
"""Rows of one cluster: as many as a detector keeps by default."""

_TICKS: Final = (-1_035_593_280.0, 4_223_371_680.0)
"""Minutes of the years 1 to 9999: what an event's time may be."""

_DAYS: Final = (_TICKS[0] // DAY_TICKS, _TICKS[1] // DAY_TICKS)
_FEATURES: Final = (float(min(Feature)), float(max(Feature)))


def check_profile(_: Manifest, tables: Tables) -> None:
    """Refuse tables that are typed well and that no training would have written."""
    for table, keys in PROFILE_KEYS.items():
        require_sorted(tables, table, keys)
    _check_clusters(tables)
    _check_belonging(tables)
    _check_counts(tables)
    _check_scores(tables)
    _check_drift(tables)


def _check_clusters(tables: Tables) -> None:
    table = "clusters"
    require_at_most(tables, table, MOST_CLUSTERS)
    require_counts(tables, table, (*CLUSTER_REALS, "told"))
    require_shares(tables, table, ("share",))
    require_between(tables, table, ("passed", "first_tick"), _TICKS)
    require_between(tables, table, ("day", "drift_day"), _DAYS)
    require_between(tables, table, ("correction",), (0.0, MOST_CORRECTION))
    named = pl.Series(map(digest, tables[table]["name"]), dtype=pl.UInt64)
    refuse_rows(tables, table, pl.col("cluster") != pl.lit(named), "a number of another name")
    before = pl.col("passed") <= pl.col("first_tick")
    refuse_rows(tables, table, before, "scored before it was seen")
    unset = pl.col("has_threshold") & (pl.min_horizontal("threshold", "scale", "share") <= 0)
    refuse_rows(tables, table, unset, "a threshold that is none")


def _check_belonging(tables: Tables) -> None:
    clusters = tables["clusters"]["cluster"]
    for name in PROFILE_KEYS:
        if not tables[name]["cluster"].is_in(clusters.implode()).all():
            detail = f"table {name!r}: a cluster that is not in table 'clusters'"
            raise ModelRefusedError(Reason.OUT_OF_RANGE, detail)


def _check_counts(tables: Tables) -> None:
    table = "counts"
    if tables[table].is_empty():
        return
    largest = tables[table].group_by("cluster").len()["len"].max()
    if isinstance(largest, int) and largest > MOST_COUNTS:
        detail = f"table {table!r}: {largest} rows of one cluster, at most {MOST_COUNTS} may be"
        raise ModelRefusedError(Reason.OVERSIZED, detail)
    require_counts(tables, table, ("weight", "events", "distinct", "new"))
    require_between(tables, table, ("first", "last"), _TICKS)
    require_between(tables, table, ("day",), _DAYS)
    backwards = pl.col("first") > pl.col("last")
    refuse_rows(tables, table, backwards, "last seen before it was first seen")
    passed = dict(tables["clusters"].select("cluster", "passed").iter_rows())
    end = pl.col("cluster").replace_strict(passed, return_dtype=pl.Int64)
    refuse_rows(tables, table, pl.col("last") >= end, "seen after all was scored")
    is_total = pl.col("value") == TOTAL
    even = ~is_total & (pl.col("value") % 2 == 0)
    refuse_rows(tables, table, even, "a value that is no digest")
    context = ("cluster", "context")
    sums = is_total.sum().over(context) != 1
    refuse_rows(tables, table, sums, "a context without its sum")
    wrong = is_total & (pl.col("distinct") != pl.len().over(context) - 1)
    refuse_rows(tables, table, wrong, "a sum of other values than those of its context")


def _check_scores(tables: Tables) -> None:
    require_between(tables, "scores", ("bits",), (0.0, float(MOST_BITS)))
    require_counts(tables, "scores", ("count",))
    partial = pl.col("is_today") & (pl.col("count") != pl.col("count").floor())
    refuse_rows(tables, "scores", partial, "half a minute")
    require_shares(tables, "tails", ("survival",))
    require_between(tables, "tails", ("score",), (0.0, float(MOST_BITS) + 1))
    rising = (pl.col("survival").diff() > 0).over("cluster").fill_null(value=False)
    refuse_rows(tables, "tails", rising, "a probability that rises with the score")
    cuts = dict(tables["clusters"].select("cluster", "cut").iter_rows())
    if cuts:
        cut = pl.col("cluster").replace_strict(cuts, return_dtype=pl.Float64)
        refuse_rows(tables, "tails", pl.col("score") > cut, "a score beyond where the tail begins")


def _check_drift(tables: Tables) -> None:
    for table, counted in (("minutes", "minutes"), ("drift", "psi")):
        require_between(tables, table, ("feature",), _FEATURES)
        require_counts(tables, table, (counted,))
    require_between(tables, "drift", ("day",), _DAYS)
    clusters = tables["clusters"].height
    require_at_most(tables, "minutes", 2 * MOST_VALUES * clusters)
    require_at_most(tables, "drift", (KEPT_DAYS + 1) * len(Feature) * clusters)
