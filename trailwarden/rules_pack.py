"""Options that all `rules` commands share become a pack; a name becomes its detection.

Separate because each command has its own module, and they all begin so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import typer

from detectors.case_check import with_own_cases
from detectors.sigma.compiler import load_pack
from detectors.sigma.errors import InvalidRulesError
from trailwarden.exit_code import ExitCode
from worker.configuration import InvalidSettingsError, load_settings
from worker.settings import shipped_rules
from worker.site import site_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from detectors.sigma.pack import Detection, Pack
    from detectors.site import Site

SHIPPED: Final = "default"
BASES: Final = "bases"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The pack that was asked for."""

    pack: Pack
    folders: tuple[Path, ...]
    site: Site


def load(folders: Sequence[Path], config: Path | None) -> Loaded:
    """Return the pack of ``folders``; the shipped rules where there are none.

    Raises ``typer.Exit`` with code 2 after saying what is wrong, all of it.
    """
    site = site_in(config)
    chosen = folders_of(folders)
    try:
        return Loaded(load_pack(chosen, site), chosen, site)
    except InvalidRulesError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(ExitCode.USAGE) from error


def folders_of(folders: Sequence[Path]) -> tuple[Path, ...]:
    """Return the folders of rules; ``default`` stands for the shipped ones."""
    chosen = [shipped_rules() if str(path) == SHIPPED else path for path in folders]
    for path in chosen:
        if not path.exists():
            raise typer.BadParameter(f"--rules {path}: no such file or folder")
    return tuple(chosen) or (shipped_rules(),)


def site_in(config: Path | None) -> Site:
    """Return what the settings say of the site; the defaults where there is no file.

    Raises ``typer.Exit`` with code 2 after saying what is wrong.
    """
    try:
        return site_of(load_settings(config))
    except InvalidSettingsError as error:
        typer.echo(f"trailwarden: {error}", err=True)
        raise typer.Exit(ExitCode.USAGE) from error


def bases_of(rule: Path, folders: Iterable[Path]) -> Path:
    """Return where the base records of a rule's cases are: beside or above it, else the shipped.

    The nearest folder ``bases`` on the way up to one of ``folders`` counts.
    """
    roots = {folder.resolve() for folder in folders}
    for folder in rule.resolve().parents:
        if (folder / BASES).is_dir():
            return folder / BASES
        if folder in roots:
            break
    return shipped_rules() / BASES


def called(detections: Iterable[Detection], name: str) -> list[Detection]:
    """Return what is called ``name``: by its file, its name or its id; else whose id begins so."""
    every = list(detections)
    exact = [one for one in every if name in {one.id, one.name, one.file.stem}]
    begun = [one for one in every if one.id.startswith(name.lower())] if name else []
    return exact or begun


def only_called(pack: Pack, name: str) -> Detection:
    """Return the one detection that is called ``name``; else say so and exit with code 1.

    A file's name means the detection that the others in the file are there for.
    """
    every: tuple[Detection, ...] = (*pack.rules, *pack.correlations, *pack.waiting)
    found = called(with_own_cases(pack), name) or called(every, name)
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(f"{one.file.stem} ({one.id[:8]})" for one in found[:5])
        typer.echo(f"trailwarden: {len(found)} rules are called so: {several}", err=True)
    else:
        typer.echo(f"trailwarden: no rule is called {name!r}", err=True)
    raise typer.Exit(ExitCode.INPUT_UNREADABLE)
