"""`retention apply`: settings in, names of deleted indices and an exit code out.

Separate from the declaration of the command because it loads the client of Elasticsearch.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from sinks.elasticsearch.retention import apply_retention, expired_indices
from sinks.elasticsearch.transport import NotAllowedError, SetupMissingError, UnavailableError
from trailwarden.exit_code import ExitCode
from worker.configuration import InvalidSettingsError, load_settings
from worker.elasticsearch_client import connect_elasticsearch

if TYPE_CHECKING:
    from pathlib import Path


def run_retention(config: Path | None, *, dry_run: bool) -> ExitCode:
    """Delete the indices of days beyond retention, or only name them."""
    try:
        settings = load_settings(config)
        client = connect_elasticsearch(settings.elasticsearch)
    except InvalidSettingsError as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.USAGE
    find = expired_indices if dry_run else apply_retention
    prefix, days = settings.elasticsearch.prefix, settings.worker.retention_days
    try:
        names = find(client, prefix, days, datetime.now(UTC))
    except (NotAllowedError, SetupMissingError, UnavailableError) as error:
        typer.echo(f"trailwarden: Elasticsearch: {error}", err=True)
        return ExitCode.INPUT_UNREADABLE
    verb = "would be deleted" if dry_run else "deleted"
    for name in names:
        typer.echo(f"{name} {verb}")
    if not names:
        typer.echo(f"nothing is older than {days} days")
    return ExitCode.OK
