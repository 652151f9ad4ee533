"""`trailwarden models verify|promote|rollback|key`: what is in use changes, or is checked.

Separate from listing and showing because these act, or say whether acting would be safe.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import typer

from detectors.message import printable
from models.store import ModelRefusedError
from models.store.keys import make_key
from models.store.registry import Role
from trailwarden.exit_code import ExitCode
from trailwarden.models_place import with_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from models.store.pointer import Pointer
    from models.store.registry import Registry
    from trailwarden.models_place import Place


def run_verify(place: Place, name: str | None, version: str | None) -> ExitCode:
    """Load what is wanted and what is in use; a line for each that is refused."""

    def run(registry: Registry) -> ExitCode:
        checked, refused = 0, 0
        for title, load in _wanted(registry, name, version):
            checked += 1
            try:
                load()
            except ModelRefusedError as error:
                refused += 1
                typer.echo(f"{printable(title)}: {error}")
        if not checked:
            typer.echo("trailwarden: there is no such model", err=True)
            return ExitCode.INPUT_UNREADABLE
        if refused:
            typer.echo(f"{refused} of {checked} are refused", err=True)
            return ExitCode.INPUT_UNREADABLE
        typer.echo(f"{checked} are what was signed, and can be used")
        return ExitCode.OK

    return with_registry(place, run)


def _wanted(
    registry: Registry, name: str | None, version: str | None
) -> Iterator[tuple[str, Callable[[], object]]]:
    for one in registry.names() if name is None else [name]:
        for held in registry.versions(one) if version is None else [version]:
            yield f"{one} {held}", partial(registry.load, one, held)
        if version is None and registry.versions(one):
            yield f"{one} in use", partial(_load_used, registry, one)


def _load_used(registry: Registry, name: str) -> None:
    pointer = registry.pointer(name)
    for role, used in ((Role.CHAMPION, pointer.champion), (Role.CHALLENGER, pointer.challenger)):
        if used is not None:
            registry.current(name, role)


def run_promote(place: Place, name: str, version: str, *, is_challenger: bool) -> ExitCode:
    """Put a version to use and say what is."""
    role = Role.CHALLENGER if is_challenger else Role.CHAMPION

    def run(registry: Registry) -> ExitCode:
        _say(name, registry.promote(name, version, role))
        return ExitCode.OK

    return with_registry(place, run)


def run_rollback(place: Place, name: str, *, is_challenger: bool) -> ExitCode:
    """Go back by one champion, or let there be no challenger, and say what is in use."""

    def run(registry: Registry) -> ExitCode:
        _say(name, registry.withdraw(name) if is_challenger else registry.rollback(name))
        return ExitCode.OK

    return with_registry(place, run)


def _say(name: str, pointer: Pointer) -> None:
    champion = "none" if pointer.champion is None else pointer.champion.version
    challenger = "none" if pointer.challenger is None else pointer.challenger.version
    typer.echo(f"{printable(name)}: champion {champion}, challenger {challenger}")


def run_key(file: Path) -> ExitCode:
    """Write a new private key and print its public key."""
    try:
        typer.echo(make_key(file))
    except OSError as error:
        typer.echo(f"trailwarden: {file}: {error.strerror}", err=True)
        return ExitCode.INPUT_UNREADABLE
    return ExitCode.OK
