"""Polled messages become those that continue their partitions; separate because two loops poll."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ingest.sources.kafka import Record
    from worker.pace import Watch


class Held(Protocol):
    """A partition that is held: the next offset to fold, and a gap that was seen there."""

    position: int
    gap_at: int | None


class Seekable(Protocol):
    """Where the messages come from."""

    def seek(self, partition: int, offset: int) -> None:
        """Go on reading at another offset."""


def continued(
    records: Sequence[Record], held: Mapping[int, Held], source: Seekable, watch: Watch
) -> list[Record]:
    """Return the records that continue their partitions, by partition.

    What belongs to no partition of ours, lies before its position or behind a gap is left out:
    around a rebalance the client may hand out what it fetched for an earlier assignment. The
    same gap a second time is the log's own.
    """
    runs: dict[int, list[Record]] = {}
    gaps: set[int] = set()
    expected = {number: one.position for number, one in held.items()}
    for record in records:
        number = record.partition
        if number not in expected or number in gaps or record.offset < expected[number]:
            continue
        if record.offset > expected[number] and held[number].gap_at != expected[number]:
            gaps.add(number)
            continue
        runs.setdefault(number, []).append(record)
        expected[number] = record.offset + 1
    for number in gaps:
        watch.log("gap", partition=number, expected=expected[number])
        held[number].gap_at = expected[number]
        source.seek(number, expected[number])
    return [record for number in sorted(runs) for record in runs[number]]
