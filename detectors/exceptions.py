"""Hits and a site's exceptions in, the hits that remain and how often each exception held out.

Separate from the rules because an exception is the site's decision: it has an owner, a reason and
an end, and the rule stays as it is. Separate from reading one (detectors/sigma/exception_file.py),
so that what applies them does not depend on YAML.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from detectors.sigma.pack import Detection, InFile

_TIME = "@timestamp"
_CLUSTER = "orchestrator.cluster.name"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Exemption:
    """One exception; two are equal only if they are the same object."""

    place: str
    """``file:line``: how it is named where it is counted."""
    detections: frozenset[str]
    """Ids of the rules and correlations that it is about."""
    owner: str
    reason: str
    expires: date
    """The last day, UTC, whose events it applies to."""
    scope: pl.Expr
    """Boolean, one per event, never null."""
    columns: frozenset[str]
    """All event columns that ``scope`` reads."""
    clusters: pl.Expr | None = None
    """Boolean test of the cluster's name; None: it applies to all."""

    @property
    def end(self) -> datetime:
        """The moment from which on it does not apply."""
        return datetime.combine(self.expires, time.min, UTC) + timedelta(days=1)

    def __repr__(self) -> str:
        """Return the place: the scope is long and says little."""
        return f"Exemption({self.place})"


def excepted(
    hits: pl.DataFrame,
    events: pl.DataFrame,
    detections: Sequence[InFile],
    exceptions: Sequence[Exemption],
) -> tuple[pl.DataFrame, Counter[str]]:
    """Return the hits that no exception covers, and how many each covers, by its place.

    A hit that several cover counts for the first. Events without a time are never covered: nobody
    knows whether the exception had ended. Time is the events' own, so that a replay gives the same.

    Parameters
        hits: ``row`` and ``rule`` among its columns, indices in ``events`` and ``detections``.
        detections: rules, or correlations with the row of the event that completes the match.
    """
    held: Counter[str] = Counter()
    hit = {detections[at].id: at for at in hits["rule"].unique()} if exceptions else {}
    mine = [one for one in exceptions if not one.detections.isdisjoint(hit)]
    if not mine:
        return hits, held
    rows = hits["row"].unique().sort()
    for exemption, covered in zip(mine, _covered(mine, events, rows), strict=True):
        if covered.any():
            of_rules = [at for one, at in hit.items() if one in exemption.detections]
            of_rows = pl.col("row").is_in(rows.filter(covered).implode())
            taken = of_rows & pl.col("rule").is_in(of_rules)
            height = hits.height
            hits = hits.filter(~taken)
            held[exemption.place] += height - hits.height
    return hits, +held


def excepted_rows(
    found: Sequence[tuple[Detection, int]],
    events: pl.DataFrame,
    exceptions: Sequence[Exemption],
) -> tuple[list[bool], Counter[str]]:
    """Return for each pair of a correlation and the row that completes it whether it is covered.

    Exceptions to the rules that a correlation joins do not cover it: whoever accepts one act has
    not accepted fifty of them.
    """
    if not (found and exceptions):
        return [False] * len(found), Counter()
    detections = list({detection.id: detection for detection, _ in found}.values())
    index = {detection.id: at for at, detection in enumerate(detections)}
    pairs = {
        "row": [row for _, row in found],
        "rule": [index[detection.id] for detection, _ in found],
    }
    hits = pl.DataFrame(pairs, schema={"row": pl.UInt32(), "rule": pl.UInt32()}).with_row_index("n")
    remaining, held = excepted(hits, events, detections, exceptions)
    left = set(remaining["n"])
    return [at not in left for at in range(len(found))], held


def hides(exemption: Exemption, events: pl.DataFrame) -> pl.Series:
    """Return for each event whether the scope covers it, whatever its time and its cluster.

    For `rules check`: an exception that covers a case that its rule must match is too wide.
    """
    return events.select(exemption.scope.alias("hidden"))["hidden"]


def expired(exceptions: Iterable[Exemption], day: date) -> list[Exemption]:
    """Return the exceptions that apply to no event of ``day`` any more."""
    return [exemption for exemption in exceptions if exemption.expires < day]


def _covered(
    exceptions: Sequence[Exemption], events: pl.DataFrame, rows: pl.Series
) -> list[pl.Series]:
    """Return for each exception which of ``rows`` it covers, all worked out together."""
    columns = frozenset({_TIME, _CLUSTER}).union(*(one.columns for one in exceptions))
    tests = [_test(one).alias(str(at)) for at, one in enumerate(exceptions)]
    return events.select(columns)[rows].lazy().select(tests).collect().get_columns()


def _test(exemption: Exemption) -> pl.Expr:
    timely = (pl.col(_TIME) < exemption.end).fill_null(value=False)
    test = exemption.scope & timely
    return test if exemption.clusters is None else test & exemption.clusters.fill_null(value=False)
