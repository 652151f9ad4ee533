"""A seed and a purpose in, a stream of chance and the identifiers drawn from it out.

Separate so that each actor has its own stream: when somebody works does not depend on what others
do, and nothing depends on the order of a set or on the process's hash seed.
"""

from __future__ import annotations

import hashlib
from random import Random
from typing import Final

_NAME_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
"""What Kubernetes makes random names of: apimachinery, util/rand, so that no word appears."""

_HALF_BITS: Final = (1 << 48) - 1


def stream(seed: int, *purpose: object) -> Random:
    """Return the stream of chance of one purpose; a seed of text is hashed with SHA-512."""
    return Random("/".join(map(str, (seed, *purpose))))  # noqa: S311 - a simulation, not a secret


def new_uuid(chance: Random) -> bytes:
    """Draw a random UUID of version 4."""
    bits = chance.getrandbits(122)
    return b"%08x-%04x-4%03x-%04x-%012x" % (
        bits >> 90,
        (bits >> 74) & 0xFFFF,
        (bits >> 62) & 0xFFF,
        0x8000 | (bits >> 48) & 0x3FFF,
        bits & _HALF_BITS,
    )


def name_suffix(chance: Random, length: int = 5) -> str:
    """Draw the end of a generated name."""
    return "".join(chance.choices(_NAME_LETTERS, k=length))


def fingerprint(*parts: object) -> str:
    """Return 64 hexadecimal digits that stand for a certificate or an image."""
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()


def wait_us(chance: Random, mean_us: float) -> int:
    """Draw the time to the next of events that come independently of each other."""
    return max(1, int(chance.expovariate(1 / mean_us)))


def around_us(chance: Random, mean_us: float) -> int:
    """Draw the time to the next turn of a timer with the jitter of client-go (up to a fifth)."""
    return max(1, int(mean_us * chance.uniform(0.9, 1.1)))
