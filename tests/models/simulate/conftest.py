"""A small simulated fleet that several tests look at; made once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import orjson
import pytest

from models.simulate.chains import CHAINS
from models.simulate.settings import SimulationSettings
from models.simulate.simulation import prepare

Labels = list[dict[str, Any]]


@dataclass(frozen=True)
class Fleet:
    """What a simulation gave: lines by cluster and day, and both files of labels."""

    settings: SimulationSettings
    lines: dict[str, list[list[bytes]]]
    labels: Labels
    scenarios: Labels

    parsed: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def events(self, cluster: str) -> list[dict[str, Any]]:
        if cluster not in self.parsed:
            lines = (line for day in self.lines[cluster] for line in day)
            self.parsed[cluster] = [orjson.loads(line) for line in lines]
        return self.parsed[cluster]


def simulate(**settings: Any) -> Fleet:
    told: dict[str, Any] = {"start": date(2026, 6, 1), "events_per_day": 6_000} | settings
    wanted = SimulationSettings(**told)
    simulation = prepare(wanted)
    lines: dict[str, list[list[bytes]]] = {}
    labels: Labels = []
    scenarios: Labels = []
    for number in range(wanted.clusters):
        for day in simulation.days(number):
            whole = [line for piece in day.pieces for line in piece]
            lines.setdefault(day.cluster, []).append(whole)
        labels += simulation.labels(number)
        scenarios += simulation.scenarios(number)
    return Fleet(wanted, lines, labels, scenarios)


@pytest.fixture(scope="session")
def fleet() -> Fleet:
    """Return two clusters from Wednesday to Saturday, with every kind of chain once."""
    start = date(2026, 6, 3)
    return simulate(start=start, days=4, clusters=2, events_per_day=4_000, chains=len(CHAINS))
