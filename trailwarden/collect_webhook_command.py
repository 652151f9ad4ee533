"""Options of `collect webhook` and `collect falco` in, exit code out: they win over settings.

Separate from the declaration of the command because it loads Kafka's client.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import typer

from trailwarden import __version__
from trailwarden.exit_code import ExitCode
from worker.collect_webhook import collect_falco, collect_webhook
from worker.configuration import InvalidSettingsError, Settings, load_settings

Options = Mapping[str, Path | None]
Group = Literal["webhook", "falco"]


def run_webhook(config: Path | None, listen: str | None, options: Options) -> int:
    """Run the collector with these options; say on stderr which setting cannot be used."""
    return _run("webhook", config, listen, options)


def run_falco(config: Path | None, listen: str | None, options: Options) -> int:
    """As `run_webhook`, for alerts."""
    return _run("falco", config, listen, options)


def _run(group: Group, config: Path | None, listen: str | None, options: Options) -> int:
    collect = collect_falco if group == "falco" else collect_webhook
    try:
        settings = _with_options(load_settings(config), listen, options, group)
        return collect(settings, __version__)
    except InvalidSettingsError as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.USAGE


def _with_options(
    settings: Settings, listen: str | None, options: Options, group: Group = "webhook"
) -> Settings:
    given: dict[str, object] = {name: value for name, value in options.items() if value is not None}
    if listen is not None:
        given |= _address(listen)
    before = settings.falco if group == "falco" else settings.webhook
    after = type(before)(**{**before.model_dump(), **given})
    return settings.model_copy(update={group: after})


def _address(listen: str) -> dict[str, object]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:  # noqa: PLR2004
        raise InvalidSettingsError(f"--listen {listen}: must be HOST:PORT")
    return {"host": host.strip("[]"), "port": int(port)}
