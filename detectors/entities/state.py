"""The entity memory becomes bytes for a snapshot, and is taken up again from them.

Separate from the memory so that what is kept in a snapshot stands in one place. Equal states give
equal bytes: rows are in an order of their own, whatever batches they came in. Keys are hashes of
this process's Polars; where another one hashes otherwise, they are made anew from the names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import polars as pl

from detectors.entities.facts import FACTS
from detectors.entities.table import Table, hashed
from models.packed import packed, unpacked

if TYPE_CHECKING:
    from detectors.entities.memory import EntityMemory
    from detectors.entities.ordered import Entities


_BOUNDS = ("expired", "ended", "history", "rows")
"""Counters that follow from the sequence of facts; of what was refused, repeats count with a
batch."""


_NULL = -1
"""Stands for no lag; one that is known is never negative."""


class SavedMemory(msgspec.Struct, array_like=True):
    """The memory of one cluster; frames are Arrow IPC files."""

    folded_us: int
    since_bound: int
    evicted: dict[str, int]
    base: bytes
    recent: bytes
    names: bytes
    recent_names: bytes


class SavedEntities(msgspec.Struct, array_like=True):
    """The memory of all clusters as it stands in a snapshot."""

    clusters: dict[str, SavedMemory]
    pending: bytes


def save(state: Entities) -> SavedEntities:
    """Return a state as a value that a snapshot can hold."""
    return SavedEntities(
        {name: save_memory(state.clusters[name]) for name in sorted(state.clusters)},
        _packed(state.pending.sort("cluster", "time", "event", "relation", "subject", "object")),
    )


def restore(saved: SavedEntities, state: Entities) -> None:
    """Put what a snapshot says into a new state."""
    state.pending = _unpacked(saved.pending).select(FACTS.names())
    for name, memory in saved.clusters.items():
        restore_memory(memory, state.memory(name))


def save_memory(memory: EntityMemory) -> SavedMemory:
    """Return the memory of one cluster as a value."""
    table = memory.table
    return SavedMemory(
        memory.folded_us,
        memory.since_bound,
        {name: memory.evicted[name] for name in _BOUNDS if memory.evicted[name]},
        _packed(table.base),
        _packed(table.recent()),
        _packed(table.names),
        _packed(table.recent_names()),
    )


def restore_memory(saved: SavedMemory, memory: EntityMemory) -> None:
    """Put what was saved of a cluster into a new memory."""
    memory.folded_us, memory.since_bound = saved.folded_us, saved.since_bound
    memory.evicted.update(saved.evicted)
    names, recent_names = _unpacked(saved.names), _unpacked(saved.recent_names)
    base, recent = _unpacked(saved.base), _unpacked(saved.recent)
    keys = pl.concat([names, recent_names]).with_columns(hashed(pl.col("name")).alias("new"))
    if not keys["who"].equals(keys["new"]):
        base, recent, names, recent_names = (
            _rekeyed(frame, keys) for frame in (base, recent, names, recent_names)
        )
    memory.table = Table.of(base, recent, names, recent_names)


def _rekeyed(frame: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """Replace keys by those of this process; rows of one subject stay together, in their order."""
    new = frame.join(keys.select("who", "new"), on="who", how="left", maintain_order="left")
    renamed = new.with_columns(pl.col("new").alias("who")).drop("new")
    return renamed.sort("who", maintain_order=True)


def _packed(frame: pl.DataFrame) -> bytes:
    """Return a frame as `packed` does, without nulls."""
    lag = [pl.col("lag").fill_null(_NULL)] if "lag" in frame.columns else []
    return packed(frame.with_columns(lag))


def _unpacked(data: bytes) -> pl.DataFrame:
    frame = unpacked(data)
    if "lag" not in frame.columns:
        return frame
    return frame.with_columns(pl.when(pl.col("lag") != _NULL).then("lag").alias("lag"))
