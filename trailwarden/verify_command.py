"""Options of `verify` in, problems as lines and an exit code out.

Separate from the declaration of the command because it loads PyArrow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from detectors.message import printable
from sinks.archive import list_segments, verify
from sinks.archive.listing import topics
from trailwarden.exit_code import ExitCode
from worker.configuration import InvalidSettingsError, load_settings

if TYPE_CHECKING:
    from pathlib import Path


def run_verify(config: Path | None, archive: Path | None) -> int:
    """Check an archive and print what is wrong with it."""
    try:
        folder = archive or load_settings(config).store.folder / "archive"
    except InvalidSettingsError as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.USAGE
    if not folder.is_dir():
        typer.echo(f"trailwarden: {folder}: no such folder", err=True)
        return ExitCode.USAGE
    try:
        return _verified(folder)
    except OSError as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.INPUT_UNREADABLE


def _verified(folder: Path) -> int:
    problems = verify(folder)
    for problem in problems:
        place = problem.path.relative_to(folder)
        typer.echo(f"{place}: {problem.fault.value}: {printable(problem.detail)}")
    if problems:
        typer.echo(f"{len(problems)} problems in {folder}", err=True)
        return ExitCode.INPUT_UNREADABLE
    segments = [segment for topic in topics(folder) for segment in list_segments(folder, topic)]
    rows = sum(segment.rows for segment in segments)
    typer.echo(f"{len(segments)} segments with {rows} events are what was written")
    return ExitCode.OK
