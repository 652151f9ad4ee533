"""Events wait until the watermark of their cluster has passed; then facts are learned in order.

Separate from the memory of one cluster because order is decided here, as for correlations
(detectors/correlation/fold.py): what comes out depends on the sequence by (time, event.id) of what
was not late, on no batch, no restart and no clock. Events that ask are answered with what was known
just before each of them, also where the bounds are applied between two of one release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.entities.enrich import recalled_of
from detectors.entities.facts import FACT_COLUMNS, FACTS, facts_of
from detectors.entities.followed import followed
from detectors.entities.memory import BLOCK_ROWS, LIMIT_ROWS, EntityMemory
from detectors.entities.recalled import RECALLED_DTYPES

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Collection, Mapping, Sequence

    from detectors.entities.geography import Geography

    Ask = Callable[[pl.DataFrame, EntityMemory], pl.DataFrame]

CLUSTER: Final = "orchestrator.cluster.name"
_SEQUENCE: Final = ("time", "event", "relation", "subject", "object")

UNREAD_ROWS: Final = 4_096
"""Events whose facts are not extracted yet: of a hundred it costs nearly what it costs of
thousands, so small batches are read together; larger ones would only keep memory."""


class Entities:
    """The entity memory of all clusters that it is given events of."""

    def __init__(
        self,
        limit_rows: int = LIMIT_ROWS,
        block_rows: int = BLOCK_ROWS,
        hidden_networks: Sequence[str] = (),
        geography: Geography | None = None,
    ) -> None:
        self.limit_rows = limit_rows
        self.block_rows = block_rows
        self.hidden_networks = tuple(hidden_networks)
        self.geography = geography
        self.clusters: dict[str, EntityMemory] = {}
        self._pending = pl.DataFrame(schema=FACTS)
        self._unread: list[pl.DataFrame] = []

    def add(self, events: pl.DataFrame, late: pl.Series | None = None) -> None:
        """Take what a batch of events says; late ones enter nothing.

        Parameters
            events: under EVENT_SCHEMA, repeats dropped.
            late: whether each event lies behind the watermark; None: none does.
        """
        if late is not None and late.any():
            events = events.filter(~late)
        if events.is_empty():
            return
        self._unread.append(events.select(name for name in events.columns if name in FACT_COLUMNS))
        if sum(part.height for part in self._unread) > UNREAD_ROWS:
            self._read()

    @property
    def pending(self) -> pl.DataFrame:
        """The facts that wait for the watermark, under FACTS."""
        self._read()
        return self._pending

    @pending.setter
    def pending(self, facts: pl.DataFrame) -> None:
        self._pending, self._unread = facts, []

    def _read(self) -> None:
        """Extract the facts of the events that were added since."""
        if self._unread:
            facts = facts_of(pl.concat(self._unread, how="diagonal", rechunk=True))
            self._unread = []
            if facts.height:
                self._pending = pl.concat([self._pending, facts])

    def release(
        self,
        watermark: int | Mapping[str, int] | None,
        asking: pl.DataFrame | None = None,
        wanted: Collection[str] = tuple(RECALLED_DTYPES),
        patience_us: int = 0,
    ) -> pl.DataFrame:
        """Learn what lies before the watermark; return what ``asking`` recalls, row by row.

        Parameters
            watermark: microseconds of Unix time; of all clusters, or by name; None: all there is.
            asking: events under EVENT_SCHEMA that lie before the watermark and after the one
                before, none of them late.
            wanted: the columns of RECALLED that are needed; the others are null.
            patience_us: how long after its own time each event asks.

        Linear in what is released; of what is held only what these events name is looked at.
        """
        if asking is None:
            self.fold(watermark, None, lambda *_: pl.DataFrame(), patience_us)
            return pl.DataFrame(schema=RECALLED_DTYPES)

        def ask(events: pl.DataFrame, memory: EntityMemory) -> pl.DataFrame:
            return events.select("row").hstack(self.recalled(events, memory, wanted))

        numbered = asking.with_row_index("row")
        answers = self.fold(watermark, numbered, ask, patience_us)
        empty = pl.DataFrame(schema={"row": pl.UInt32(), **RECALLED_DTYPES})
        recalled = pl.concat([empty, *answers], how="diagonal")
        rows = numbered.select("row")
        return rows.join(recalled, on="row", how="left", maintain_order="left").drop("row")

    def recalled(
        self, events: pl.DataFrame, memory: EntityMemory, wanted: Collection[str]
    ) -> pl.DataFrame:
        """Return columns of RECALLED for events of a memory's cluster: see `recalled_of`."""
        return recalled_of(events, memory, wanted, self.hidden_networks, self.geography)

    def fold(
        self,
        watermark: int | Mapping[str, int] | None,
        asking: pl.DataFrame | None,
        ask: Ask,
        patience_us: int = 0,
    ) -> list[pl.DataFrame]:
        """Learn what lies before the watermark; return what ``ask`` returns of ``asking``.

        Parameters
            asking: events as of `release`, or the columns of them that ``ask`` needs; at least the
                time and the cluster.
            ask: is given events, some at a time, with the memory of their cluster as it is then.
        """
        due = self._due(watermark)
        told: list[pl.DataFrame] = []
        names = set(due["cluster"].unique())
        if asking is not None:
            names |= set(asking[CLUSTER].drop_nulls().unique())
        for name in sorted(names):
            own = asking if asking is None else asking.filter(pl.col(CLUSTER) == name)
            facts = due.filter(pl.col("cluster") == name)
            told += self._fold(self.memory(name), facts, own, ask, patience_us)
        return told

    def memory(self, cluster: str) -> EntityMemory:
        """Return a cluster's memory, a new one for a cluster not seen before."""
        if cluster not in self.clusters:
            self.clusters[cluster] = EntityMemory(self.limit_rows, self.block_rows)
        return self.clusters[cluster]

    def evicted(self) -> dict[str, int]:
        """Return how many rows were dropped so far, by reason."""
        counts: dict[str, int] = {}
        for memory in self.clusters.values():
            for reason, count in _counted(memory.evicted):
                counts[reason] = counts.get(reason, 0) + count
        return counts

    @property
    def size_bytes(self) -> int:
        """Return about how much memory all rows, names and waiting facts take."""
        tables = sum(memory.table.size_bytes for memory in self.clusters.values())
        return tables + int(self.pending.estimated_size())

    def _due(self, watermark: int | Mapping[str, int] | None) -> pl.DataFrame:
        """Take the facts before the watermark out of those that wait, in their sequence."""
        if watermark is None:
            ripe = pl.lit(value=True)
        elif isinstance(watermark, int):
            ripe = pl.col("time") < watermark
        else:
            # The placeholder is no cluster: without any watermark nothing is due.
            known = {"": 0} | dict(watermark)
            times = pl.col("cluster").replace_strict(known, default=0, return_dtype=pl.Int64)
            ripe = pl.col("time") < times
        due = self.pending.filter(ripe)
        if due.height:
            self.pending = self.pending.filter(~ripe)
        return due.sort(_SEQUENCE)

    def _fold(
        self,
        memory: EntityMemory,
        facts: pl.DataFrame,
        asking: pl.DataFrame | None,
        ask: Ask,
        patience_us: int,
    ) -> list[pl.DataFrame]:
        """Learn the facts of a cluster; answer before each place where something is dropped."""
        told: list[pl.DataFrame] = []
        while facts.height:
            facts = memory.take(followed(facts, memory))
            if memory.is_due():
                passed = pl.col("@timestamp").to_physical() + patience_us <= memory.folded_us
                if asking is not None:
                    told += _answers(memory, asking.filter(passed), ask)
                    asking = asking.filter(~passed)
                memory.bound()
        return told if asking is None else told + _answers(memory, asking, ask)


def _answers(memory: EntityMemory, asking: pl.DataFrame, ask: Ask) -> list[pl.DataFrame]:
    return [ask(asking, memory)] if asking.height else []


def _counted(counter: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counter.items())
