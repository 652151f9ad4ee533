"""Options of `setup` in, the diff and an exit code out.

Separate from the declaration of the command because it loads the clients of both servers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from sinks.change import Change, render_changes
from trailwarden import __version__
from trailwarden.exit_code import ExitCode
from worker.configuration import InvalidSettingsError, Settings, load_settings
from worker.setup import SetupFailedError, Sizes, set_up_elasticsearch, set_up_kafka

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def run_setup(
    config: Path | None, partitions: int | None, replication_factor: int | None, *, dry_run: bool
) -> ExitCode:
    """Set both servers up, one after the other; one that fails does not keep the other from it."""
    sizes = Sizes(partitions, replication_factor)
    try:
        settings = load_settings(config)
        kafka = _run(
            f"Kafka {settings.kafka.bootstrap_servers}",
            lambda: set_up_kafka(settings, sizes, dry_run=dry_run),
            dry_run=dry_run,
        )
        search = _run(
            _elasticsearch(settings),
            lambda: set_up_elasticsearch(settings, __version__, dry_run=dry_run),
            dry_run=dry_run,
        )
    except InvalidSettingsError as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.USAGE
    if dry_run:
        typer.echo("dry run: nothing was changed")
    return ExitCode.OK if kafka and search else ExitCode.INPUT_UNREADABLE


def _elasticsearch(settings: Settings) -> str:
    return (
        f"Elasticsearch {settings.elasticsearch.url or '(elasticsearch.url is not set: left out)'}"
    )


def _run(name: str, step: Callable[[], list[Change]], *, dry_run: bool) -> bool:
    typer.echo(name)
    try:
        changes = step()
    except SetupFailedError as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return False
    typer.echo(render_changes(changes) or "  nothing to do")
    made = [change for change in changes if not change.is_drift]
    if made:
        typer.echo(f"  {len(made)} change(s) {'to make' if dry_run else 'made'}")
    return True
