"""Models of every kind, trained on the same two hours: what the contract is asked of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.anomaly.training import Training
from models.learned import LEARNED
from models.profile.model import PROFILE, ProfileModel
from models.store import Manifest, Window
from models.training.fit import fit
from tests.models.event_rows import MONDAY

if TYPE_CHECKING:
    import polars as pl

    from models.learned import AnyModel


def trained(kind: str, events: pl.DataFrame, seed: int = 7) -> AnyModel:
    """Train as `trailwarden train` does: a profile by the detector, others by fitting.

    Raises
        ValueError: there is nothing to learn from.
    """
    return profile(events) if kind == PROFILE.name else fit(kind, events, seed)


def profile(events: pl.DataFrame) -> ProfileModel:
    times = events["@timestamp"].drop_nulls().to_physical()
    if times.is_empty():
        raise ValueError("nothing to learn from")
    training = Training(tried_from_us=int(times[-1]))
    training.add(events)
    return ProfileModel.of(training.profile(int(times.sort()[-1]) + 1))


def manifest_of(kind: str) -> Manifest:
    return Manifest(
        kind=kind,
        name=kind,
        version="1",
        window=Window(start=MONDAY, end=MONDAY.replace(hour=10)),
        features=LEARNED[kind].features or (),
        libraries={},
        seed=7,
    )
