"""One partition in a worker's hands: where it stands in the log, and the state folded so far.

Separate because a partition is the unit of ownership: it is taken over, checkpointed and given up
alone, and its snapshot holds all that its next owner must know.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from detectors.correlation.fold import OverTime
from detectors.correlation.plan import plan_for
from detectors.correlation.released import Released
from detectors.remembered import Remembered, SavedRemembered, restore, save
from detectors.sigma.pack import Pack
from worker.cluster_memory import LATENESS_US, ClusterMemory, Saved

if TYPE_CHECKING:
    from detectors.ruleset import Ruleset
    from sinks.archive import Segment
    from worker.takeover import Segments

STATE_SCHEMA: Final = 4
"""Raised whenever a snapshot's layout or meaning changes: an older one is then not loaded."""

QUIET_US: Final = 600_000_000
"""Whose time is so far behind the others' holds up nothing across clusters: it may never speak
again. Longer than a collector's restart; what it sends later is late there, nowhere else."""


def nothing_remembered() -> Remembered:
    """Return the state of a worker without rules that need any."""
    return Remembered(OverTime(plan_for(Pack())))


class Snapshot(msgspec.Struct, array_like=True):
    """A partition's state after all records before ``offset``."""

    schema: int
    offset: int
    clusters: dict[str, Saved]
    remembered: SavedRemembered


class SnapshotReference(msgspec.Struct):
    """What is committed beside an offset: which snapshot to begin from (Kafka keeps 4 KB).

    ``offset`` is the S of the design: records from there to the committed offset are folded again.
    """

    snapshot: str
    offset: int
    sha256: str
    schema: int
    pack: str


@dataclass(slots=True)
class Partition:
    """A partition between two checkpoints.

    ``position`` is the next offset to fold. Below ``sinks_from`` (what the group has committed)
    records only fold; below ``archived`` (the archive's next) they are detected, not archived.
    """

    number: int
    position: int
    sinks_from: int
    archived: int
    last_segment: Segment | None = None
    memories: dict[str, ClusterMemory] = field(default_factory=dict)
    writer: Segments | None = None
    reference: SnapshotReference | None = None
    snapshot_time_s: float = 0.0
    records: int = 0
    gap_at: int | None = None
    remembered: Remembered = field(default_factory=nothing_remembered)
    released_s: float = 0.0
    """Monotonic time at which events over time were folded last."""
    release_took_s: float = 0.0
    """How long that took."""

    def memory(self, cluster: str) -> ClusterMemory:
        """Return a cluster's memory, a new one for a cluster not seen before."""
        return self.memories.setdefault(cluster, ClusterMemory())

    def snapshot(self) -> bytes:
        """Return the state as bytes: equal states give equal bytes."""
        clusters = {name: self.memories[name].save() for name in sorted(self.memories)}
        remembered = save(self.remembered)
        return msgspec.msgpack.encode(Snapshot(STATE_SCHEMA, self.position, clusters, remembered))

    def restore(self, data: bytes) -> bool:
        """Take the state over from a snapshot; False if it is of another schema or no snapshot."""
        try:
            found = msgspec.msgpack.decode(data, type=Snapshot)
        except msgspec.MsgspecError:
            return False
        if found.schema != STATE_SCHEMA:
            return False
        self.position = found.offset
        self.memories = {name: ClusterMemory.restore(s) for name, s in found.clusters.items()}
        restore(found.remembered, self.remembered)
        return True

    def watermarks(self) -> dict[str, int]:
        """Return the time that each cluster's records have passed, microseconds of Unix time."""
        return {name: one.newest_us - LATENESS_US for name, one in self.memories.items()}

    def passed_us(self) -> int | None:
        """Return the time that all clusters have passed, as far as they are alive.

        A cluster is when it is not far behind the newest of the partition: canaries, or the alarm
        that there are none, move the time of a quiet one. None: no cluster was heard of.
        """
        times = [one.newest_us for one in self.memories.values() if one.newest_us]
        newest_us = max(times, default=0)
        alive = [time_us for time_us in times if time_us >= newest_us - QUIET_US]
        return min(alive) - LATENESS_US if alive else None

    def release(self, now_s: float) -> Released:
        """Fold what the watermarks have passed; nothing of it where others answered for it."""
        self.released_s = now_s
        released = self.remembered.release(self.watermarks())
        return released if self.position > self.sinks_from else Released()

    def take_rules(self, rules: Ruleset) -> None:
        """Go on with other rules: what is still the same keeps its state."""
        new = rules.remembered()
        new.take(self.remembered)
        self.remembered = new

    def is_dirty(self) -> bool:
        """Whether anything was done that a checkpoint would make safe."""
        return self.position > self.sinks_from


def read_reference(metadata: str) -> SnapshotReference | None:
    """Read what was committed beside an offset; None where it is missing or not ours."""
    try:
        return msgspec.json.decode(metadata, type=SnapshotReference)
    except msgspec.MsgspecError:
        return None


def write_reference(reference: SnapshotReference | None) -> str:
    """Return the text to commit beside an offset."""
    return "" if reference is None else msgspec.json.encode(reference).decode()
