"""A pack becomes what its cases are about: each detection, its case file, and how it comes out.

Separate from one trial (detectors/trial.py), because cases may say which site lists they are about,
and then the detection is compiled anew, with these lists, and with all it builds on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from detectors.cases import cases_file, load_cases
from detectors.sigma.compiler import load_pack
from detectors.sigma.correlation import Correlation
from detectors.site import Site
from detectors.trial import verdicts

if TYPE_CHECKING:
    from pathlib import Path

    from detectors.cases import Case
    from detectors.sigma.pack import Detection, Pack


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A detection as its cases want it: of a pack that has the lists they are about."""

    detection: Detection
    pack: Pack
    cases: tuple[Case, ...]
    site: Site = field(default_factory=Site)
    """What the memory is told: the lists and places of the case file, nothing of the real site."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case, and whether the detection matched it."""

    case: Case
    matched: bool

    @property
    def is_good(self) -> bool:
        """Return whether it came out as it says."""
        return self.matched is self.case.expected


def with_own_cases(pack: Pack) -> tuple[Detection, ...]:
    """Return the detections that case files are for: of each file the one that the others serve.

    What waits for a site list is among them: its cases say the list.
    """
    every: tuple[Detection, ...] = (*pack.rules, *pack.correlations, *pack.waiting)
    by_file: dict[Path, list[Detection]] = {}
    for one in every:
        by_file.setdefault(one.file, []).append(one)
    return tuple(_main(several) for several in by_file.values())


def subject_of(detection: Detection, pack: Pack, site: Site, bases: Path) -> Subject:
    """Return a detection with its cases, made of the records in ``bases``.

    Raises ``InvalidRulesError`` if the case file is refused, or the lists that it names.
    """
    found = load_cases(detection.file, bases)
    if not found.lists and detection not in pack.waiting:
        return Subject(detection, pack, found.cases, found.site)
    lists = MappingProxyType({**site.lists, **found.lists})
    own = load_pack(sorted(_files(detection, pack)), replace(site, lists=lists))
    every: tuple[Detection, ...] = (*own.rules, *own.correlations, *own.waiting)
    mine = next(one for one in every if one.id == detection.id)
    return Subject(mine, own, found.cases, found.site)


def has_cases(detection: Detection) -> bool:
    """Return whether a case file stands beside a detection's."""
    return cases_file(detection.file).exists()


def outcomes_of(subject: Subject) -> list[Outcome]:
    """Return how each case comes out; raises ``TrialError`` if one cannot be tried."""
    found = verdicts(subject.pack, subject.detection, subject.cases, subject.site)
    return [Outcome(*pair) for pair in zip(subject.cases, found, strict=True)]


def _main(several: list[Detection]) -> Detection:
    joined = {base.id for one in several if isinstance(one, Correlation) for base in one.bases}
    return next((one for one in reversed(several) if one.id not in joined), several[-1])


def _files(detection: Detection, pack: Pack) -> set[Path]:
    """Return the files of a detection and of all that it builds on."""
    every: tuple[Detection, ...] = (*pack.rules, *pack.correlations, *pack.waiting)
    below = {one.id: one for one in every}
    files = {detection.file}
    if isinstance(detection, Correlation):
        for base in detection.bases:
            if base.id in below:
                files |= _files(below[base.id], pack)
    return files
