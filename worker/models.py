"""Settings in, the models that are in use out: champion and challenger of the profile detector.

Separate from what runs them because a model is loaded once, at start, by the one order of checks
(`models.store.load`), and a service that cannot trust its model does not start.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from models.kinds import KINDS
from models.profile.model import PROFILE_KIND
from models.profile.profile_tables import from_tables
from models.store.keys import KeyUnusableError, parse_public
from models.store.refusal import ModelRefusedError, Reason
from models.store.registry import Registry, Role
from worker.configuration import InvalidSettingsError

if TYPE_CHECKING:
    from models.profile.profile import Profile
    from models.store.manifest import Manifest
    from worker.detection_settings import Models


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A model as a detector begins with it."""

    version: str
    """NAME/VERSION, as findings name it."""
    profile: Profile


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModels:
    """What is in use; None: nothing was promoted, and the detector begins with nothing."""

    champion: Trained | None = None
    challenger: Trained | None = None
    """Runs beside the champion and stays silent."""


def load_models(settings: Models) -> LoadedModels:
    """Load what was promoted.

    Raises
        InvalidSettingsError: what is in use is refused, or cannot be checked: no key is trusted,
            or one is none. The message names the model, its role and the reason.

    Cost: the size of the files, once; all partitions share what was loaded.
    """
    name = settings.profile
    try:
        registry = _registry(settings)
        if registry is None:
            return LoadedModels()
        pointer = registry.pointer(name)
    except (ModelRefusedError, OSError) as error:
        raise InvalidSettingsError(f"models: {name}: {error}") from error
    return LoadedModels(
        champion=_trained(registry, name, Role.CHAMPION) if pointer.champion else None,
        challenger=_trained(registry, name, Role.CHALLENGER) if pointer.challenger else None,
    )


def _registry(settings: Models) -> Registry | None:
    if not (settings.folder / settings.profile).is_dir():
        return None
    try:
        keys = [parse_public(text) for text in settings.trusted_keys]
    except KeyUnusableError as error:
        raise InvalidSettingsError(f"models.trusted_keys: {error}") from error
    return Registry(settings.folder, keys, KINDS)


def _trained(registry: Registry, name: str, role: Role) -> Trained:
    if not registry.trusted_keys:
        said = f"models.trusted_keys is empty, and {name} is in use: no model is trusted"
        raise InvalidSettingsError(said)
    try:
        model = registry.current(name, role)
        _require_profile(model.manifest)
    except (ModelRefusedError, OSError) as error:
        raise InvalidSettingsError(f"models: {name}, the {role.value}: {error}") from error
    version = f"{name}/{model.manifest.version}"
    return Trained(version, replace(from_tables(model.tables), name=version))


def _require_profile(manifest: Manifest) -> None:
    if manifest.kind != PROFILE_KIND:
        detail = f"{manifest.version} is of kind {manifest.kind!r}, not a profile"
        raise ModelRefusedError(Reason.UNKNOWN_KIND, detail)
