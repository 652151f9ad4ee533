"""Rules become what they cover: of ATT&CK, of the Kubernetes threat matrix, of our own catalogue.

Separate from how that is shown: the command prints it, Navigator reads it, a page holds it. Counted
is what rules say about themselves, their tags, catalogue ids and references; that each also fires
is what its cases are for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from detectors.anomaly.detector import DETECTORS
from detectors.attack import TECHNIQUES, Technique
from detectors.catalogue import CATALOGUE, Entry
from detectors.sigma.correlation import Correlation
from detectors.sigma.rule import Category, Level
from detectors.threat_matrix import MATRIX, MatrixTechnique

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from detectors.anomaly.detector import Detector
    from detectors.sigma.pack import Detection, Pack
    from detectors.sigma.rule import LogSource

Detections = tuple["Detection", ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is covered by which detections; everything that could be stands there, also by none."""

    detections: Detections
    waiting: Mapping[str, str]
    """Id of each detection that is inactive -> the site list it waits for; it counts as well."""
    techniques: tuple[tuple[Technique, Detections], ...]
    """Those of our table (detectors/attack.py), in the order of ids."""
    unknown_techniques: tuple[tuple[str, Detections], ...]
    """Ids in tags that the table lacks."""
    matrix: tuple[tuple[MatrixTechnique, Detections], ...]
    catalogue: tuple[tuple[Entry, Detections], ...]
    learned: Mapping[str, Detector]
    """Id of each detection of the catalogue that a learned detector finds -> that detector."""
    categories: Mapping[Category, Mapping[Level, int]]
    sources: Mapping[str, Detections]
    """Product, and service or category, e.g. ``kubernetes audit``."""


def coverage_of(pack: Pack) -> Coverage:
    """Return what the reporting detections of ``pack`` cover, and those that wait for a list."""
    found = _counted(pack)
    by_technique = _grouped(found, lambda one: one.techniques)
    by_entry = _grouped(found, lambda one: one.catalogue)
    return Coverage(
        detections=found,
        waiting=dict(pack.inactive),
        techniques=tuple((one, by_technique.get(one.id, ())) for one in TECHNIQUES.values()),
        unknown_techniques=tuple(
            (name, by_technique[name]) for name in sorted(by_technique.keys() - TECHNIQUES.keys())
        ),
        matrix=tuple((one, _seeing(one, found)) for one in MATRIX),
        catalogue=tuple((one, by_entry.get(one.id, ())) for one in CATALOGUE.values()),
        learned={name: one for one in DETECTORS for name in one.catalogue},
        categories={category: _levels(found, category) for category in Category},
        sources=dict(sorted(_grouped(found, lambda one: sources_of(one, pack)).items())),
    )


def sources_of(detection: Detection, pack: Pack) -> tuple[str, ...]:
    """Return the names of the log sources that a detection rests on, sorted."""
    if not isinstance(detection, Correlation):
        return (_source_name(detection.logsource),)
    every: tuple[Detection, ...] = (*pack.rules, *pack.correlations, *pack.waiting)
    below = {one.id: one for one in every}
    named = (sources_of(below[base.id], pack) for base in detection.bases if base.id in below)
    return tuple(sorted({name for several in named for name in several}))


def _source_name(source: LogSource) -> str:
    narrower = source.service or source.category
    return f"{source.product} {narrower}" if narrower else source.product


def _counted(pack: Pack) -> Detections:
    """Return what reports or would; of what waits, not the rules that only serve others."""
    served = {base.id for one in pack.waiting if isinstance(one, Correlation) for base in one.bases}
    waiting = (one for one in pack.waiting if one.id not in served)
    return (*pack.reporting, *waiting)


def _grouped(
    detections: Iterable[Detection], names: Callable[[Detection], Iterable[str]]
) -> dict[str, Detections]:
    groups: dict[str, list[Detection]] = {}
    for one in detections:
        for name in dict.fromkeys(names(one)):
            groups.setdefault(name, []).append(one)
    return {name: tuple(several) for name, several in groups.items()}


def _seeing(technique: MatrixTechnique, detections: Detections) -> Detections:
    """Return those that name the technique's page, or a catalogue id that stands for it."""
    wanted = set(technique.catalogue)
    page = unquote(technique.url).rstrip("/")
    return tuple(
        one
        for one in detections
        if wanted & {*one.catalogue} or page in (unquote(r).rstrip("/") for r in one.references)
    )


def _levels(detections: Detections, category: Category) -> dict[Level, int]:
    mine = [one.level for one in detections if one.category is category]
    return {level: mine.count(level) for level in Level}
