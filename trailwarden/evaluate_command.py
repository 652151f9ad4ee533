"""Options of `evaluate` in, a table or JSON, a page and an exit code out.

Separate from the options so that they can be shown without loading what an evaluation needs, and
from what is printed (trailwarden/evaluate_output.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import typer

from models.learned import LEARNED, LEARNED_COLUMNS, scorer_of
from models.store import ModelRefusedError, load_model
from models.store.keys import KeyUnusableError, parse_public
from models.training.evaluation import evaluate
from models.training.labels import (
    LABEL_COLUMNS,
    VERDICT_COLUMNS,
    LabelFileError,
    labels_of,
    read_labels,
    verdicts_of,
)
from models.training.split import between as events_between
from sinks.report.evaluation import EvaluationPage, write_evaluation
from trailwarden import __version__
from trailwarden.evaluate_output import document_of, document_text, print_evaluation
from trailwarden.exit_code import ExitCode
from trailwarden.training_source import (
    SourceUnusableError,
    has_extra,
    read_events,
    read_span,
    steps,
)
from worker.configuration import InvalidSettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    import polars as pl
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from models.store import Model
    from models.training.evaluation import Evaluation

_COLUMNS: Final = tuple(sorted({*LEARNED_COLUMNS, *LABEL_COLUMNS, *VERDICT_COLUMNS}))


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """What was given on the command line."""

    model: Path
    source: str
    labels: Path | None
    """None: what people decided about is all that is known."""
    budgets: Sequence[float]
    start: str | None
    end: str | None
    cluster: str | None
    trusted_keys: Sequence[str]
    config: Path | None
    out: Path | None
    as_json: bool


def run_evaluate(options: EvaluateOptions) -> ExitCode:
    """Evaluate a model, and print and write what came out.

    Raises
        typer.BadParameter: options that cannot be used; exit code 2.
    """
    if not has_extra():
        return ExitCode.USAGE
    try:
        model = load_model(options.model, _trusted(options), expect=LEARNED)
        between = _between(options, model)
        labels = read_labels(options.labels) if options.labels else None
        with steps() as step:
            step(f"Reading {options.source}")
            wanted = (model.manifest.window.start, between[1])
            read = read_events(options.source, _COLUMNS, options.cluster, wanted)
            step("Scoring")
            page = _page(options, model, read.events, labels, between)
        _write(options.out, page)
    except (InvalidSettingsError, KeyUnusableError) as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.USAGE
    except (ModelRefusedError, SourceUnusableError, LabelFileError, OSError) as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.INPUT_UNREADABLE
    if options.as_json:
        typer.echo(document_text(document_of(page)), nl=False)
    else:
        print_evaluation(page, options.out)
    return read.told()


def _trusted(options: EvaluateOptions) -> list[Ed25519PublicKey]:
    settings = load_settings(options.config).models
    keys = [parse_public(text) for text in options.trusted_keys or settings.trusted_keys]
    if not keys:
        raise InvalidSettingsError("no --trusted-key, and models.trusted_keys is empty")
    return keys


def _between(options: EvaluateOptions, model: Model) -> tuple[datetime, datetime | None]:
    """Return the time that is tried on: not before training ended."""
    after = model.manifest.window.end
    start, end = read_span(options.start, options.end)
    if start is not None and start < after:
        raise typer.BadParameter(f"--from {options.start}: the model learned from later events")
    return start or after, end


def _page(
    options: EvaluateOptions,
    model: Model,
    events: pl.DataFrame,
    labels: pl.DataFrame | None,
    between: tuple[datetime, datetime | None],
) -> EvaluationPage:
    window = model.manifest.window
    # People decide later than what they decide about: all that was read counts.
    events, verdicts = verdicts_of(events)
    learned = events_between(events, window.start, window.end)
    tried = events_between(events, *between)
    if tried.is_empty():
        raise SourceUnusableError(f"{options.source}: no events after {window.end:%Y-%m-%d %H:%M}")
    if labels is None and verdicts.is_empty():
        raise SourceUnusableError(f"{options.source}: no verdicts in it, and no --labels")
    known = None if labels is None else labels_of(tried, labels), verdicts
    results = _results(options, model, (learned, tried), known)
    return EvaluationPage(
        title=f"{model.manifest.name} {model.manifest.version}",
        kind=model.manifest.kind,
        source=options.source,
        trained=(window.start, window.end),
        tried=(tried["@timestamp"].min(), tried["@timestamp"].max()),  # type: ignore[arg-type]
        learned_events=learned.height,
        results=results,
        version=__version__,
        is_labelled=labels is not None,
    )


def _results(
    options: EvaluateOptions,
    model: Model,
    events: tuple[pl.DataFrame, pl.DataFrame],
    known: tuple[pl.DataFrame | None, pl.DataFrame],
) -> tuple[Evaluation, ...]:
    from models.training.baselines import baselines  # noqa: PLC0415 - needs the extra

    learned, tried = events
    labels, verdicts = known
    scorer = scorer_of(model)
    name = model.manifest.kind
    results = [evaluate(name, scorer, tried, labels, options.budgets, verdicts=verdicts)]
    if labels is not None and not learned.is_empty():
        results.extend(
            evaluate(each.name, each, tried, labels, options.budgets)
            for each in baselines(learned, model.manifest.seed)
        )
    return tuple(results)


def _write(out: Path | None, page: EvaluationPage) -> None:
    if out is None:
        return
    out.mkdir(parents=True, exist_ok=True)
    (out / "evaluation.json").write_bytes(document_text(document_of(page)))
    write_evaluation(out / "evaluation.html", page)
