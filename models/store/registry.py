"""A folder of models by name and version: which there are, which is used, and how that changes.

    FOLDER/<name>/<version>/manifest.json ...
    FOLDER/<name>/current.json

Separate from loading one model because only here versions are compared. Whatever becomes the
champion was loaded first, by the same checks as a worker's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec.structs import replace

from models.store.load import Model, load_model
from models.store.manifest import is_name
from models.store.pointer import KEPT, Pointer, Promoted, locked, read_pointer, write_pointer
from models.store.refusal import ModelRefusedError, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from models.store.kind import Kind


class Role(StrEnum):
    """What a version is used for."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"


@dataclass(frozen=True, slots=True)
class Registry:
    """Models in a folder, whose signatures count, and the kinds that this program has."""

    folder: Path
    trusted_keys: Sequence[Ed25519PublicKey]
    expect: Mapping[str, Kind]

    def names(self) -> list[str]:
        """Return the names of models."""
        return _folders(self.folder)

    def versions(self, name: str) -> list[str]:
        """Return the versions of a model."""
        return _folders(self._of(name))

    def pointer(self, name: str) -> Pointer:
        """Return what is in use of a model."""
        return read_pointer(self._of(name))

    def load(self, name: str, version: str) -> Model:
        """Load a version.

        Raises
            ModelRefusedError: it is refused, or says that it is another.
        """
        model = load_model(self._of(name) / _plain(version), self.trusted_keys, expect=self.expect)
        said = (model.manifest.name, model.manifest.version)
        if said != (name, version):
            detail = f"{name} {version} says that it is {said[0]} {said[1]}"
            raise ModelRefusedError(Reason.BAD_MANIFEST, detail)
        return model

    def current(self, name: str, role: Role = Role.CHAMPION) -> Model:
        """Load what is in use.

        Raises
            ModelRefusedError: nothing is, or it is refused, or it is not what was promoted.
        """
        pointer = self.pointer(name)
        used = pointer.champion if role is Role.CHAMPION else pointer.challenger
        if used is None:
            raise ModelRefusedError(Reason.NOT_PROMOTED, f"{name} has no {role.value}")
        return self._promoted(name, used)

    def promote(self, name: str, version: str, role: Role = Role.CHAMPION) -> Pointer:
        """Put a version to use, once it was loaded; return what is in use now.

        Raises
            ModelRefusedError: it is refused; what is in use stays.
        """
        new = Promoted(version, self.load(name, version).sha256)
        with locked(self._of(name)):
            pointer = self.pointer(name)
            changed = _promoted(pointer, new, role)
            if changed != pointer:
                write_pointer(self._of(name), changed)
        return changed

    def rollback(self, name: str) -> Pointer:
        """Put the champion before this one to use again; return what is in use now.

        Raises
            ModelRefusedError: there is none before, or it is refused; what is in use stays.
        """
        self._require(name)
        with locked(self._of(name)):
            pointer = self.pointer(name)
            if not pointer.before:
                raise ModelRefusedError(Reason.NOT_PROMOTED, f"{name} has no champion before")
            first, *others = pointer.before
            self._promoted(name, first)
            changed = replace(pointer, champion=first, before=tuple(others))
            write_pointer(self._of(name), changed)
        return changed

    def withdraw(self, name: str) -> Pointer:
        """Let a model have no challenger; return what is in use now."""
        self._require(name)
        with locked(self._of(name)):
            changed = replace(self.pointer(name), challenger=None)
            write_pointer(self._of(name), changed)
        return changed

    def _promoted(self, name: str, used: Promoted) -> Model:
        model = self.load(name, used.version)
        if model.sha256 != used.sha256:
            detail = f"{name} {used.version} is another model than the one that was promoted"
            raise ModelRefusedError(Reason.NOT_PROMOTED, detail)
        return model

    def _of(self, name: str) -> Path:
        return self.folder / _plain(name)

    def _require(self, name: str) -> None:
        if not self._of(name).is_dir():
            raise ModelRefusedError(Reason.NOT_PROMOTED, f"there is no model {name!r}")


def _promoted(pointer: Pointer, new: Promoted, role: Role) -> Pointer:
    if role is Role.CHALLENGER:
        return replace(pointer, challenger=new)
    challenger = None if pointer.challenger == new else pointer.challenger
    if pointer.champion == new:
        return replace(pointer, challenger=challenger)
    before = pointer.before if pointer.champion is None else (pointer.champion, *pointer.before)
    return Pointer(champion=new, challenger=challenger, before=before[:KEPT])


def _plain(name: str) -> str:
    if not is_name(name):
        raise ModelRefusedError(Reason.NOT_PROMOTED, f"{name[:80]!r} is no plain name")
    return name


def _folders(folder: Path) -> list[str]:
    """Return the names of folders within one, oldest version first where they count up."""
    if not folder.is_dir():
        return []
    found = [entry.name for entry in folder.iterdir() if is_name(entry.name) and entry.is_dir()]
    return sorted(found, key=lambda name: (len(name), name))
