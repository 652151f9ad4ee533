"""The command that checks the archive; what it does is imported when it runs."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from trailwarden.commands.options import Config  # noqa: TC001 - typer reads the annotations

EXAMPLES = """
Examples:

\b
  trailwarden verify --config /etc/trailwarden.yml
  trailwarden verify --archive /var/lib/trailwarden/archive

\b
Finds any edit, cut, exchange, reorder or removal within the archive: every
file is hashed again. It cannot find that a partition's newest segments are
gone (trailwarden ledger compares with Kafka), nor that everything from one
segment on was written anew with care.

\b
Exit code:
  0  the archive is what was written
  1  it is not, or cannot be read: each problem is a line
  2  wrong usage or settings
"""


def verify(
    *,
    config: Config = None,
    archive: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The archive; without it, the one of the settings."),
    ] = None,
) -> None:
    """Check that the archive is what was written: nothing edited, cut, reordered or removed."""
    from trailwarden.verify_command import run_verify  # noqa: PLC0415 - loads PyArrow

    raise typer.Exit(run_verify(config, archive))
