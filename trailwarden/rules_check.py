"""`trailwarden rules check`: rules, cases and exceptions in, everything that is wrong out.

Separate from the declaration of the command because it loads Polars.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson
import typer

from detectors.attack import TECHNIQUES
from detectors.case_check import has_cases, subject_of, with_own_cases
from detectors.case_events import TrialError, events_of, with_memory
from detectors.engine import detect
from detectors.exceptions import expired, hides
from detectors.message import printable
from detectors.possible import asks
from detectors.sigma.compiler import load_pack
from detectors.sigma.errors import InvalidRulesError
from detectors.sigma.rule import Rule
from trailwarden.exit_code import ExitCode
from trailwarden.rules_pack import Loaded, bases_of, folders_of
from worker.configuration import InvalidSettingsError, load_settings
from worker.site import load_exceptions, site_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date
    from pathlib import Path

    import polars as pl

    from detectors.case_check import Subject
    from detectors.exceptions import Exemption
    from detectors.sigma.pack import Detection, Pack
    from worker.configuration import Settings


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and where."""

    place: str
    message: str


def run_check(folders: Sequence[Path], config: Path | None, *, as_json: bool) -> ExitCode:
    """Print all that is wrong with rules, cases and exceptions."""
    try:
        settings = load_settings(config)
        faults = _faults(folders_of(folders), settings, config)
    except InvalidSettingsError as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.USAGE
    if as_json:
        found = [{"place": fault.place, "message": fault.message} for fault in faults]
        typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    else:
        for fault in faults:
            typer.echo(f"{fault.place}: {fault.message}")
        typer.echo(f"{len(faults)} problems" if faults else "nothing is wrong")
    return ExitCode.INPUT_UNREADABLE if faults else ExitCode.OK


def _faults(folders: tuple[Path, ...], settings: Settings, config: Path | None) -> list[Fault]:
    site = site_of(settings)
    try:
        pack = load_pack(folders, site)
    except InvalidRulesError as error:
        return [*_refusals(error)]
    loaded = Loaded(pack, folders, site)
    detections = with_own_cases(pack)
    subjects: dict[str, Subject] = {}
    faults = [*_about_titles(detections), *_about_techniques(detections)]
    for detection in detections:
        faults += _about_cases(detection, loaded, subjects)
    return [*faults, *_about_exceptions(settings, config, loaded, subjects)]


def _refusals(error: InvalidRulesError) -> Iterator[Fault]:
    for one in error.errors:
        yield Fault(f"{one.file}:{one.line}:{one.column}", one.message)


def _about_titles(detections: Iterable[Detection]) -> Iterator[Fault]:
    found = list(detections)
    titles = Counter(one.title for one in found)
    for one in found:
        if titles[one.title] > 1:
            yield Fault(str(one.file), f"title {printable(one.title)!r} is there twice")


def _about_techniques(detections: Iterable[Detection]) -> Iterator[Fault]:
    """Of our own rules only: the table holds what they speak of, not all of ATT&CK."""
    for one in detections:
        unknown = [name for name in one.techniques if name not in TECHNIQUES]
        if unknown and one.ours:
            yield Fault(str(one.file), f"unknown technique {', '.join(unknown)}")


def _about_cases(
    detection: Detection, loaded: Loaded, subjects: dict[str, Subject]
) -> Iterator[Fault]:
    """Yield what is wrong with a detection's cases; keep it with them if nothing is."""
    if not has_cases(detection):
        if detection.ours:
            yield Fault(str(detection.file), "has no cases beside it")
        return
    bases = bases_of(detection.file, loaded.folders)
    try:
        subjects[detection.id] = subject_of(detection, loaded.pack, loaded.site, bases)
    except InvalidRulesError as error:
        yield from _refusals(error)


def _about_exceptions(
    settings: Settings, config: Path | None, loaded: Loaded, subjects: dict[str, Subject]
) -> Iterator[Fault]:
    every: tuple[Detection, ...] = (*_all(loaded.pack), *loaded.pack.waiting)
    try:
        exceptions = load_exceptions(settings, config, every, loaded.site)
    except InvalidRulesError as error:
        yield from _refusals(error)
        return
    today: date = datetime.now(UTC).date()
    for one in expired(exceptions, today):
        yield Fault(one.place, f"the exception has expired on {one.expires}: {one.reason}")
    for one in exceptions:
        for identifier in sorted(one.detections & subjects.keys()):
            yield from _hidden(one, subjects[identifier])


def _all(pack: Pack) -> tuple[Detection, ...]:
    return (*pack.rules, *pack.correlations)


def _hidden(exemption: Exemption, subject: Subject) -> Iterator[Fault]:
    """Yield the cases that a rule must match and the exception would hide.

    Of a case over time the last record counts: it completes the match, which exceptions look at.
    """
    wanted = [case for case in subject.cases if case.expected]
    try:
        found = events_of(wanted, subject.site)
    except TrialError as error:
        yield Fault(str(subject.detection.file), str(error))
        return
    if asks(subject.detection):
        found = with_memory(found)
    hidden = hides(exemption, found.events)
    for case, rows in zip(found.cases, found.rows, strict=True):
        if any(hidden[row] for row in _completing(subject.detection, found.events, rows)):
            what = f"{subject.detection.file.stem} must match {printable(case.name)!r}"
            yield Fault(exemption.place, f"the exception is too wide: {what}, and it hides it")


def _completing(detection: Detection, events: pl.DataFrame, rows: tuple[int, ...]) -> Iterable[int]:
    """Return which rows of a case an exception is asked about."""
    if not isinstance(detection, Rule):
        return rows[-1:]
    if not asks(detection):
        return rows
    hits = detect(events, [detection])["row"]
    return [row for row in rows if row in hits]
