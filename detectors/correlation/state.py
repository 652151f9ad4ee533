"""The state of correlations becomes bytes for a snapshot, and is taken up again from them.

Separate from the fold because a snapshot may be of other rules: state is kept per correlation and
its content hash, so that one that was changed starts anew and the others keep theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl

from detectors.correlation.episode import Episode  # noqa: TC001 - msgspec reads it
from detectors.correlation.first_seen import GROUPS, SEEN, Memory
from detectors.correlation.signals import SIGNALS
from models.packed import packed, unpacked

if TYPE_CHECKING:
    from detectors.correlation.fold import OverTime
    from detectors.correlation.plan import Plan

_EMPTY: Final = pl.DataFrame(schema=SIGNALS)
_ORDER: Final = ("unit", "key", "time", "event", "base", "via")


class SavedOverTime(msgspec.Struct, array_like=True):
    """A state as it stands in a snapshot; frames are Arrow IPC files."""

    correlations: list[str]
    """Content hashes; ``via`` and episodes refer to them by place."""
    units: list[tuple[int, int]]
    """Correlation by place, and number of the unit among those of the correlation."""
    clusters: list[str]
    folded_us: list[int]
    latest_us: list[int]
    since_bound: int
    pending: bytes
    tails: bytes
    waiting: bytes
    seen: bytes
    groups: bytes
    documents: bytes
    episodes: list[tuple[int, int, Episode]]


def save(state: OverTime) -> SavedOverTime:
    """Return a state as a value that a snapshot can hold."""
    state.settle()
    return SavedOverTime(
        [correlation.content_hash for correlation in state.plan.correlations],
        _units(state.plan),
        list(state.clusters),
        state.folded_us,
        state.latest_us,
        state.since_bound,
        packed(state.pending.sort(_ORDER)),
        packed(pl.concat([_EMPTY, *state.tails.values()]).sort(_ORDER)),
        packed(state.waiting.sort(_ORDER)),
        packed(state.memory.seen.sort(SEEN.names())),
        packed(state.memory.groups.sort(GROUPS.names())),
        packed(state.documents.frame().sort("event.id")),
        [(c, key, state.episodes.open[c, key]) for c, key in sorted(state.episodes.open)],
    )


def restore(saved: SavedOverTime, state: OverTime) -> None:
    """Put what a snapshot says into a new state, as far as its correlations are still the same."""
    plan = state.plan
    hashes = [correlation.content_hash for correlation in plan.correlations]
    correlations = {
        old: hashes.index(content)
        for old, content in enumerate(saved.correlations)
        if content in hashes
    }
    now = {unit: index for index, unit in enumerate(_units(plan))}
    units = {
        old: now[correlations[own], part]
        for old, (own, part) in enumerate(saved.units)
        if own in correlations and (correlations[own], part) in now
    }
    state.clusters = {name: number for number, name in enumerate(saved.clusters)}
    state.folded_us, state.latest_us = list(saved.folded_us), list(saved.latest_us)
    state.since_bound = saved.since_bound
    state.pending = _renumbered(unpacked(saved.pending), units, correlations).select(
        SIGNALS.names()
    )
    tails = _renumbered(unpacked(saved.tails), units, correlations)
    state.take_tails(tails.select(SIGNALS.names()))
    state.waiting = _renumbered(unpacked(saved.waiting), units, correlations).select(
        SIGNALS.names()
    )
    state.memory = Memory(
        _renumbered(unpacked(saved.seen), units, {}),
        _renumbered(unpacked(saved.groups), units, {}),
    )
    state.documents.restore(unpacked(saved.documents))
    state.episodes.open = {
        (correlations[own], key): episode
        for own, key, episode in saved.episodes
        if own in correlations
    }


def _units(plan: Plan) -> list[tuple[int, int]]:
    parts: dict[int, int] = {}
    found = []
    for correlation in plan.units["correlation"]:
        part = parts.get(correlation, 0)
        parts[correlation] = part + 1
        found.append((correlation, part))
    return found


def _renumbered(
    frame: pl.DataFrame, units: dict[int, int], correlations: dict[int, int]
) -> pl.DataFrame:
    kept = frame.filter(pl.col("unit").is_in(list(units)))
    new = pl.col("unit").replace_strict(units, return_dtype=pl.UInt32) if units else pl.col("unit")
    kept = kept.with_columns(new)
    if "via" not in frame.columns or not correlations:
        return kept
    via = pl.col("via").replace_strict(correlations, default=None, return_dtype=pl.UInt32)
    return kept.with_columns(via)
