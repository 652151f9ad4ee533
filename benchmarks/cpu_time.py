"""User and system CPU of this process, the least of some rounds.

Separate because all benchmarks within one process measure alike.
"""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS: Final = 3


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def best(function: Callable[[], object]) -> float:
    """Return the least CPU seconds of some rounds; the first one also warms caches."""
    spent = []
    for _ in range(ROUNDS):
        start = cpu()
        function()
        spent.append(cpu() - start)
    return min(spent)
