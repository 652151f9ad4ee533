"""Types of correlations become kernels: which arithmetic works out their matches.

Separate because the plan sorts units by it, and the fold signals.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from detectors.sigma.correlation import CorrelationType


class Kernel(StrEnum):
    """What works out the matches of a unit; in the order in which those of a level are told."""

    COUNTED = "counted"
    """Rows, values or rules in a window."""
    MEASURED = "measured"
    CHAINED = "chained"
    SEEN = "seen"
    AWAITED = "awaited"


KERNELS: Final = {
    CorrelationType.EVENT_COUNT: Kernel.COUNTED,
    CorrelationType.VALUE_COUNT: Kernel.COUNTED,
    CorrelationType.TEMPORAL: Kernel.COUNTED,
    CorrelationType.VALUE_SUM: Kernel.MEASURED,
    CorrelationType.VALUE_AVG: Kernel.MEASURED,
    CorrelationType.VALUE_PERCENTILE: Kernel.MEASURED,
    CorrelationType.TEMPORAL_ORDERED: Kernel.CHAINED,
    CorrelationType.FIRST_SEEN: Kernel.SEEN,
    CorrelationType.ABSENCE: Kernel.AWAITED,
}


def place_of(level: int, kernel: Kernel) -> int:
    """Return the number of a kernel among those of all levels."""
    return level * len(Kernel) + list(Kernel).index(kernel)
