"""What was learned of the behaviour in each cluster, as one value that a detector begins with.

Separate from the detector because it is what is stored, signed and begun with: whatever waits or
goes on when training ends is no part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.profile.budget import Calibration
    from models.profile.counts import Counts
    from models.profile.drift import Drift


@dataclass(frozen=True, slots=True, eq=False)
class ClusterProfile:
    """What is known of one cluster."""

    name: str
    passed: int
    """The first minute that was not scored."""
    calibration: Calibration
    counts: pl.DataFrame
    """Under `models.profile.counts.COUNTS`."""
    today: pl.DataFrame
    past: pl.DataFrame
    """Minutes by value, under `models.profile.drift.MINUTES`."""
    shown: pl.DataFrame
    """Drift of days that ended, under `models.profile.drift.DRIFT`."""
    drift_day: int

    def fresh_calibration(self) -> Calibration:
        """Return one of one's own: it changes while scores come in."""
        return msgspec.structs.replace(self.calibration.sorted())

    def begin(self, number: int, counts: Counts, drift: Drift) -> None:
        """Add what is known to the memory of a detector that has not seen this cluster.

        Parameters
            number: digest of the cluster's name.
        """
        counts.take_up(self.counts)
        drift.today = pl.concat([drift.today, self.today])
        drift.past = pl.concat([drift.past, self.past])
        drift.shown = pl.concat([drift.shown, self.shown])
        drift.days[number] = self.drift_day


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """What is known of several clusters, by the digest of their names."""

    clusters: Mapping[int, ClusterProfile]
    name: str = ""
    """NAME/VERSION of the model that holds it."""

    @property
    def counts(self) -> pl.DataFrame:
        """The counts of all clusters; contexts of two clusters are never the same."""
        return pl.concat(one.counts for one in self.clusters.values())
