"""Minutes of identities in which rules that remember found something: nothing of them is learned.

Separate from the learning because it holds what others found, until the minute is scored. Rules of
single events flag events as these are added; a rule that asks the memory or counts over time knows
only when the watermark has passed, and then it is who, in which minute, that is told here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.sigma.rule import Level
from models.profile.action_key import CLUSTER, TICK_US
from models.profile.observed import digest, identity_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from detectors.finding import Finding

Blamed = tuple[int, str, str]
"""Minute, cluster and identity."""

FLAGS: Final = frozenset({Level.MEDIUM, Level.HIGH, Level.CRITICAL})
"""Levels of findings whose acts are not learned: what is lower is often somebody's daily work."""

_BLAMED: Final = pl.Schema({"tick": pl.Int64(), "cluster": pl.String(), "identity": pl.String()})


class Blame:
    """What was found in minutes that are not scored yet."""

    __slots__ = ("minutes",)

    def __init__(self) -> None:
        self.minutes: set[Blamed] = set()

    def mark(self, due: pl.DataFrame) -> pl.DataFrame:
        """Return sightings, flagged where something was found in this minute of who did it."""
        if not self.minutes:
            return due
        blamed = pl.DataFrame(sorted(self.minutes), schema=_BLAMED, orient="row")
        asked = due.select(
            "tick",
            pl.col(CLUSTER).fill_null("").alias("cluster"),
            identity_text().alias("identity"),
            pl.int_range(pl.len()).alias("row"),
        )
        rows = asked.join(blamed, on=_BLAMED.names(), how="semi")["row"]
        is_blamed = pl.int_range(pl.len()).is_in(rows.implode())
        flagged = pl.when(is_blamed).then("count").otherwise("flagged")
        return due.with_columns(flagged.alias("flagged"))

    def forgive(self, limits: Mapping[int, int] | None) -> None:
        """Forget what lies in minutes that are scored; None: all are.

        Parameters
            limits: by cluster, the first minute that is not scored.
        """
        if limits is None:
            self.minutes.clear()
        elif self.minutes:
            self.minutes = {one for one in self.minutes if one[0] >= limits.get(digest(one[1]), 0)}


def blamed(findings: Iterable[Finding]) -> set[Blamed]:
    """Return whose minutes the findings of rules that remember are about.

    Of what happened over longer time it is the minute that completed it: an earlier one may have
    been learned by now, and that must not depend on when anybody looked.
    """
    return {
        (
            finding.order[0] // TICK_US,
            finding.document.get(CLUSTER) or "",
            finding.document.get("user.effective.name") or finding.document.get("user.name") or "",
        )
        for finding in findings
        if finding.level in FLAGS
    }


def flagged(findings: Iterable[Finding]) -> pl.Series:
    """Return event.id of what findings of single events rest on."""
    ids = sorted({finding.order[1] for finding in findings if finding.level in FLAGS})
    return pl.Series("event.id", ids, dtype=pl.String)
