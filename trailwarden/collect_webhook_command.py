"""Options of `collect webhook` in, exit code out: they win over environment and file.

Separate from the declaration of the command because it loads Kafka's client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from trailwarden import __version__
from trailwarden.exit_code import ExitCode
from worker.collect_webhook import collect_webhook
from worker.configuration import InvalidSettingsError, Settings, Webhook, load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def run_webhook(config: Path | None, listen: str | None, options: Mapping[str, Path | None]) -> int:
    """Run the collector with these options; say on stderr which setting cannot be used."""
    try:
        settings = _with_options(load_settings(config), listen, options)
        return collect_webhook(settings, __version__)
    except InvalidSettingsError as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.USAGE


def _with_options(
    settings: Settings, listen: str | None, options: Mapping[str, Path | None]
) -> Settings:
    given: dict[str, object] = {name: value for name, value in options.items() if value is not None}
    if listen is not None:
        given |= _address(listen)
    webhook = Webhook(**{**settings.webhook.model_dump(), **given})
    return settings.model_copy(update={"webhook": webhook})


def _address(listen: str) -> dict[str, object]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:  # noqa: PLR2004
        raise InvalidSettingsError(f"--listen {listen}: must be HOST:PORT")
    return {"host": host.strip("[]"), "port": int(port)}
