"""`trailwarden rules cost`: a log and a pack in, microseconds of CPU an event out.

Separate from the declaration of the command because it loads Polars.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.cost import cost_of
from detectors.message import printable
from detectors.sigma.correlation import Correlation
from ingest.normalize import NormalizeSettings, normalize
from ingest.sources.read import read_records
from trailwarden.exit_code import ExitCode
from trailwarden.rules_pack import load
from worker.scan import gathered
from worker.settings import DEFAULT_CLUSTER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import polars as pl

    from detectors.cost import DetectionCost, PackCost

MOST_EVENTS = 50_000
"""Events of the log's beginning that are measured: enough that one run takes tens of milliseconds,
few enough that hundreds of rules are measured in a minute."""


@dataclass(frozen=True, slots=True)
class CostOptions:
    """What was given on the command line."""

    repeat: int
    top: int
    """Rules shown; 0: all."""
    as_json: bool


def run_cost(
    log: Path, folders: Sequence[Path], config: Path | None, options: CostOptions
) -> ExitCode:
    """Measure the pack on the log, and print the dearest rules."""
    pack = load(folders, config).pack
    batches = batches_of(log)
    if not batches:
        return ExitCode.INPUT_UNREADABLE
    found = cost_of(pack, batches, options.repeat)
    if options.as_json:
        typer.echo(orjson.dumps(_as_json(found), option=orjson.OPT_INDENT_2))
    else:
        _print(found, options.top)
    return ExitCode.OK


def batches_of(log: Path) -> list[pl.DataFrame]:
    """Return the events of a log's beginning; none, said why, where there are none."""
    settings = NormalizeSettings(DEFAULT_CLUSTER)
    batches: list[pl.DataFrame] = []
    left = MOST_EVENTS
    problem = "holds no event"
    for chunks in gathered(read_records(str(log), lambda _: None)):
        problem = next((str(one) for chunk in chunks for one in chunk.problems), problem)
        events = normalize(chunks, settings).events.head(left)
        batches += [events] if events.height else []
        left -= events.height
        if left <= 0:
            break
    if not batches:
        typer.echo(f"trailwarden: {printable(str(log))}: {problem}", err=True)
    return batches


def kind_of(one: DetectionCost) -> str:
    """Return what a detection is called by kind."""
    detection = one.detection
    return detection.type.value if isinstance(detection, Correlation) else "rule"


def _as_json(found: PackCost) -> dict[str, Any]:
    return {
        "events": found.events,
        "rules_us_per_event": found.rules_us_per_event,
        "correlations_us_per_event": found.correlations_us_per_event,
        "detections": [
            {
                "id": one.detection.id,
                "title": one.detection.title,
                "type": kind_of(one),
                "us_per_event": one.us_per_event,
            }
            for one in found.detections
        ],
    }


def _print(found: PackCost, top: int) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("µs/event", justify="right", no_wrap=True)
    table.add_column("id", no_wrap=True)
    table.add_column("type", no_wrap=True)
    table.add_column("rule")
    shown = found.detections[:top] if top else found.detections
    for one in shown:
        cells = [one.detection.id[:8], kind_of(one), printable(one.detection.title)]
        table.add_row(f"{one.us_per_event:.3f}", *map(Text, cells))
    Console(soft_wrap=False).print(table)
    typer.echo(f"{len(found.detections)} detections on {found.events:,} events; together:")
    typer.echo(f"  rules         {found.rules_us_per_event:.3f} microseconds of CPU an event")
    typer.echo(f"  correlations  {found.correlations_us_per_event:.3f}")
