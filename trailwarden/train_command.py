"""Options of `train` in, a signed model and an exit code out.

Separate from the options so that they can be shown without loading what training needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import typer

from models.learned import LEARNED, LEARNED_COLUMNS
from models.store import (
    Manifest,
    ModelExistsError,
    ModelRefusedError,
    Window,
    library_versions,
    save_model,
)
from models.store.keys import KeyUnusableError, public_text, read_private_key
from trailwarden.exit_code import ExitCode
from trailwarden.training_source import (
    SourceUnusableError,
    has_extra,
    read_events,
    read_span,
    steps,
)

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import polars as pl
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from models.store import Model

_LIBRARIES = ("polars", "pyarrow", "scikit-learn", "numpy")


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What was given on the command line."""

    source: str
    key: Path
    kind: str
    start: str | None
    end: str | None
    seed: int
    cluster: str | None
    name: str
    version: str | None
    out: Path


def run_train(options: TrainOptions) -> ExitCode:
    """Fit a model, write it and say where it is.

    Raises
        typer.BadParameter: options that cannot be used; exit code 2.
    """
    if not has_extra():
        return ExitCode.USAGE
    between = read_span(options.start, options.end)
    try:
        key = read_private_key(options.key)
    except KeyUnusableError as error:
        raise typer.BadParameter(
            f"--key {error}; `trailwarden models key FILE` makes one"
        ) from None
    try:
        with steps() as step:
            step(f"Reading {options.source}")
            read = read_events(options.source, LEARNED_COLUMNS, options.cluster, between)
            events = read.events
            step(f"Fitting {options.kind} to {events.height:,} events")
            model = _made(options, events, _window(events, between), key)
    except (SourceUnusableError, ModelRefusedError, ModelExistsError, OSError) as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.INPUT_UNREADABLE
    _tell(options, events, model, key)
    return read.told()


def _window(events: pl.DataFrame, between: tuple[datetime | None, datetime | None]) -> Window:
    """Return the time that is learned from: what was asked for, else what the events span."""
    first, last = events["@timestamp"].min(), events["@timestamp"].max()
    if first is None or last is None:
        raise SourceUnusableError("no events to learn from in this time")
    start, end = between
    after: datetime = last + timedelta(microseconds=1)  # type: ignore[assignment, operator]
    return Window(start=start or first, end=end or after)  # type: ignore[arg-type]


def _made(
    options: TrainOptions, events: pl.DataFrame, window: Window, key: Ed25519PrivateKey
) -> Model:
    from models.training.fit import fit  # noqa: PLC0415 - needs the extra

    try:
        fitted = fit(options.kind, events, options.seed)
    except ValueError as error:
        raise SourceUnusableError(f"{options.source}: {error}") from error
    kind = LEARNED[options.kind]
    version = options.version or f"{window.end:%Y%m%dt%H%M%S}-{options.seed}"
    manifest = Manifest(
        kind=kind.name,
        name=options.name,
        version=version,
        window=window,
        features=kind.features or (),
        libraries=library_versions(*_LIBRARIES),
        seed=options.seed,
        metrics={"events": float(events.height)},
    )
    folder = options.out / options.name / version
    return save_model(folder, manifest, fitted.to_tables(), key, expect=LEARNED)


def _tell(
    options: TrainOptions, events: pl.DataFrame, model: Model, key: Ed25519PrivateKey
) -> None:
    manifest = model.manifest
    window = f"{manifest.window.start:%Y-%m-%d %H:%M:%S} to {manifest.window.end:%Y-%m-%d %H:%M:%S}"
    folder = options.out / manifest.name / manifest.version
    typer.echo(f"{manifest.kind} from {events.height:,} events, {window} UTC")
    typer.echo(f"Written: {folder}")
    typer.echo(f"Signed:  {public_text(key.public_key())}")
    typer.echo(f"To use it: trailwarden models promote {manifest.name} {manifest.version}")
