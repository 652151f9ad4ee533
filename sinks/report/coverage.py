"""Loaded rules and findings in, ATT&CK coverage out: per tactic, what was looked for and what hit.

Separate because it joins rules with findings over the technique table; nothing else here does.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from detectors.attack import TECHNIQUES, Tactic

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sinks.report.finding import Finding
    from sinks.report.model import RuleInfo

# Where techniques stand that the table does not know, so that none is silently missing.
OTHER: Final = "Not in the technique table"


@dataclass(frozen=True, slots=True)
class Covered:
    """One technique: how many loaded rules look for it and how many findings bear it.

    ``title`` names the parent of a sub-technique too, ``name`` is its own name alone.
    """

    id: str
    title: str
    name: str
    rules: int
    findings: int


@dataclass(frozen=True, slots=True)
class TacticCoverage:
    """The techniques of one tactic, by id; a technique of two tactics stands in both."""

    tactic: str
    hit: tuple[Covered, ...]
    quiet: tuple[Covered, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """All tactics that any rule or finding touches; the totals count each technique once."""

    tactics: tuple[TacticCoverage, ...]
    covered: int
    hit: int


def attack_coverage(rules: Sequence[RuleInfo], findings: Sequence[Finding]) -> Coverage:
    """Count rules and findings per technique and arrange the techniques by tactic."""
    looked_for = Counter(name for rule in rules for name in dict.fromkeys(rule.techniques))
    found = Counter(name for finding in findings for name, _ in finding.context.techniques)
    given = dict(pair for finding in findings for pair in finding.context.techniques)
    covered = [
        Covered(each, *_names(each, given), looked_for[each], found[each])
        for each in sorted(looked_for.keys() | found.keys())
    ]
    by_tactic = ((tactic, _of_tactic(covered, tactic)) for tactic in (*Tactic, OTHER))
    return Coverage(
        tactics=tuple(_split(tactic, members) for tactic, members in by_tactic if members),
        covered=sum(1 for each in covered if each.rules),
        hit=sum(1 for each in covered if each.findings),
    )


def _names(technique_id: str, given: dict[str, str]) -> tuple[str, str]:
    known = TECHNIQUES.get(technique_id)
    unknown = given.get(technique_id, "")
    return (known.title, known.name) if known else (unknown, unknown)


def _of_tactic(covered: Iterable[Covered], tactic: str) -> list[Covered]:
    return [each for each in covered if tactic in _tactics(each.id)]


def _tactics(technique_id: str) -> tuple[str, ...]:
    known = TECHNIQUES.get(technique_id)
    return known.tactics if known else (OTHER,)


def _split(tactic: str, members: Iterable[Covered]) -> TacticCoverage:
    members = list(members)
    return TacticCoverage(
        str(tactic),
        hit=tuple(each for each in members if each.findings),
        quiet=tuple(each for each in members if not each.findings),
    )
