"""`trailwarden rules test`: rules and their cases in, failures and survivors out.

Separate from the declaration of the command because it loads Polars.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
import typer

from detectors.case_check import has_cases, outcomes_of, subject_of, with_own_cases
from detectors.case_events import TrialError, events_of, with_memory
from detectors.entities.recalled import RECALLED_DTYPES
from detectors.message import printable
from detectors.mutation import Score, mutants_of
from detectors.mutation_over_time import mutants_over_time
from detectors.sigma.errors import InvalidRulesError
from detectors.sigma.rule import Rule
from trailwarden.exit_code import ExitCode
from trailwarden.rule_words import words_of
from trailwarden.rules_pack import bases_of, called, load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from detectors.case_check import Outcome, Subject
    from detectors.sigma.pack import Detection
    from trailwarden.rules_pack import Loaded

SHOWN_EVENTS = 3
"""Events of a failed case that are printed."""


@dataclass(frozen=True, slots=True)
class CasesOptions:
    """What was given on the command line."""

    names: tuple[str, ...]
    mutations: bool
    least: float
    """Share of the mutants, in all, that cases must notice."""
    as_json: bool


@dataclass(slots=True)
class Result:
    """What became of all cases."""

    rules: int = 0
    cases: int = 0
    failures: list[tuple[Subject, Outcome]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Rules without cases, case files that are refused, cases that cannot be tried."""
    scores: list[Score] = field(default_factory=list)

    @property
    def mutants(self) -> int:
        """Return how many mutants there are."""
        return sum(len(score.mutants) for score in self.scores)

    @property
    def share(self) -> float:
        """Return the share of mutants that cases noticed; all, where there are none."""
        noticed = sum(score.noticed for score in self.scores)
        return noticed / self.mutants if self.mutants else 1.0


def run_test(folders: Sequence[Path], config: Path | None, options: CasesOptions) -> ExitCode:
    """Run the cases and print what failed; with mutations, what survived as well."""
    loaded = load(folders, config)
    chosen = _chosen(with_own_cases(loaded.pack), options.names)
    result = test_rules(chosen, loaded, with_mutants=options.mutations)
    if options.as_json:
        typer.echo(orjson.dumps(_as_json(result), option=orjson.OPT_INDENT_2))
    else:
        for line in _lines(result, options):
            typer.echo(line)
    is_good = not result.failures and not result.problems and result.share >= _least(options)
    return ExitCode.OK if is_good else ExitCode.INPUT_UNREADABLE


def test_rules(detections: Sequence[Detection], loaded: Loaded, *, with_mutants: bool) -> Result:
    """Run the cases of ``detections``; mutants only of those whose cases all come out well."""
    result = Result(rules=len(detections))
    for detection in detections:
        if not has_cases(detection):
            result.problems.append(f"{detection.file}: has no cases")
            continue
        try:
            _test(detection, loaded, result, with_mutants=with_mutants)
        except (InvalidRulesError, TrialError) as error:
            result.problems.append(f"{detection.file}: {error}")
    return result


def _test(detection: Detection, loaded: Loaded, result: Result, *, with_mutants: bool) -> None:
    bases = bases_of(detection.file, loaded.folders)
    subject = subject_of(detection, loaded.pack, loaded.site, bases)
    outcomes = outcomes_of(subject)
    failures = [(subject, outcome) for outcome in outcomes if not outcome.is_good]
    result.cases += len(outcomes)
    result.failures += failures
    if with_mutants and not failures:
        result.scores.append(score_of(subject))


def score_of(subject: Subject) -> Score:
    """Return which changes of a detection its cases notice."""
    detection, events = subject.detection, events_of(subject.cases, subject.site)
    if isinstance(detection, Rule):
        return Score(detection, mutants_of(detection.tree, words_of(detection), events))
    return Score(detection, mutants_over_time(detection, subject.pack, words_of, events))


def _least(options: CasesOptions) -> float:
    return options.least if options.mutations else 0.0


def _chosen(detections: Sequence[Detection], names: Sequence[str]) -> list[Detection]:
    if not names:
        return list(detections)
    found: dict[str, Detection] = {}
    for name in names:
        mine = called(detections, name)
        if not mine:
            raise typer.BadParameter(f"no rule is called {name!r}")
        found |= {one.id: one for one in mine}
    return list(found.values())


def _lines(result: Result, options: CasesOptions) -> Iterator[str]:
    yield from result.problems
    for subject, outcome in result.failures:
        yield from _failure(subject, outcome)
    if options.mutations:
        yield from _survivors(result)
    yield f"{result.rules} rules, {result.cases} cases: {len(result.failures)} failed" + (
        f", {len(result.problems)} could not be run" if result.problems else ""
    )
    if options.mutations:
        noticed = sum(score.noticed for score in result.scores)
        yield (
            f"{result.mutants} mutants: {noticed} noticed, "
            f"{100 * result.share:.1f} % (least {100 * options.least:g} %)"
        )


def _failure(subject: Subject, outcome: Outcome) -> Iterator[str]:
    case = outcome.case
    wanted, found = ("must", "does not") if case.expected else ("must not", "does")
    if case.findings is not None:
        wanted, found = f"must give {case.findings} findings and", "gives another number"
    yield f"{subject.detection.file}: case {printable(case.name)!r} {wanted} match, and {found}"
    read = _columns(subject)
    cases = events_of([case], subject.site)
    events = (cases if read.isdisjoint(RECALLED_DTYPES) else with_memory(cases)).events
    columns = [name for name in events.columns if name in read]
    for row in events.head(SHOWN_EVENTS).select(columns).iter_rows(named=True):
        for name, value in row.items():
            if value is not None:
                yield f"    {name}: {printable(str(value))}"
        yield ""
    if events.height > SHOWN_EVENTS:
        yield f"    ... and {events.height - SHOWN_EVENTS} more events"


def _columns(subject: Subject) -> set[str]:
    """Return the columns that a detection reads, with all that it builds on."""
    detection = subject.detection
    if isinstance(detection, Rule):
        return set(detection.columns)
    wanted = {detection.id}
    columns = {"@timestamp"}
    for one in reversed(subject.pack.correlations):
        if one.id in wanted:
            wanted |= {base.id for base in one.bases}
            columns.update(one.fields, *(base.group_by for base in one.bases))
    return columns.union(*(rule.columns for rule in subject.pack.rules if rule.id in wanted))


def _survivors(result: Result) -> Iterator[str]:
    for score in sorted(result.scores, key=lambda one: one.noticed / max(len(one.mutants), 1)):
        if not score.survivors:
            continue
        yield f"{score.detection.file.stem}: {score.noticed} of {len(score.mutants)} noticed; not:"
        for mutant in score.survivors:
            yield f"    {mutant.turn.value}: {printable(mutant.what)}"


def _as_json(result: Result) -> dict[str, Any]:
    return {
        "rules": result.rules,
        "cases": result.cases,
        "problems": result.problems,
        "failures": [
            {
                "id": subject.detection.id,
                "file": str(subject.detection.file),
                "case": outcome.case.name,
                "expected": outcome.case.expected,
                "matched": outcome.matched,
            }
            for subject, outcome in result.failures
        ],
        "mutants": result.mutants,
        "share_noticed": result.share,
        "scores": [_score(score) for score in result.scores],
    }


def _score(score: Score) -> Mapping[str, Any]:
    return {
        "id": score.detection.id,
        "file": str(score.detection.file),
        "mutants": len(score.mutants),
        "noticed": score.noticed,
        "survivors": [{"turn": one.turn.value, "what": one.what} for one in score.survivors],
    }
