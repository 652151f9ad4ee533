"""What an evaluation prints and writes as JSON: methods side by side, then kinds of attack.

Separate from the command because it is about people and scripts, not about options.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.message import printable
from sinks.report.evaluation import UNTOLD, budgeted, figure, lasted, share

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from models.training.evaluation import BudgetResult
    from sinks.report.evaluation import EvaluationPage


def document_of(page: EvaluationPage) -> dict[str, Any]:
    """Return all that is known, for machines."""
    document = asdict(page)
    for result, made in zip(document["results"], page.results, strict=True):
        for budget, held in zip(result["budgets"], made.budgets, strict=True):
            budget |= {"precision": held.precision, "recall": held.recall}
            budget |= {"precision_by_verdict": held.precision_by_verdict}
    return document


def document_text(document: dict[str, Any]) -> bytes:
    """Return the document as JSON."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def print_evaluation(page: EvaluationPage, out: Path | None) -> None:
    """Print the comparison and the kinds of attack."""
    console = Console()
    first = page.results[0]
    typer.echo(f"{page.kind}, tried on {first.events:,} events after its training")
    if page.is_labelled:
        console.print(_methods(page))
        if not page.is_compared:
            typer.echo("Not compared: the source does not hold the time of training.")
        console.print(_kinds(page))
    for line in _by_verdict(page):
        typer.echo(line)
    if out is not None:
        typer.echo(f"Written: {out / 'evaluation.html'}, {out / 'evaluation.json'}")


def _methods(page: EvaluationPage) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("method")
    table.add_column("PR-AUC", justify="right")
    for budget in page.results[0].budgets:
        table.add_column(f"at {budgeted(budget.budget)}", justify="right")
    for result in page.results:
        cells = [_at(each) for each in result.budgets]
        table.add_row(_text(result.name), figure(result.average_precision), *cells)
    table.caption = (
        "at N findings per 10,000 events: precision, executions found (in findings that are "
        "mostly theirs)"
    )
    return table


def _at(result: BudgetResult) -> str:
    found = f"{result.found} of {result.runs} ({result.found_mostly})"
    return f"{share(result.precision)}, {found}"


def _by_verdict(page: EvaluationPage) -> Iterator[str]:
    """Yield what people's verdicts say of the model, at each budget that holds any."""
    for at in page.judged:
        precision = share(at.precision_by_verdict)
        said = f"{at.judged_true} of {at.judged} findings that people judged are true"
        yield f"By verdict, at {budgeted(at.budget)}: {said}, {precision}"
    if not page.judged and not page.is_labelled:
        yield "No finding holds an event that people decided about."


def _kinds(page: EvaluationPage) -> Table:
    table = Table(box=None, pad_edge=False)
    budgets = page.results[0].budgets
    table.add_column("kind of attack")
    for budget in budgets:
        table.add_column(f"at {budgeted(budget.budget)}", justify="right")
    for row in zip(*(budget.kinds for budget in budgets), strict=True):
        cells = [
            f"{kind.found} of {kind.runs}"
            + (f", {lasted(kind.detection_s)}" if kind.detection_s is not None else f", {UNTOLD}")
            for kind in row
        ]
        table.add_row(_text(row[0].kind), *cells)
    return table


def _text(value: str) -> Text:
    return Text(printable(value))
