"""The command that deletes days beyond retention; what it does is imported when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from trailwarden.commands.options import Config  # noqa: TC001 - typer reads the annotations

app = typer.Typer(help="Delete what is older than worker.retention_days.", no_args_is_help=True)

_EXAMPLES = """
Examples:

\b
  trailwarden retention apply --config /etc/trailwarden.yml --dry-run
  trailwarden retention apply --config /etc/trailwarden.yml

\b
Deletes indices of Elasticsearch by the day in their names, events and
findings alike. What has no day (...-outofrange) stays until somebody deletes
it. One of the workers does the same every hour.

\b
Exit code:
  0  done, or nothing to do
  1  Elasticsearch does not answer or refuses; what was deleted before is gone
  2  wrong usage or settings
"""


@app.callback()
def root() -> None:
    """Delete what is older than worker.retention_days."""


@app.command(epilog=_EXAMPLES)
def apply(
    *,
    config: Config = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be deleted; delete nothing.")
    ] = False,
) -> None:
    """Delete the indices of days beyond retention."""
    from trailwarden.retention_command import run_retention  # noqa: PLC0415 - loads the client

    raise typer.Exit(run_retention(config, dry_run=dry_run))
