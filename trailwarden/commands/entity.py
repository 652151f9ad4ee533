"""The commands on entities; what they do is imported when they run."""

from __future__ import annotations

from typing import Annotated

import typer

from trailwarden.commands.options import AsJson  # noqa: TC001 - typer reads the annotations

app = typer.Typer(no_args_is_help=True, help="Ask who and what things were at a time.")

SHOW_EXAMPLES = """
Examples:

\b
  trailwarden entity show shop/web-7d9f8c6b5-x2x9k --from audit.log.gz
  trailwarden entity show system:serviceaccount:ci:deployer --from archive/ \\
      --at 2026-11-21T11:00:00
  trailwarden entity show 10.244.3.7 --from archive/ --cluster prod-eu --json

\b
NAME is a pod (namespace/name), an identity (as in user.name), a credential
(JTI=... or X509SHA256=...), an address, a node, a namespace, a workload
(namespace/Kind/name), or a role or binding (Kind/namespace/name).

\b
Everything is worked out from the audit events up to --at; the cluster is not
asked. What happened before the log begins is not known.

\b
Exit code:
  0  done
  1  nothing was known of that name then
  2  wrong usage, or a source that cannot be read
"""


@app.callback()
def entity() -> None:
    """Ask who and what things were at a time."""


@app.command(epilog=SHOW_EXAMPLES)
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to show.")],
    *,
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="LOG|ARCHIVE",
            help="An audit log, an events.parquet, the folder of a scan or of an archive.",
        ),
    ],
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="As of this time; without it, the end of the log."),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The cluster; needed where the source holds several."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what was known of an identity, pod, credential, address or node at a time."""
    from trailwarden.entity_command import EntityOptions, run_show  # noqa: PLC0415 - loads Polars

    raise typer.Exit(run_show(EntityOptions(name, source, at, cluster, as_json)))
