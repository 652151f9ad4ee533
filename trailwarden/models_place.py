"""Options of `models` in, the registry that they mean out.

Separate because every one of its commands begins with it and ends with the same codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from models.kinds import KINDS
from models.store import ModelRefusedError
from models.store.keys import KeyUnusableError, parse_public
from models.store.registry import Registry
from trailwarden.exit_code import ExitCode
from worker.configuration import InvalidSettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """What was given on the command line; the settings say the rest."""

    config: Path | None
    folder: Path | None
    keys: Sequence[str]


def with_registry(place: Place, run: Callable[[Registry], ExitCode]) -> ExitCode:
    """Run a command on the registry; say what keeps it from running."""
    try:
        return run(_registry(place))
    except (InvalidSettingsError, KeyUnusableError) as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.USAGE
    except (ModelRefusedError, OSError) as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.INPUT_UNREADABLE


def _registry(place: Place) -> Registry:
    settings = load_settings(place.config).models
    folder = place.folder or settings.folder
    if not folder.is_dir():
        raise InvalidSettingsError(f"{folder}: no such folder of models")
    keys = [parse_public(text) for text in place.keys or settings.trusted_keys]
    if not keys:
        raise InvalidSettingsError("models.trusted_keys is empty: no model is trusted")
    return Registry(folder, keys, KINDS)
