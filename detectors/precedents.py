"""Combinations of key columns become numbers, with what the rules are on each, once and for all.

Separate from the outlook of a batch, because four of five combinations in a batch were met in an
earlier one (recorded events, measured 2026-11-21), and what is certain about one depends on its
values alone. So only new ones are worked out; the others are a look-up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST: Final = 16_384
"""Combinations that are remembered, some 1.5 MB for 250 rules; beyond, all are forgotten."""


@dataclass(frozen=True, slots=True, eq=False)
class Certainty:
    """What is certain about some combinations, as bits: the first combination is the lowest."""

    height: int
    """How many combinations."""
    truths: dict[str, int]
    """Key of each leaf of key columns -> where it is true; a family of facets -> where there are
    any."""
    certain: list[int]
    """Rule -> where it holds."""
    possible: list[int]
    """Rule -> where it does not fail; the certain ones included."""

    def followed_by(self, later: Certainty) -> Certainty:
        """Return what is certain about these combinations and, after them, about others."""

        def joined(before: list[int], after: list[int]) -> list[int]:
            pairs = zip(before, after, strict=True)
            return [low | high << self.height for low, high in pairs]

        return Certainty(
            self.height + later.height,
            {key: bits | later.truths[key] << self.height for key, bits in self.truths.items()},
            joined(self.certain, later.certain),
            joined(self.possible, later.possible),
        )


@dataclass(slots=True, eq=False)
class Precedents:
    """The combinations that a plan has met."""

    most: int = MOST
    numbers: dict[int, int] = field(default_factory=dict)
    """Hash of a combination -> its number."""
    known: Certainty | None = None
    lock: Lock = field(default_factory=Lock)

    def of(
        self, hashes: Sequence[int], work_out: Callable[[list[int]], Certainty]
    ) -> tuple[pl.Series, Certainty]:
        """Return the number of each of some combinations, and what is certain about all there are.

        Parameters
        ----------
        hashes
            Of the combinations, each another: see `detectors.combination`.
        work_out
            What is certain about some of them, by place; asked for new ones only.
        """
        with self.lock:
            if len(self.numbers) > self.most:
                self.numbers, self.known = {}, None
            new = [row for row, one in enumerate(hashes) if one not in self.numbers]
            known = self.known
            if known is None or new:
                found = work_out(new)
                known = self.known = known.followed_by(found) if known else found
                begin = len(self.numbers)
                self.numbers.update((hashes[row], begin + nth) for nth, row in enumerate(new))
            return pl.Series([self.numbers[one] for one in hashes], dtype=pl.UInt32), known
