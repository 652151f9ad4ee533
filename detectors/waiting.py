"""Events wait for the memory: what decides about them is taken out, and of few the whole.

Separate from what is asked (recalling.py), because here is only where rows stand. Most events that
wait come to nothing, so no event is copied: the batches that they came in are kept as they are
until all of theirs have left, and of the rows only the numbers and times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.columns import whole
from ingest.schema import DTYPES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LATE: Final = "late"
CLUSTER: Final = "orchestrator.cluster.name"
TIME: Final = "@timestamp"
ASKS: Final = "asks"
"""Which rules an event waits for, a bit for each (sieve.py)."""
HELD: Final = DTYPES | {LATE: pl.Boolean()}
"""Events that wait, and whether each was late."""

_PLACES: Final = pl.Schema(
    {
        "block": pl.UInt32(),
        "number": pl.UInt32(),
        "time": pl.Int64(),
        "cluster": pl.String(),
        LATE: pl.Boolean(),
        ASKS: pl.UInt64(),
    }
)
_SHARE: Final = 2
"""A batch of which at least one in so many waits is kept as it is; of others the rows are taken."""
_WASTE: Final = 2
"""So many rows may be kept for each that waits, before those that wait are taken out."""
_FEW_ROWS: Final = 65_536
"""So many rows are kept in any case."""


class Waiting:
    """Events that wait, of all clusters."""

    def __init__(self, few_rows: int = _FEW_ROWS) -> None:
        self._few_rows = few_rows
        self._places = pl.DataFrame(schema=_PLACES)
        self._blocks: dict[int, pl.DataFrame] = {}
        self._next = 0

    @property
    def height(self) -> int:
        """Return how many events wait."""
        return self._places.height

    @property
    def kept(self) -> int:
        """Return how many rows are kept for them."""
        return sum(block.height for block in self._blocks.values())

    def add(self, events: pl.DataFrame, asking: pl.DataFrame, late: pl.Series | None) -> None:
        """Let some events of a batch wait; each has a time.

        Parameters
            asking: ``row``, the number of each, and ``asks``.
            late: whether each event of the batch was late; None: none was.
        """
        rows = asking["row"]
        if rows.is_empty():
            return
        places = pl.DataFrame(
            {
                "number": rows,
                "time": events[TIME].to_physical().gather(rows),
                "cluster": events[CLUSTER].gather(rows),
                ASKS: asking[ASKS],
            }
        ).with_columns(
            pl.lit(self._next, pl.UInt32).alias("block"),
            (pl.lit(value=False) if late is None else late.gather(rows)).alias(LATE),
        )
        if rows.len() * _SHARE < events.height:
            events = events[rows]
            places = places.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias("number"))
        self._blocks[self._next] = events
        self._next += 1
        self._places = pl.concat([self._places, places.select(_PLACES.names())])

    def due(self, watermark: int | Mapping[str, int] | None) -> pl.DataFrame:
        """Take out the places of the events before the watermark; None: of all.

        Parameters
            watermark: microseconds of Unix time; of all clusters, or by name.
        """
        if watermark is None:
            due, self._places = self._places, self._places.clear()
            return due
        before: pl.Series | int = (
            watermark
            if isinstance(watermark, int)
            else self._places["cluster"].replace_strict(
                dict(watermark), default=0, return_dtype=pl.Int64
            )
        )
        ripe = self._places["time"] < before
        due = self._places.filter(ripe)
        if due.height:
            self._places = self._places.filter(~ripe)
        return due

    def columns_of(self, places: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
        """Return some columns of the events at ``places``, which stand by their blocks."""
        known = {name: HELD[name] for name in names}
        parts = [whole(block, known)[numbers] for block, numbers in self._by_block(places)]
        return pl.concat(parts) if parts else pl.DataFrame(schema=known)

    def events_of(self, places: pl.DataFrame) -> pl.DataFrame:
        """Return the whole events at ``places``, which stand by their blocks, under HELD."""
        parts = [whole(block[numbers], DTYPES) for block, numbers in self._by_block(places)]
        events = pl.concat(parts) if parts else pl.DataFrame(schema=DTYPES)
        return events.with_columns(places[LATE])

    def forget(self) -> None:
        """Drop the batches that no event waits in any more; call it after `due` was dealt with."""
        held = set(self._places["block"].unique())
        self._blocks = {number: self._blocks[number] for number in sorted(held)}
        if self.kept > _WASTE * self.height + self._few_rows:
            self.fill(self.all(), self._places[ASKS])

    def all(self) -> pl.DataFrame:
        """Return all events that wait, under HELD."""
        return self.events_of(self._places)

    def fill(self, events: pl.DataFrame, asks: int | pl.Series) -> None:
        """Let exactly these events wait, under HELD.

        Parameters
            asks: which rules they wait for.
        """
        self._places, self._blocks = self._places.clear(), {}
        rows = pl.int_range(events.height, dtype=pl.UInt32, eager=True)
        asking = pl.DataFrame({"row": rows}).with_columns(pl.lit(asks, pl.UInt64).alias(ASKS))
        self.add(events.drop(LATE), asking, events[LATE])

    def _by_block(self, places: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, pl.Series]]:
        """Yield each block with the numbers of its rows, in order of the places."""
        start = 0
        for run in places["block"].rle().to_list():
            yield self._blocks[run["value"]], places["number"].slice(start, run["len"])
            start += run["len"]
