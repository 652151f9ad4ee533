"""How often something said "not now" in; how long to wait, and how much to send then, out.

Separate because it is arithmetic that a test can run through without a server or a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Final

LEAST_S: Final = 1.0
"""At full storm a worker asks at most once a second (reliability F7)."""

MOST_S: Final = 30.0

SMALLEST_BYTES: Final = 64 << 10
"""A request is not halved below this while it is refused."""

_DOUBLINGS: Final = 5
_LEAST_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Wait:
    """Something said "not now": call again after so many seconds."""

    seconds: float
    reason: str


@dataclass(slots=True)
class Backoff:
    """Doubles the wait with each refusal in a row; jitter keeps workers from asking together.

    ``random`` is passed in. ``refusals`` counts those since the last success.
    """

    random: Random = field(default_factory=Random)
    refusals: int = 0

    def refused(self, asked_s: float | None = None) -> float:
        """Return the seconds to wait: 1 to 30, and no less than was asked for, up to 30."""
        doubled = LEAST_S * float(1 << min(self.refusals, _DOUBLINGS))
        self.refusals += 1
        jittered = doubled * self.random.uniform(_LEAST_SHARE, 1.0)
        return min(max(jittered, asked_s or 0.0, LEAST_S), MOST_S)

    def succeeded(self) -> None:
        """Begin anew."""
        self.refusals = 0


@dataclass(slots=True)
class RequestSize:
    """Halves a request that is refused, and grows it again by an eighth with each that is not.

    A request can be too large for the memory of a node that would take its parts: that is said
    with 429, too, and would be said for ever (``indexing_pressure.memory``). ``limit_bytes`` is
    between 64 KiB and ``most_bytes``.
    """

    most_bytes: int
    limit_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.limit_bytes = self.most_bytes

    def refused(self, size_bytes: int) -> None:
        """Take that nothing of a request of ``size_bytes`` was done."""
        least_bytes = min(self.most_bytes, SMALLEST_BYTES)
        self.limit_bytes = max(min(self.limit_bytes, size_bytes) // 2, least_bytes)

    def succeeded(self) -> None:
        """Take that a request was answered."""
        self.limit_bytes = min(self.limit_bytes + self.limit_bytes // 8, self.most_bytes)
