"""The state of a learned detector becomes bytes for a snapshot, and is taken up again from them.

Separate from the learning, as that of correlations is; frames are Arrow IPC files, never pickled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl

from detectors.anomaly.learned import WAITING
from detectors.anomaly.runs import Run  # noqa: TC001 - msgspec reads it
from detectors.anomaly.verdicts import SavedVerdicts  # noqa: TC001 - msgspec reads it
from detectors.columns import whole
from models.packed import packed, unpacked
from models.profile.action_key import CLUSTER, sightings_schema
from models.profile.budget import Calibration  # noqa: TC001 - msgspec reads it
from models.profile.counts import Counts
from models.profile.drift import Drift
from models.profile.told import Told  # noqa: TC001 - msgspec reads it

if TYPE_CHECKING:
    from detectors.anomaly.learned import Learned

VERSION: Final = 4
"""Raised whenever what is remembered changes its meaning: an older state is then not loaded."""

_ORDER: Final = ("tick", "order", "event.id")


class SavedLearned(msgspec.Struct, array_like=True):
    """A state as it stands in a snapshot."""

    version: int
    clusters: dict[int, str]
    passed: dict[int, int]
    calibrations: dict[int, Calibration]
    counts: bytes
    pending: bytes
    waiting: bytes
    drift: tuple[bytes, bytes, bytes, dict[int, int]]
    runs: list[tuple[int, int, Run]]
    blamed: list[tuple[int, str, str]]
    verdicts: SavedVerdicts
    told: Told


def save(state: Learned) -> SavedLearned:
    """Return a state as a value that a snapshot can hold; equal states give equal values."""
    return SavedLearned(
        VERSION,
        dict(sorted(state.clusters.items())),
        dict(sorted(state.passed.items())),
        {cluster: one.sorted() for cluster, one in sorted(state.calibrations.items())},
        state.counts.save(),
        packed(state.pending.sort(_ORDER)),
        packed(state.waiting.sort(WAITING.names())),
        state.drift.save(),
        [(cluster, who, run) for (cluster, who), run in sorted(state.runs.open.items())],
        sorted(state.blame.minutes),
        state.verdicts.save(),
        state.told.copy(),
    )


def restore(saved: SavedLearned, state: Learned) -> bool:
    """Put what a snapshot says into a new state; False if it is of another version."""
    if saved.version != VERSION:
        return False
    state.clusters, state.passed = dict(saved.clusters), dict(saved.passed)
    state.calibrations = dict(saved.calibrations)
    state.counts.restore(saved.counts)
    # Exceptions may read other columns now.
    state.pending = whole(unpacked(saved.pending), sightings_schema(state.shown))
    state.waiting = unpacked(saved.waiting).select(WAITING.names())
    state.drift.restore(saved.drift)
    state.runs.open = {(cluster, who): run for cluster, who, run in saved.runs}
    state.blame.minutes = set(saved.blamed)
    state.verdicts.restore(saved.verdicts)
    state.told = saved.told
    return True


def begin_anew(state: Learned) -> None:
    """Let a model take the place of what was learned; what was told and decided stays.

    Of clusters that the model does not know nothing is known then: what was learned is not mixed.
    """
    state.counts, state.drift = Counts(state.learning.limit_rows), Drift()
    state.calibrations, state.waiting = {}, state.waiting.clear()
    for cluster in sorted(state.clusters):
        state.take_up(cluster)
    passed = {name: state.passed.get(number, 0) for number, name in state.clusters.items()}
    if passed:
        ends = state.pending[CLUSTER].fill_null("").replace_strict(passed, return_dtype=pl.Int64)
        state.pending = state.pending.filter(state.pending["tick"] >= ends)
