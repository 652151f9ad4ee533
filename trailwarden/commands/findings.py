"""Commands about findings; what they do is imported when they run."""

from __future__ import annotations

import getpass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from trailwarden.commands.options import Config, Level  # noqa: TC001 - typer reads annotations

app = typer.Typer(no_args_is_help=True)


@app.callback()
def findings() -> None:
    """Look at findings, and say what they turned out to be."""


class Choice(StrEnum):
    """What a finding turned out to be."""

    TRUE_POSITIVE = "true_positive"
    FALSE_POSITIVE = "false_positive"
    BENIGN = "benign"
    UNSURE = "unsure"


Scan = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder that `trailwarden scan` wrote, instead."),
]
Elasticsearch = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Elasticsearch; without it, that of the settings."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(metavar="ID", help="Its id, or how that begins.")]

_EXIT = """
\b
Exit code:
  0  done
  1  {one}
  2  wrong usage or settings
"""

_LIST_EXAMPLES = """
Examples:

\b
  trailwarden findings list --scan trailwarden-out
  trailwarden findings list --config /etc/trailwarden.yml --severity high --since 24h
  trailwarden findings list --elasticsearch https://es:9200 --cluster prod-eu --json
""" + _EXIT.format(one="the findings cannot be read")


@app.command("list", epilog=_LIST_EXAMPLES)
def list_(
    *,
    config: Config = None,
    scan: Scan = None,
    elasticsearch: Elasticsearch = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only of this cluster.")
    ] = None,
    rule: Annotated[str | None, typer.Option(metavar="ID", help="Only of this rule.")] = None,
    severity: Annotated[
        Level | None, typer.Option(metavar="SEVERITY", help="Only of this severity or above.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only since: 2026-11-21T12:00:00Z, or 90m, 24h, 7d ago."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most findings.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List findings, the newest first: when, how serious, where, what, and the verdict."""
    from detectors.sigma.rule import Level  # noqa: PLC0415 - loads Polars
    from trailwarden.finding_source import Source  # noqa: PLC0415 - goes with it
    from trailwarden.findings_command import run_list  # noqa: PLC0415 - goes with it

    level = None if severity is None else Level(severity.value)
    source = Source(config, scan, elasticsearch)
    raise typer.Exit(run_list(source, (cluster, rule, level, since), limit, as_json=as_json))


_SHOW_EXAMPLES = """
Examples:

\b
  trailwarden findings show 4f7c0d2a91be --scan trailwarden-out
  trailwarden findings show 4f7c0d2a91be --config /etc/trailwarden.yml
""" + _EXIT.format(one="the findings cannot be read, or hold none or several of this name")


@app.command(epilog=_SHOW_EXAMPLES)
def show(
    name: Name,
    *,
    config: Config = None,
    scan: Scan = None,
    elasticsearch: Elasticsearch = None,
    as_json: AsJson = False,
) -> None:
    """Show one finding: all that is known of it."""
    from trailwarden.finding_source import Source  # noqa: PLC0415 - loads Polars
    from trailwarden.findings_command import run_show  # noqa: PLC0415 - goes with it

    raise typer.Exit(run_show(Source(config, scan, elasticsearch), name, as_json=as_json))


_VERDICT_EXAMPLES = """
Examples:

\b
  trailwarden findings verdict 4f7c0d2a91be false_positive --note "the backup job"
  trailwarden findings verdict 4f7c0d2a91be true_positive --author dana

\b
The verdict is a record in the log of the finding's cluster: it takes effect
from its place there on, and is archived and replayed as every record. Where
Elasticsearch is configured, trailwarden.triage.* of the finding says it too.
A later verdict takes the place of an earlier one. What was judged false or
benign may become normal for the profiles; rules go on as before, and an
exception is printed for whoever wants one.
""" + _EXIT.format(
    one="it could not be sent, or not be written into Elasticsearch: see the message"
)


@app.command(epilog=_VERDICT_EXAMPLES)
def verdict(
    name: Name,
    choice: Annotated[
        Choice,
        typer.Argument(
            metavar="VERDICT", help="true_positive, false_positive, benign (meant to be) or unsure."
        ),
    ],
    *,
    note: Annotated[
        str, typer.Option(metavar="TEXT", help="Why; it is kept, so without secrets.")
    ] = "",
    author: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who decides; without it, who runs this.")
    ] = None,
    config: Config = None,
    scan: Scan = None,
    elasticsearch: Elasticsearch = None,
) -> None:
    """Say what a finding turned out to be."""
    from ingest.verdict import Choice as Decided  # noqa: PLC0415 - loads msgspec
    from trailwarden.finding_source import Source  # noqa: PLC0415 - loads Polars
    from trailwarden.verdict_command import Decision, run_verdict  # noqa: PLC0415 - loads Kafka

    decision = Decision(Decided(choice.value), author or getpass.getuser(), note)
    raise typer.Exit(run_verdict(Source(config, scan, elasticsearch), name, decision))
