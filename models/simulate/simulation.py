"""Settings in, each cluster's days out: lines of raw audit records, then labels.

Separate from the fleet because it is the order of things: a cluster after the other, a day after
the other, so that memory holds one cluster and ten minutes of its records.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from models.simulate.chains import plant
from models.simulate.fleet import build_cluster
from models.simulate.timeline import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from models.simulate.cluster import Cluster
    from models.simulate.settings import SimulationSettings


@dataclass(frozen=True, slots=True)
class Day:
    """A day of a cluster: its lines come in pieces of ten minutes, once."""

    cluster: str
    day: date
    pieces: Iterator[list[bytes]]


@dataclass(frozen=True, slots=True)
class Simulation:
    """A fleet whose time has not begun."""

    settings: SimulationSettings
    clusters: list[Cluster]

    def days(self, number: int) -> Iterator[Day]:
        """Let a cluster live; each day must be read to its end before the next is asked for."""
        cluster = self.clusters[number]
        for day in range(self.settings.days):
            until_us = cluster.start_us + (day + 1) * DAY
            date_of = self.settings.start + timedelta(days=day)
            yield Day(cluster.name, date_of, cluster.run(until_us))

    def labels(self, number: int) -> list[dict[str, Any]]:
        """Return the rows of labels.jsonl of a cluster that has lived."""
        return self.clusters[number].book.until(self._end_us(number))

    def scenarios(self, number: int) -> list[dict[str, Any]]:
        """Return the rows of scenarios.jsonl of a cluster that has lived, by their start."""
        episodes = [one for one in self.clusters[number].book.episodes if one.requests]
        return [one.document() for one in sorted(episodes, key=lambda one: one.start_us)]

    def _end_us(self, number: int) -> int:
        return self.clusters[number].start_us + self.settings.days * DAY


def prepare(settings: SimulationSettings) -> Simulation:
    """Return the fleet of the settings, its attacks planted."""
    clusters = [build_cluster(settings, number) for number in range(settings.clusters)]
    plant(clusters)
    return Simulation(settings, clusters)
