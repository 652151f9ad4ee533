"""Commands about records that were refused; what they do is imported when they run."""

from __future__ import annotations

from typing import Annotated

import typer

from trailwarden.commands.options import Config  # noqa: TC001 - typer reads the annotations

app = typer.Typer(no_args_is_help=True)


@app.callback()
def quarantine() -> None:
    """Look at records that could not become events, and replay them."""


Cluster = Annotated[str | None, typer.Option(metavar="NAME", help="Only of this cluster.")]
Reason = Annotated[
    str | None, typer.Option(metavar="REASON", help="Only refused for this reason: not-json ...")
]
Since = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="Only received since: 2026-11-21T12:00:00Z, or 90m, 24h, 7d ago."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document a line.")]

_EXIT = """
\b
Exit code:
  0  done
  1  Kafka cannot be read{more}
  2  wrong usage or settings
"""

_LIST_EXAMPLES = """
Examples:

\b
  trailwarden quarantine list --config /etc/trailwarden.yml
  trailwarden quarantine list --reason not-json --since 24h
  trailwarden quarantine list --cluster prod-eu --json
""" + _EXIT.format(more="")


@app.command("list", epilog=_LIST_EXAMPLES)
def list_(
    *,
    config: Config = None,
    cluster: Cluster = None,
    reason: Reason = None,
    since: Since = None,
    as_json: AsJson = False,
) -> None:
    """List refused records: when, whose, why, and where they stand."""
    from trailwarden.quarantine_command import Wanted, run_list  # noqa: PLC0415 - loads Kafka

    raise typer.Exit(run_list(config, Wanted(cluster, reason, since), as_json=as_json))


_SHOW_EXAMPLES = """
Examples:

\b
  trailwarden quarantine show 4f7c0d2a91be
""" + _EXIT.format(more=", or holds no such document")


@app.command(epilog=_SHOW_EXAMPLES)
def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="Its id, or how that begins.")],
    *,
    config: Config = None,
) -> None:
    """Show one refused record: all that is known of it, with its redacted copy."""
    from trailwarden.quarantine_command import run_show  # noqa: PLC0415 - loads Kafka

    raise typer.Exit(run_show(config, name))


_REPLAY_EXAMPLES = """
Examples:

\b
  trailwarden quarantine replay 4f7c0d2a91be
  trailwarden quarantine replay --reason not-an-event --since 24h --dry-run

\b
The original message is read from the topic of records, where it must still
be retained, and is sent there once more, byte for byte; its header
tw-replayed-from says where it stood.
""" + _EXIT.format(more=", or a record could not be replayed")


@app.command(epilog=_REPLAY_EXAMPLES)
def replay(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="Ids, or how they begin.")
    ] = None,
    *,
    config: Config = None,
    cluster: Cluster = None,
    reason: Reason = None,
    since: Since = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent; send nothing.")
    ] = False,
) -> None:
    """Send refused records through the pipeline again, after what refused them was mended."""
    from trailwarden.quarantine_command import Wanted, run_replay  # noqa: PLC0415 - loads Kafka

    wanted = Wanted(cluster, reason, since, tuple(names or ()))
    raise typer.Exit(run_replay(config, wanted, is_dry=dry_run))
