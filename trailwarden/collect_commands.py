"""Options of `collect tail`, `kafka` and `s3` in, exit code out: they win over the settings.

Separate from the declaration of the commands because it loads Kafka's client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from trailwarden import __version__
from trailwarden.exit_code import ExitCode
from worker.collect_inbox import collect_inbox
from worker.collect_objects import collect_objects
from worker.collect_tail import collect_tail
from worker.configuration import InvalidSettingsError, Objects, Tail, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def run_tail(
    config: Path | None, paths: list[str], cluster: str | None, checkpoint: Path | None
) -> int:
    """Follow files until told to stop."""

    def body() -> int:
        settings = load_settings(config)
        wanted = {"paths": paths, "cluster": cluster, "checkpoint_file": checkpoint}
        given = {name: value for name, value in wanted.items() if value}
        tail = Tail(**{**settings.tail.model_dump(), **given})
        return collect_tail(settings.model_copy(update={"tail": tail}), __version__)

    return _told(body)


def run_s3(
    config: Path | None, address: str | None, cluster: str | None, checkpoint: Path | None
) -> int:
    """Empty an object store until told to stop."""

    def body() -> int:
        settings = load_settings(config)
        wanted = {"address": address, "cluster": cluster, "checkpoint_file": checkpoint}
        given = {name: value for name, value in wanted.items() if value}
        objects = Objects(**{**settings.objects.model_dump(), **given})
        return collect_objects(settings.model_copy(update={"objects": objects}), __version__)

    return _told(body)


def run_kafka(config: Path | None) -> int:
    """Move records until told to stop."""
    return _told(lambda: collect_inbox(load_settings(config), __version__))


def _told(body: Callable[[], int]) -> int:
    """Say on stderr which setting cannot be used."""
    try:
        return body()
    except InvalidSettingsError as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.USAGE
