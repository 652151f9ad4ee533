"""Everything that a partition remembers, as one value: rules over time, entities, what is normal.

Separate so that whoever feeds events (the scan, the service, a replay, a notebook, a case) has one
state to add to, release, save and restore, however many kinds of memory there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from detectors.anomaly import learners as learners_state
from detectors.anomaly.learners import SavedLearners  # noqa: TC001 - msgspec reads it
from detectors.columns import nulls_of
from detectors.correlation import state as over_time_state
from detectors.correlation.released import Released
from detectors.correlation.state import SavedOverTime  # noqa: TC001 - msgspec reads it
from detectors.entities import state as entity_state
from detectors.entities.recalled import RECALLED_DTYPES
from detectors.entities.state import SavedEntities  # noqa: TC001 - msgspec reads it
from detectors.recalling import earlier, held_from, held_to

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping

    import polars as pl

    from detectors.anomaly.learners import Learners
    from detectors.correlation.fold import OverTime
    from detectors.recalling import Recalling


class SavedRemembered(msgspec.Struct, array_like=True):
    """What a partition remembers, as it stands in a snapshot."""

    over_time: SavedOverTime
    entities: SavedEntities | None
    held: bytes
    """Events that wait for the entity memory, an Arrow IPC file."""
    learners: SavedLearners | None = None


class Remembered:
    """The state of all rules that need more than one event, for the clusters of a partition."""

    def __init__(
        self,
        over_time: OverTime,
        recalling: Recalling | None = None,
        learners: Learners | None = None,
    ) -> None:
        self.over_time = over_time
        self.learners = learners
        """None where nothing is learned: it then costs nothing."""
        self.recalling = recalling
        """None where no rule asks the entity memory: it then costs nothing."""
        shown = (*over_time.plan.read, *over_time.plan.columns)
        blank = [name for name in RECALLED_DTYPES if name in shown]
        self._blank = nulls_of(blank, RECALLED_DTYPES)
        self.added = 0
        """Events since the last release."""

    @property
    def is_needed(self) -> bool:
        """Whether any rule or detector needs state."""
        parts = (self.recalling, self.learners)
        return bool(self.over_time.plan.feeds) or any(part is not None for part in parts)

    @property
    def evicted(self) -> Counter[str]:
        """What was dropped for the sake of the bounds so far, by what it was."""
        counts = self.over_time.evicted.copy()
        if self.recalling:
            counts.update(self.recalling.evicted)
            counts.update(self.recalling.entities.evicted())
        if self.learners:
            counts.update(self.learners.evicted)
        return counts

    def add(
        self,
        events: pl.DataFrame,
        hits: pl.DataFrame,
        late: pl.Series | None = None,
        flagged: pl.Series | None = None,
    ) -> None:
        """Take a batch: see `OverTime.add`, `Recalling.add` and `Learners.add`.

        A hit of a rule that asks is none yet: it is counted once the memory has passed its event.

        Parameters
            flagged: event.id of what rules found in these events (`Looked.flagged`).
        """
        self.added += events.height
        if self.learners:
            self.learners.add(events, late, flagged)
        if self.recalling is None:
            self.over_time.add(events, hits, late)
            return
        self.recalling.add(events, hits, late)
        own = hits.filter(~hits["rule"].is_in(list(self.recalling.numbers)))
        self.over_time.add(events.with_columns(self._blank) if self._blank else events, own, late)

    def release(self, watermark: int | Mapping[str, int] | None) -> Released:
        """Return what is certain of all that lies before the watermark; None: of all there is."""
        self.added = 0
        out = Released()
        if self.recalling:
            decided = self.recalling.release(watermark)
            out.extend(decided.released)
            if decided.hits.height:
                # They lie before the watermark like all that is folded now, and are sorted with it.
                self.over_time.add(decided.events, decided.hits, decided.late)
            watermark = earlier(watermark, self.recalling.patience_us)
        out.extend(self.over_time.release(watermark))
        if self.learners:
            out.extend(self.learners.release(watermark, [*out.findings, *out.repeated]))
        return out

    def take(self, old: Remembered) -> None:
        """Take up what was remembered under other rules, as far as these are still the same."""
        restore(save(old), self)
        self.over_time.late = old.over_time.late


def save(state: Remembered) -> SavedRemembered:
    """Return a state as a value that a snapshot can hold."""
    recalling = state.recalling
    return SavedRemembered(
        over_time_state.save(state.over_time),
        entity_state.save(recalling.entities) if recalling else None,
        held_to(recalling.pending) if recalling else b"",
        learners_state.save(state.learners) if state.learners else None,
    )


def restore(saved: SavedRemembered, state: Remembered) -> None:
    """Put what a snapshot says into a new state."""
    over_time_state.restore(saved.over_time, state.over_time)
    if state.recalling and saved.entities:
        entity_state.restore(saved.entities, state.recalling.entities)
        state.recalling.pending = held_from(saved.held)
    if state.learners and saved.learners:
        learners_state.restore(saved.learners, state.learners)
