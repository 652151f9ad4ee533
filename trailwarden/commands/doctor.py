"""The command that checks an installation and its servers; imports what it does when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from trailwarden.commands.options import Config  # noqa: TC001 - typer reads the annotations

DOCTOR_EXAMPLES = """
Examples:

\b
  trailwarden doctor --config /etc/trailwarden.yml
  trailwarden doctor --offline
  trailwarden doctor --json | jq '.checks[] | select(.state != "ok")'

\b
Reads only, but for a file in the store's folder that it removes. Checks:
  settings packages rules sample; and unless --offline
  store kafka topics rights workers sources clocks quarantine
  elasticsearch templates

\b
Exit code:
  0  all is well; warnings are allowed
  1  something failed: each line says what to do
  2  wrong usage
"""


def doctor(
    *,
    config: Config = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Check this installation only; ask no server.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead.")] = False,
) -> None:
    """Check whether all is there and works, from the rules to silent sources."""
    from trailwarden.doctor_command import run_doctor  # noqa: PLC0415 - loads everything

    raise typer.Exit(run_doctor(config, offline=offline, as_json=as_json))
