"""The learned models that `trailwarden train` makes: their kinds, and what reads each.

Separate from `models.kinds`, which lists every kind for the store, because these have one more
thing in common: they score events (`models.scored.Scorer`).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from models.login import LOGIN, LoginModel
from models.login_attempts import LOGIN_COLUMNS
from models.profile.model import PROFILE, PROFILE_COLUMNS, ProfileModel
from models.session.atoms import SESSION_COLUMNS
from models.session.model import SESSION_FOREST, SESSION_HISTOGRAM, SessionModel
from models.volume import VOLUME, VOLUME_COLUMNS, VolumeModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.store import Model
    from models.store.kind import Kind

AnyModel: TypeAlias = SessionModel | VolumeModel | LoginModel | ProfileModel

_READERS: Final[Mapping[str, type[AnyModel]]] = {
    SESSION_FOREST.name: SessionModel,
    SESSION_HISTOGRAM.name: SessionModel,
    VOLUME.name: VolumeModel,
    LOGIN.name: LoginModel,
    PROFILE.name: ProfileModel,
}

LEARNED: Final[Mapping[str, Kind]] = MappingProxyType(
    {kind.name: kind for kind in (SESSION_FOREST, SESSION_HISTOGRAM, VOLUME, LOGIN, PROFILE)}
)

LEARNED_COLUMNS: Final = tuple(
    sorted({*SESSION_COLUMNS, *VOLUME_COLUMNS, *LOGIN_COLUMNS, *PROFILE_COLUMNS})
)
"""The event columns that any of them reads."""


def scorer_of(model: Model) -> AnyModel:
    """Return what scores events with a stored model.

    Raises
        KeyError: it is of a kind that scores no events.
    """
    return _READERS[model.manifest.kind].from_tables(model.tables)
