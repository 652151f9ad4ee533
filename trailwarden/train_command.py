"""Options of `train` in, a signed model and an exit code out.

Separate from the options so that they can be shown without loading what training needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import typer

from detectors.sigma.errors import InvalidRulesError
from models.learned import LEARNED
from models.profile.model import PROFILE_KIND
from models.store import (
    Manifest,
    ModelExistsError,
    ModelRefusedError,
    library_versions,
    save_model,
)
from models.store.keys import KeyUnusableError, public_text, read_private_key
from trailwarden.exit_code import ExitCode
from trailwarden.fitting import Wanted, fitted
from trailwarden.training_source import (
    SourceUnusableError,
    has_extra,
    read_span,
    steps,
    told,
)
from worker.configuration import InvalidSettingsError, load_settings
from worker.rulesets import load_ruleset

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from detectors.ruleset import Ruleset
    from models.store import Model
    from trailwarden.fitting import Fitted
    from worker.configuration import Settings

_LIBRARIES: Final = ("polars", "pyarrow")
_OF_TRAINING: Final = ("scikit-learn", "numpy")
"""Those that only some kinds are fitted with."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What was given on the command line."""

    source: str | None
    """None: the archive of the settings."""
    key: Path
    kind: str
    start: str | None
    end: str | None
    seed: int
    hold_out: float
    cluster: str | None
    name: str
    version: str | None
    out: Path | None
    """None: the folder of the settings."""
    config: Path | None


def run_train(options: TrainOptions) -> ExitCode:
    """Fit a model, write it and say where it is.

    Raises
        typer.BadParameter: options that cannot be used; exit code 2.
    """
    if options.kind != PROFILE_KIND and not has_extra():
        return ExitCode.USAGE
    between = read_span(options.start, options.end)
    try:
        key = read_private_key(options.key)
    except KeyUnusableError as error:
        raise typer.BadParameter(
            f"--key {error}; `trailwarden models key FILE` makes one"
        ) from None
    try:
        settings = load_settings(options.config)
        rules = _rules(options, settings)
    except (InvalidSettingsError, InvalidRulesError) as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.USAGE
    source = options.source or str(settings.store.folder / "archive")
    out = options.out or settings.models.folder
    wanted = Wanted(
        options.kind, source, options.cluster, between, options.seed, options.hold_out, rules
    )
    try:
        with steps() as step:
            made = fitted(wanted, step)
            step("Writing")
            model = _saved(options, made, out, key)
    except (SourceUnusableError, ModelRefusedError, ModelExistsError, OSError) as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.INPUT_UNREADABLE
    manifest = model.manifest
    _tell(options, made, model, out / manifest.name / manifest.version)
    typer.echo(f"Signed:  {public_text(key.public_key())}")
    typer.echo(f"To use it: trailwarden models promote {manifest.name} {manifest.version}")
    return told(made.unread)


def _rules(options: TrainOptions, settings: Settings) -> Ruleset | None:
    """Return the rules of the service, whose findings a profile does not learn."""
    if options.kind != PROFILE_KIND:
        return None
    return load_ruleset(settings.worker.rules, settings, options.config, learns=False)


def _saved(options: TrainOptions, made: Fitted, out: Path, key: Ed25519PrivateKey) -> Model:
    kind = LEARNED[options.kind]
    version = options.version or f"{made.window.end:%Y%m%dt%H%M%S}-{options.seed}"
    used = _LIBRARIES if options.kind == PROFILE_KIND else (*_LIBRARIES, *_OF_TRAINING)
    manifest = Manifest(
        kind=kind.name,
        name=options.name,
        version=version,
        window=made.window,
        features=kind.features or (),
        libraries=library_versions(*used),
        seed=options.seed,
        metrics=dict(made.metrics),
    )
    return save_model(out / options.name / version, manifest, made.tables, key, expect=LEARNED)


def _tell(options: TrainOptions, made: Fitted, model: Model, folder: Path) -> None:
    manifest = model.manifest
    window = f"{manifest.window.start:%Y-%m-%d %H:%M:%S} to {manifest.window.end:%Y-%m-%d %H:%M:%S}"
    typer.echo(f"{manifest.kind} from {made.events:,} events, {window} UTC")
    for line in _tried(made, options.hold_out):
        typer.echo(line)
    typer.echo(f"Written: {folder}")


def _tried(made: Fitted, share: float) -> list[str]:
    """Say how the model did on the end of the time, before it learned that too."""
    metrics = made.metrics
    if not metrics.get("held_out_events"):
        return []
    first = f"Tried on the last {share:.0%} of the time, {metrics['held_out_events']:,.0f} events:"
    if "held_out_findings" in metrics:
        found = f"{metrics['held_out_findings']:,.0f} findings"
        return [f"{first} {found}, {metrics['held_out_findings_a_day']:,.1f} a day"]
    over = f"{metrics['held_out_over_p99']:.1%} of {metrics['held_out_units']:,.0f} units"
    return [f"{first} {over} stranger than 99% of those before"]
