"""`trailwarden kibana`: dashboards for people, as a file that Kibana imports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trailwarden.exit_code import ExitCode

app = typer.Typer(
    name="kibana",
    no_args_is_help=True,
    help="Data views, saved searches and dashboards for Kibana.",
)

_EXPORT = """
Examples:

\b
  trailwarden kibana export
  trailwarden kibana export --out - | curl -u elastic -H 'kbn-xsrf: true' \\
      -F 'file=@-;filename=trailwarden.ndjson' \\
      'https://KIBANA:5601/api/saved_objects/_import?overwrite=true'

\b
In Kibana: Stack Management, Saved Objects, Import. Importing again replaces what was imported;
what people changed in these objects is lost, in copies of them it is not.

\b
Exit code:
  0  written
  2  wrong usage, or the file cannot be written
"""


@app.callback()
def kibana() -> None:
    """Offer data views, saved searches and dashboards for Kibana."""


@app.command(epilog=_EXPORT)
def export(
    *,
    out: Annotated[
        str, typer.Option(metavar="FILE", help="File to write; - for standard output.")
    ] = "trailwarden-kibana.ndjson",
    prefix: Annotated[
        str, typer.Option(metavar="NAME", help="How the names of the indices begin.")
    ] = "trailwarden",
) -> None:
    """Write data views, searches and dashboards (Kibana 9.x saved objects)."""
    from sinks.kibana.saved_objects import ndjson  # noqa: PLC0415 - only when it runs

    content = ndjson(prefix)
    if out == "-":
        typer.echo(content, nl=False)
        return
    try:
        Path(out).write_bytes(content)
    except OSError as error:
        typer.echo(f"cannot write {out}: {error.strerror}", err=True)
        raise typer.Exit(ExitCode.USAGE) from error
    objects = len(content.splitlines())
    typer.echo(f"{out}: {objects} saved objects; import them in Kibana")
