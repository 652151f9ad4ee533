"""What a simulation is told.

Separate so that the command and the tests need nothing else to ask for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import date

_NAMES: Final = ("prod-eu", "prod-us", "staging", "tools", "edge")


@dataclass(frozen=True, slots=True)
class SimulationSettings:
    """A fleet, a time and a seed; the same settings give the same bytes."""

    start: date
    days: int = 30
    clusters: int = 3
    events_per_day: int = 50_000
    """Of one cluster on a working day, about; machines keep their shares of it."""
    chains: int = 25
    """Attack chains in the whole fleet."""
    seed: int = 7

    def cluster_names(self) -> list[str]:
        """Name the clusters."""
        more = [f"cluster-{n}" for n in range(len(_NAMES) + 1, self.clusters + 1)]
        return [*_NAMES, *more][: self.clusters]
