"""Python's garbage collector, told what batches are like.

Separate because the service, a scan and the benchmarks all do the same at their start.
"""

from __future__ import annotations

import gc
from typing import Final

THRESHOLD: Final = (100_000, 20, 100)
"""A batch makes tens of thousands of short-lived objects and no cycles: Python's own threshold of
700 has the collector walk them again and again."""


def collect_rarely() -> None:
    """Leave what is loaded alone, and look at the rest rarely; call it when all is imported."""
    gc.freeze()
    gc.set_threshold(*THRESHOLD)
