"""`trailwarden simulate`: options become a fleet, its days files, or a comparison a page.

Separate from the options so that they can be shown without loading Polars.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import orjson
import typer
from isal import isal_zlib
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ingest.sources.compression import open_stream
from models.simulate.comparison import compare
from models.simulate.comparison_page import comparison_page
from models.simulate.log_frame import compared_columns
from models.simulate.settings import SimulationSettings
from models.simulate.simulation import prepare
from trailwarden.exit_code import ExitCode
from worker.garbage import collect_rarely

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date

    from models.simulate.simulation import Simulation

STDOUT: Final = "-"
_GZIP_BITS: Final = 31
"""zlib's window bits for a gzip member; its header holds no time, so bytes repeat."""

_LEVEL: Final = 1


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """What was given on the command line."""

    out: str | None
    start: date
    days: int
    clusters: int
    events_per_day: int
    chains: int
    seed: int

    def settings(self) -> SimulationSettings:
        """Return what the simulation is told."""
        return SimulationSettings(
            start=self.start,
            days=self.days,
            clusters=self.clusters,
            events_per_day=self.events_per_day,
            chains=self.chains,
            seed=self.seed,
        )


def run_simulate(options: SimulateOptions) -> ExitCode:
    """Write the fleet's logs and labels.

    Raises
        typer.BadParameter: an option that cannot be used; exit code 2.
    """
    if options.out is None:
        raise typer.BadParameter("one of --out and --compare is needed")
    if options.out == STDOUT and options.clusters != 1:
        raise typer.BadParameter("--out - needs --clusters 1: a record does not name its cluster")
    collect_rarely()
    simulation = prepare(options.settings())
    try:
        if options.out == STDOUT:
            return _print_lines(simulation)
        return _write_folder(simulation, _new_folder(Path(options.out)))
    except BrokenPipeError:
        # The reader has gone: no error. What Python still holds goes nowhere (its manual, SIGPIPE).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except OSError as error:
        typer.echo(f"trailwarden: cannot write to {options.out}: {error}", err=True)
        return ExitCode.INPUT_UNREADABLE


def _new_folder(folder: Path) -> Path:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise typer.BadParameter(f"--out {folder}: exists and is not an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _print_lines(simulation: Simulation) -> ExitCode:
    for day in simulation.days(0):
        for lines in day.pieces:
            sys.stdout.buffer.writelines(lines)
    sys.stdout.buffer.flush()
    return ExitCode.OK


def _write_folder(simulation: Simulation, folder: Path) -> ExitCode:
    settings = simulation.settings
    events = 0
    with (
        (folder / "labels.jsonl").open("xb") as labels,
        (folder / "scenarios.jsonl").open("xb") as scenarios,
        _progress(settings.clusters * settings.days) as advance,
    ):
        for number in range(settings.clusters):
            for day in simulation.days(number):
                events += _write_day(folder / f"{day.cluster}.{day.day}.log.gz", day.pieces)
                advance()
            _write_rows(labels, simulation.labels(number))
            _write_rows(scenarios, simulation.scenarios(number))
    typer.echo(
        f"{events:,} simulated events of {settings.clusters} clusters and {settings.days} days "
        f"in {folder}, with labels.jsonl and scenarios.jsonl"
    )
    return ExitCode.OK


def _write_day(path: Path, pieces: Iterable[list[bytes]]) -> int:
    """Write a day's lines as one gzip member; return how many."""
    packer = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP_BITS)
    count = 0
    with path.open("xb") as file:
        for lines in pieces:
            count += len(lines)
            file.write(packer.compress(b"".join(lines)))
        file.write(packer.flush())
    return count


def _write_rows(file: IO[bytes], rows: Iterable[object]) -> None:
    file.writelines(orjson.dumps(row) + b"\n" for row in rows)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """Show a bar over the days of all clusters, on a terminal only."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda: None
        return
    columns = (TextColumn("days"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("simulate", total=total)
        yield lambda: progress.advance(task)


def run_compare(options: SimulateOptions, log: str) -> ExitCode:
    """Print how a simulated working day of one cluster differs from a real log.

    Raises
        typer.BadParameter: the log holds no audit event; exit code 2.
    """
    collect_rarely()
    try:
        real = compared_columns(_lines(log))
    except OSError as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.INPUT_UNREADABLE
    if real.height == 0:
        raise typer.BadParameter(f"--compare {log}: holds no Kubernetes audit event")
    settings = SimulationSettings(
        start=options.start, days=1, clusters=1, events_per_day=options.events_per_day, chains=0,
        seed=options.seed,
    )  # fmt: skip
    simulation = prepare(settings)
    lines = (line for day in simulation.days(0) for piece in day.pieces for line in piece)
    title = f"a simulated day, {settings.start}, seed {settings.seed}"
    comparison = compare(real, compared_columns(lines))
    typer.echo(comparison_page(comparison, Path(log).name, title), nl=False)
    return ExitCode.OK


def _lines(path: str) -> Iterator[bytes]:
    """Read a log's lines, plain or compressed.

    Raises
        OSError: it cannot be read to its end.
    """
    rest = b""
    for chunk in open_stream(path):
        if not isinstance(chunk, bytes):
            raise OSError(f"{chunk.path}: {chunk.message}")
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest
