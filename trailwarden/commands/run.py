"""`trailwarden run`: a stream worker, until it is told to stop.

Separate so that `--help` answers at once: what it does is imported when it runs.
"""

from __future__ import annotations

from typing import Annotated

import typer

from trailwarden.commands.options import Config  # noqa: TC001 - typer reads the annotations

EXAMPLES = """
Examples:

\b
  trailwarden run --config trailwarden.yml
  TRAILWARDEN_KAFKA__BOOTSTRAP_SERVERS=kafka:9092 trailwarden run
  trailwarden run --config trailwarden.yml --role detect,correlate

\b
Reads the topic `raw` as a member of the workers' group, archives every event, and writes
findings (and events, as elasticsearch.events says) to Elasticsearch. Run as many as there is work:
partitions are shared among them. The role `correlate` reads the topic `signals`, into which all
workers write what correlations across clusters need: without a member that has it, these find
nothing. `trailwarden setup` must have been run once. docs/settings.md has
all settings.

\b
Exit code:
  0  told to stop (SIGTERM): progress is committed
  1  stopped because going on would lose or hide something: the log's last line says what
  2  wrong usage or settings, a refused rule, a store that cannot be used
"""


def run(
    *,
    config: Config = None,
    role: Annotated[
        str,
        typer.Option(metavar="ROLE,...", help="What this worker does: detect, correlate, or both."),
    ] = "detect",
) -> None:
    """Run a stream worker: Kafka in, findings to Elasticsearch, events to the archive."""
    from trailwarden.run_command import run_worker  # noqa: PLC0415 - loads Polars and Kafka

    raise typer.Exit(run_worker(config, role))
