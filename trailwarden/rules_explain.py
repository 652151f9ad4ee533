"""`trailwarden rules explain`: one rule in, what it looks for in words out.

Separate from the declaration of the command because it loads Polars.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

import typer

from detectors.attack import TECHNIQUES
from detectors.case_check import has_cases
from detectors.cases import load_cases
from detectors.cost import cost_of
from detectors.coverage import sources_of
from detectors.finding import SEVERITY
from detectors.sigma.correlation import Correlation
from detectors.sigma.correlation_words import sentences
from detectors.sigma.errors import InvalidRulesError
from detectors.sigma.pack import Pack
from detectors.sigma.rule import Level, Rule
from detectors.sigma.words import lines
from ingest.schema import EVENT_SCHEMA
from ingest.visible import visible
from trailwarden.exit_code import ExitCode
from trailwarden.rule_words import said_of
from trailwarden.rules_cost import batches_of
from trailwarden.rules_pack import bases_of, load, only_called

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from detectors.sigma.pack import Detection
    from trailwarden.rules_pack import Loaded

_WIDTH: Final = 80
_MEASURED: Final = 5
_SCALE: Final = {
    Level.INFORMATIONAL: "for context, nobody has to look",
    Level.LOW: "worth a look when there is time, or beside others",
    Level.MEDIUM: "should be looked at",
    Level.HIGH: "somebody should look today",
    Level.CRITICAL: "wakes someone up: look within minutes",
    Level.HIGH: "wakes someone up: look within the hour",
    Level.MEDIUM: "waits for the morning: look within a working day",
    Level.LOW: "context: read it beside other findings of the same actor",
    Level.INFORMATIONAL: "context: what somebody did; nobody has to look",
}


def run_explain(
    folders: Sequence[Path], config: Path | None, name: str, log: Path | None
) -> ExitCode:
    """Print what a rule is about."""
    loaded = load(folders, config)
    pack = loaded.pack
    detection = only_called(pack, name)
    batches = [] if log is None else batches_of(log)
    for line in _explained(detection, loaded):
        typer.echo(visible(line))
    if batches:
        part = _part(detection, pack)
        events = sum(batch.height for batch in batches)
        found = cost_of(part, batches, _MEASURED)
        us = found.rules_us_per_event + found.correlations_us_per_event
        typer.echo(f"\nCost\n  {us:.3f} microseconds of CPU an event alone, on {events:,} events")
    return ExitCode.INPUT_UNREADABLE if log is not None and not batches else ExitCode.OK


def _explained(detection: Detection, loaded: Loaded) -> Iterator[str]:
    yield detection.title
    yield f"{detection.id}; {detection.file}"
    waits = dict(loaded.pack.inactive).get(detection.id)
    if waits:
        yield f"Inactive: it waits for the site list {waits}."
    yield ""
    yield from _wrapped(detection.description)
    yield from _section("Level", _level(detection))
    kind = detection.type.value if isinstance(detection, Correlation) else "rule"
    about = [detection.category.value, kind, ", ".join(sources_of(detection, loaded.pack))]
    yield from _section("Kind", ["; ".join(about)])
    yield from _condition(detection, loaded.pack)
    yield from _section("Techniques", _techniques(detection))
    yield from _section("Catalogue", [" ".join(detection.catalogue)])
    yield from _section("Ordinary causes", detection.falsepositives)
    yield from _section("Does not see", detection.blind_spots)
    yield from _section("What to do", detection.next_steps)
    yield from _section("Cases", _cases(detection, loaded))
    said = [f"author: {detection.author}"] if detection.author else []
    said += [f"licence: {detection.license}"] if detection.license else []
    yield from _section("References", [*detection.references, *said])


def _level(detection: Detection) -> list[str]:
    found = []
    for level in reversed(Level):
        mark = "->" if level is detection.level else "  "
        found.append(f"{mark} {level.value} ({SEVERITY[level]}): {_SCALE[level]}")
    return found


def _condition(detection: Detection, pack: Pack) -> Iterator[str]:
    if isinstance(detection, Rule):
        yield from _rule_condition(detection)
        return
    yield from _section("Over time", sentences(detection))
    every: tuple[Detection, ...] = (*pack.rules, *pack.correlations, *pack.waiting)
    below = {one.id: one for one in every}
    for base in detection.bases:
        if base.id in below:
            one = below[base.id]
            yield from ("", f"Base {base.name}: {one.title}")
            yield from _condition(one, pack)


def _rule_condition(rule: Rule) -> Iterator[str]:
    said = said_of(rule)
    if said is not None:
        yield from ("", "Condition")
        for line in lines(said, "  "):
            yield from _wrapped(line.strip(), line[: len(line) - len(line.lstrip())])
    meanings = [f"{c.name}: {c.meaning}" for c in EVENT_SCHEMA if c.name in rule.columns]
    yield from _section("Fields", meanings)


def _techniques(detection: Detection) -> Iterator[str]:
    for name in detection.techniques:
        known = TECHNIQUES.get(name)
        yield f"{name} {known.title}" if known else name


def _cases(detection: Detection, loaded: Loaded) -> Iterator[str]:
    if not has_cases(detection):
        yield "none"
        return
    try:
        cases = load_cases(detection.file, bases_of(detection.file, loaded.folders)).cases
    except InvalidRulesError as error:
        yield f"refused: {error}"
        return
    for case in cases:
        must = "must match" if case.expected else "must not match"
        evasion = f" (evasion {case.evasion})" if case.evasion is not None else ""
        yield f"{must}: {case.name}{evasion}"


def _part(detection: Detection, pack: Pack) -> Pack:
    """Return the pack of one detection and of all it builds on."""
    wanted = {detection.id}
    for one in reversed(pack.correlations):
        if one.id in wanted:
            wanted |= {base.id for base in one.bases}
    rules = tuple(rule for rule in pack.rules if rule.id in wanted)
    if not rules and isinstance(detection, Rule):
        rules = (detection,)  # it waits for a site list
    return Pack(rules, tuple(one for one in pack.correlations if one.id in wanted))


def _section(title: str, said: Iterable[str]) -> Iterator[str]:
    found = [text for text in said if text]
    if found:
        yield from ("", title)
        for text in found:
            yield from _wrapped(text, "  ")


def _wrapped(text: str, indent: str = "") -> list[str]:
    marked = text.startswith("  ")
    return textwrap.wrap(
        text if marked else " ".join(text.split()),
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
