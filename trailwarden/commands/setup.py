"""The command that prepares Kafka and Elasticsearch; what it does is imported when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from trailwarden.commands.options import Config  # noqa: TC001 - typer reads the annotations

SETUP_EXAMPLES = """
Examples:

\b
  trailwarden setup --config /etc/trailwarden.yml --dry-run
  trailwarden setup --config /etc/trailwarden.yml
  trailwarden setup --partitions 1 --replication-factor 1

\b
Creates what is missing and corrects what has drifted. Run it again at any
time, also while workers run. It deletes nothing, and leaves to people what
would move records.
  +  created   ~  altered   -  removed   !  differs, left as it is

\b
Exit code:
  0  done, or nothing to do
  1  a server does not answer or refuses; what was done before stays done
  2  wrong usage or settings
"""


def setup(
    *,
    config: Config = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be changed; change nothing.")
    ] = False,
    partitions: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10_000,
            metavar="N",
            help="Partitions of the topic of records, at least four per worker; 64 if it is new.",
        ),
    ] = None,
    replication_factor: Annotated[
        int | None,
        typer.Option(
            min=1, max=15, metavar="N", help="Copies of each record; else 3, or one per broker."
        ),
    ] = None,
) -> None:
    """Create or correct the topics of Kafka and the templates of Elasticsearch."""
    from trailwarden.setup_command import run_setup  # noqa: PLC0415 - loads both clients

    raise typer.Exit(run_setup(config, partitions, replication_factor, dry_run=dry_run))
