"""`trailwarden policy`: an audit policy or a log in, verdicts and the smallest change out.

Separate from the options so that they can be shown without loading Polars, and from what is printed
(trailwarden/policy_output.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl
import typer

from detectors.message import printable
from detectors.policy.change import Change, apply, smallest_change
from detectors.policy.observed import SIZE, Cost, Observation, add_costs, observe, of_log
from detectors.policy.pack_acts import PackActs, acts_of_pack
from detectors.policy.reading import read_policy
from detectors.policy.rewriting import changed_file
from detectors.policy.traps import Hint, hints
from detectors.policy.verdicts import DetectionVerdict, Verdict, counted, judge, of_policy
from detectors.sigma.compiler import load_pack
from detectors.sigma.errors import InvalidRulesError
from ingest.normalize import NormalizeSettings, normalize
from ingest.sources.files import find_files
from ingest.sources.read import read_records
from ingest.visible import visible
from trailwarden.exit_code import ExitCode
from trailwarden.policy_output import note_of, print_json, print_result
from trailwarden.rules_pack import bases_of, folders_of
from worker.scan import gathered
from worker.settings import DEFAULT_CLUSTER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from detectors.policy.audit_policy import AuditPolicy
    from ingest.record import Records


@dataclass(frozen=True, slots=True)
class PolicyOptions:
    """What was given on the command line."""

    file: Path | None = None
    observed: Sequence[str] = ()
    rules: Sequence[Path] = ()
    suggest: Path | None = None
    show_all: bool = False
    as_json: bool = False
    fail_on_blind: bool = False


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """All that is known at the end."""

    file: Path | None
    policy: AuditPolicy | None
    pack: PackActs
    verdicts: list[DetectionVerdict]
    change: Change = field(default_factory=Change)
    hints: list[Hint] = field(default_factory=list)
    costs: dict[int, Cost] = field(default_factory=dict)
    """By the number of the insertion; empty without a log."""
    observation: Observation | None = None
    problems: tuple[str, ...] = ()
    """What of the log could not be read."""


def run_policy(options: PolicyOptions) -> ExitCode:
    """Judge the rules and print what came out.

    Raises
        typer.BadParameter: options that cannot be used; exit code 2.
    """
    _check(options)
    try:
        policy = read_policy(options.file) if options.file else None
        folders = folders_of(options.rules)
        pack = acts_of_pack(load_pack(folders), lambda file: bases_of(file, folders))
    except InvalidRulesError as error:
        typer.echo(str(error), err=True)
        return ExitCode.USAGE
    result = _judged(options, policy, pack)
    if options.suggest:
        _write(options.suggest, result)
    if options.as_json:
        print_json(result)
    else:
        print_result(result, show_all=options.show_all)
    for problem in result.problems:
        typer.echo(f"Not read: {visible(str(problem))}", err=True)
    blind = counted(result.verdicts)[Verdict.BLIND]
    bad = result.problems or (options.fail_on_blind and blind)
    return ExitCode.INPUT_UNREADABLE if bad else ExitCode.OK


def _check(options: PolicyOptions) -> None:
    if options.file is None and not options.observed:
        raise typer.BadParameter("give an audit policy, or a log with --observed, or both")
    if options.suggest and options.file is None:
        raise typer.BadParameter("--suggest changes an audit policy: give one")
    if options.suggest and options.file and options.suggest.resolve() == options.file.resolve():
        raise typer.BadParameter("--suggest would overwrite the policy: name another file")


def _judged(options: PolicyOptions, policy: AuditPolicy | None, pack: PackActs) -> PolicyResult:
    if policy is None:
        found, problems = _observed(options.observed)
        return PolicyResult(
            None,
            None,
            pack,
            judge(pack.acts, of_log(found)),
            observation=found,
            problems=problems,
        )
    change = smallest_change(policy, pack.acts)
    costs: dict[int, Cost] = {}
    problems = ()
    if options.observed:
        costs, problems = _costs(options.observed, policy, change)
    return PolicyResult(
        options.file,
        policy,
        pack,
        judge(pack.acts, of_policy(policy)),
        change,
        hints(policy),
        costs,
        problems=problems,
    )


def _write(file: Path, result: PolicyResult) -> None:
    if result.policy is None or result.file is None:
        return
    notes = [note_of(one, result) for one in result.change.insertions]
    text = result.file.read_text(encoding="utf-8")
    try:
        file.write_text(changed_file(text, result.policy, result.change, notes), encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"--suggest {file}: {error.strerror}") from error
    typer.echo(f"Written: {file}", err=True)


def _observed(paths: Sequence[str]) -> tuple[Observation, tuple[str, ...]]:
    found, problems = Observation(), list[str]()
    for events in _events(paths, problems):
        observe(events, found)
    return found, tuple(problems)


def _costs(
    paths: Sequence[str], policy: AuditPolicy, change: Change
) -> tuple[dict[int, Cost], tuple[str, ...]]:
    found = {number: Cost() for number in range(len(change.insertions))}
    changed, problems = apply(policy, change), list[str]()
    for events in _events(paths, problems):
        add_costs(events, changed, change, found)
    return found, tuple(problems)


def _events(paths: Sequence[str], problems: list[str]) -> Iterator[pl.DataFrame]:
    """Yield events in batches, with the bytes of their records; note what cannot be read."""
    files = find_files(paths)
    problems += [f"{printable(p.path)}: {printable(p.message)}" for p in files.problems]
    settings = NormalizeSettings(DEFAULT_CLUSTER)
    for path in files.files:
        for batch in gathered(read_records(path)):
            for chunk in batch:
                problems += [f"{printable(p.path)}: {printable(p.message)}" for p in chunk.problems]
            yield _with_sizes(normalize(batch, settings).events, batch)


def _with_sizes(events: pl.DataFrame, batch: list[Records]) -> pl.DataFrame:
    """Add the bytes of each event's record, shared evenly among the events that it holds."""
    sizes = pl.DataFrame(
        {
            "log.offset": [offset for chunk in batch for offset in chunk.offsets],
            SIZE: [float(len(raw)) for chunk in batch for raw in chunk.raws],
        },
        schema={"log.offset": pl.Int64(), SIZE: pl.Float64()},
    )
    once = sizes.group_by("log.offset").agg(pl.col(SIZE).sum())
    joined = events.join(once, on="log.offset", how="left", maintain_order="left")
    return joined.with_columns(pl.col(SIZE) / pl.len().over("log.offset"))
