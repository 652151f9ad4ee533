"""The command that accounts for every record; what it does is imported when it runs."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from trailwarden.commands.options import Config  # noqa: TC001 - typer reads the annotations

EXAMPLES = """
Examples:

\b
  trailwarden ledger --config /etc/trailwarden.yml
  trailwarden ledger --since 24h --json
  kubectl get --raw /metrics | trailwarden ledger --apiserver-metrics -

\b
Counts every message that Kafka still has, by cluster and hour of receipt, and
compares with what the archive's footers and the quarantine say became of them.
Messages behind the archive's last offset are pending: no worker has come to
them yet.

\b
Exit code:
  0  every record is accounted for
  1  something is missing or does not add up: each difference is a line;
     or a store cannot be read
  2  wrong usage or settings
"""


def ledger(
    *,
    config: Config = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Count from a time on: 2026-11-21T12:00:00Z, or 90m, 24h, 7d ago."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The ledger as one JSON object.")] = False,
    apiserver_metrics: Annotated[
        str | None,
        typer.Option(
            metavar="URL|FILE",
            help="An API server's /metrics, or a file of them, or -: its own audit error counters "
            "are shown beside.",
        ),
    ] = None,
    apiserver_token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Bearer token for that URL.")
    ] = None,
    apiserver_ca_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PEM of the authority of its certificate.")
    ] = None,
) -> None:
    """Account for every record: received, and what became of it."""
    from trailwarden.ledger_command import ApiServer, run_ledger  # noqa: PLC0415 - loads Kafka

    api_server = (
        ApiServer(apiserver_metrics, apiserver_token_file, apiserver_ca_file)
        if apiserver_metrics
        else None
    )
    raise typer.Exit(run_ledger(config, since, api_server, as_json=as_json))
