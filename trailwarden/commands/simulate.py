"""The command that simulates a fleet; what it does is imported when it runs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

EXAMPLES = """
Examples:

\b
  trailwarden simulate --out fleet/
  trailwarden simulate --out fleet/ --days 14 --clusters 1 --seed 3
  trailwarden simulate --out - --days 1 --clusters 1 | trailwarden scan -
  trailwarden scan fleet/ --cluster-from-file --out results/
  trailwarden simulate --compare audit.log.gz

\b
Nothing of it is real: figures on simulated data say so. The same options and
the same version give the same bytes.

\b
Writes to the folder --out, which must be new or empty:
  CLUSTER.DAY.log.gz   raw audit records, one a line, by time
  labels.jsonl         each event of an attack, of what followed from it, and of
                       the installation of the first minutes
  scenarios.jsonl      each attack: kind, technique, start, end, requests

\b
With --compare, nothing is written: a simulated working day of one cluster is
compared with LOG, and how far their distributions are apart is printed as
Markdown.

\b
Exit code:
  0  done
  1  a file cannot be read or written
  2  wrong usage: also a folder that is not empty
"""


def simulate(
    *,
    out: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="New folder for the logs; - writes lines to stdout."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days to simulate.")] = 30,
    clusters: Annotated[int, typer.Option(min=1, max=100, help="Clusters of the fleet.")] = 3,
    events_per_day: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=2_000,
            max=5_000_000,
            help="Events of a cluster on a working day, about.",
        ),
    ] = 50_000,
    chains: Annotated[
        int, typer.Option(min=0, max=10_000, help="Attack chains in the whole fleet.")
    ] = 25,
    seed: Annotated[int, typer.Option(help="Another seed is another fleet.")] = 7,
    start: Annotated[
        datetime,
        typer.Option(
            formats=["%Y-%m-%d"], metavar="DAY", help="First day, UTC.", show_default="2026-06-01"
        ),
    ] = datetime(2026, 6, 1),  # noqa: DTZ001 - a day; it has no zone
    compare: Annotated[
        str | None,
        typer.Option(metavar="LOG", help="Compare with a real audit log instead of writing."),
    ] = None,
) -> None:
    """Simulate a fleet: raw audit records of weeks, with labelled attacks in them."""
    from trailwarden.simulate_command import (  # noqa: PLC0415 - loads Polars
        SimulateOptions,
        run_compare,
        run_simulate,
    )

    options = SimulateOptions(out, start.date(), days, clusters, events_per_day, chains, seed)
    if compare is not None:
        if out is not None:
            raise typer.BadParameter("--out and --compare exclude each other")
        raise typer.Exit(run_compare(options, compare))
    raise typer.Exit(run_simulate(options))
