"""How far each partition of `raw` came, as workers said it, becomes the time that all have passed.

Separate because this decides what is late across clusters. It depends on the messages and their
order alone, not on a clock of this process: whoever takes a partition over decides the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from worker.partition import QUIET_US

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sinks.signals import Passed


class Heard(msgspec.Struct, array_like=True):
    """What was last said of a partition."""

    watermark_us: int
    """0: it has no cluster."""
    is_whole: bool
    sent_us: int


class SavedProgress(msgspec.Struct, array_like=True):
    """Progress as it stands in a snapshot."""

    partitions: int
    watermark_us: int
    heard: dict[int, Heard]


class RawProgress:
    """The partitions of `raw`, by number, and the time that all of them have passed."""

    __slots__ = ("_sent_us", "heard", "partitions", "watermark_us")

    def __init__(self) -> None:
        self.heard: dict[int, Heard] = {}
        self.partitions = 0
        """How many `raw` has; 0: nobody has said."""
        self.watermark_us = 0
        """Microseconds of Unix time; it never goes back."""
        self._sent_us = 0

    def hear(self, passed: Passed) -> None:
        """Take up what a worker says; one that lost the partition may still speak, of the past."""
        self.partitions = max(self.partitions, passed.partitions)
        self._sent_us = max(self._sent_us, passed.sent_us)
        told_us = passed.watermark_us or 0
        known = self.heard.get(passed.partition)
        if known is None:
            self.heard[passed.partition] = Heard(told_us, passed.is_whole, passed.sent_us)
        else:
            known.watermark_us = max(known.watermark_us, told_us)
            if passed.sent_us >= known.sent_us:
                known.is_whole, known.sent_us = passed.is_whole, passed.sent_us
        if not self._has_gap():
            holding = [one.watermark_us for one in self._holding()]
            self.watermark_us = max(self.watermark_us, min(holding, default=0))

    def missing(self) -> list[int]:
        """Return the partitions that nobody speaks for: they hold everything up.

        Nobody ever did, or not for so long that what was said last says nothing of today.
        """
        return [n for n in range(self.partitions) if n not in self.heard or self._is_old(n)]

    def save(self) -> SavedProgress:
        """Return a value that a snapshot can hold, the same for the same."""
        heard = {number: self.heard[number] for number in sorted(self.heard)}
        return SavedProgress(self.partitions, self.watermark_us, heard)

    @classmethod
    def restore(cls, saved: SavedProgress) -> RawProgress:
        """Return the progress that `save` was called of."""
        progress = cls()
        progress.partitions, progress.watermark_us = saved.partitions, saved.watermark_us
        progress.heard = dict(saved.heard)
        progress._sent_us = max((one.sent_us for one in saved.heard.values()), default=0)
        return progress

    def _has_gap(self) -> bool:
        return len(self.heard) < self.partitions

    def _is_old(self, number: int) -> bool:
        return self.heard[number].sent_us < self._sent_us - QUIET_US

    def _holding(self) -> Iterator[Heard]:
        """Yield the partitions that time waits for.

        One that was read to its end waits for nobody if it has no cluster, or none that spoke of
        late; as long as somebody says so. One that was not may hold anything.
        """
        newest_us = max(one.watermark_us for one in self.heard.values())
        for number, one in self.heard.items():
            is_quiet = one.watermark_us < newest_us - QUIET_US
            if not (is_quiet and one.is_whole) or self._is_old(number):
                yield one
