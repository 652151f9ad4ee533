"""Simulated days become normalized events with their labels, kept in a folder between runs.

Separate because making and normalizing four million events takes minutes, and scoring them seconds.
Everything here is simulated: `docs/simulation.md` says how near that is to a real log.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Final

import orjson
import polars as pl

from detectors.anomaly.report import SHOWN
from ingest.normalize import NormalizeSettings, normalize
from ingest.record import Records
from models.profile.action_key import READ
from models.simulate.simulation import prepare
from worker.garbage import collect_rarely

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from models.simulate.settings import SimulationSettings
    from models.simulate.simulation import Simulation

_STAGE: Final = "kubernetes.audit.stage"
_COLUMNS: Final = tuple(dict.fromkeys((*READ, *SHOWN, _STAGE)))
_CHUNK: Final = 500
_BATCH: Final = 10_000
_KEY: Final = ("kubernetes.audit.auditID", _STAGE)


@dataclass(frozen=True, slots=True)
class SimulatedCluster:
    """A cluster's events with ``role`` and ``run`` of those that an attack caused, and its runs."""

    name: str
    events: pl.DataFrame
    runs: list[str]


def simulated(settings: SimulationSettings, folder: Path) -> list[SimulatedCluster]:
    """Return a fleet's events, from the folder if they were made before.

    A run is named ``kind round``; those without a request of their own are left out.
    """
    told = orjson.dumps(asdict(settings), option=orjson.OPT_SORT_KEYS)
    kept = folder / sha256(told).hexdigest()[:16]
    if not (kept / "done").exists():
        kept.mkdir(parents=True, exist_ok=True)
        collect_rarely()
        simulation = prepare(settings)
        for number, name in enumerate(settings.cluster_names()):
            _events(simulation, number, name).write_parquet(kept / f"{name}.parquet")
            runs = [f"{one['scenario']} {one['round']}" for one in simulation.scenarios(number)]
            (kept / f"{name}.json").write_bytes(orjson.dumps(runs))
        (kept / "done").write_bytes(told)
    return [
        SimulatedCluster(
            name,
            pl.read_parquet(kept / f"{name}.parquet"),
            orjson.loads((kept / f"{name}.json").read_bytes()),
        )
        for name in settings.cluster_names()
    ]


def _events(simulation: Simulation, number: int, name: str) -> pl.DataFrame:
    lines = (
        line
        for day in simulation.days(number)
        for piece in day.pieces
        for line in b"".join(piece).splitlines()
    )
    events = pl.concat(_normalized(lines, name))
    labels = pl.DataFrame(
        [
            (row["auditID"], row["stage"], row["role"], f"{row['scenario']} {row['round']}")
            for row in simulation.labels(number)
        ],
        schema=dict.fromkeys((*_KEY, "role", "run"), pl.String),
        orient="row",
    )
    return events.join(labels, on=list(_KEY), how="left", maintain_order="left")


def _normalized(lines: Iterable[bytes], cluster: str) -> Iterator[pl.DataFrame]:
    settings = NormalizeSettings(cluster)
    rest = iter(lines)
    while batch := list(islice(rest, _BATCH)):
        chunks = [
            Records("simulated", part, list(range(len(part))))
            for part in (batch[at : at + _CHUNK] for at in range(0, len(batch), _CHUNK))
        ]
        yield normalize(chunks, settings).events.select(_COLUMNS)
