"""Options of `run` in, exit code out; what keeps a worker from starting is one line on stderr.

Separate from the declaration of the command because it loads everything a worker needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from detectors.sigma.errors import InvalidRulesError
from ingest.collectors.producer import ProducerFailedError
from sinks.archive import ArchiveDamagedError
from sinks.durable_file import StoreUnsuitableError
from sinks.elasticsearch.transport import NotAllowedError, SetupMissingError, UnavailableError
from trailwarden import __version__
from trailwarden.exit_code import ExitCode
from worker.configuration import InvalidSettingsError, load_settings
from worker.roles import read_roles
from worker.run import FAILED, run

if TYPE_CHECKING:
    from pathlib import Path


def run_worker(config: Path | None, role: str) -> int:
    """Run a worker with these options."""
    try:
        roles = read_roles(role)
    except ValueError as error:
        raise typer.BadParameter(f"--role: {error}") from error
    try:
        return run(load_settings(config), __version__, config, roles)
    except (InvalidSettingsError, InvalidRulesError, StoreUnsuitableError, OSError) as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.USAGE
    except (
        ArchiveDamagedError,
        NotAllowedError,
        ProducerFailedError,
        SetupMissingError,
        UnavailableError,
    ) as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return FAILED
