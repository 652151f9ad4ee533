"""Rules in use and the hash of their files: what findings and committed state rest on.

Separate because the report, the service and replay all name a rule pack by it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from detectors.sigma.correlation import Correlation
from detectors.sigma.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Detection: TypeAlias = Rule | Correlation
"""What can report a finding."""


class InFile(Protocol):
    """Something that a rule file holds."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def file(self) -> Path:
        """The file."""


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """Everything that was loaded together, in the order of the files."""

    rules: tuple[Rule, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    """Each behind those that it builds on."""
    silent: frozenset[str] = frozenset()
    """Ids of what reports nothing by itself: only others build on it."""
    inactive: tuple[tuple[str, str], ...] = ()
    """Id of each detection that is left out, and the empty site list that it waits for."""
    waiting: tuple[Detection, ...] = ()
    """The detections that are left out, as `inactive` names them."""

    @property
    def reporting(self) -> tuple[Detection, ...]:
        """Return what reports findings: rules first, then correlations."""
        every: tuple[Detection, ...] = (*self.rules, *self.correlations)
        return tuple(one for one in every if one.id not in self.silent)


def pack_hash(detections: Iterable[InFile]) -> str:
    """Return the hash of the rules in use, 16 hex digits; their order does not matter."""
    digest = hashlib.blake2b(digest_size=8)
    for file in sorted({one.file for one in sorted(detections, key=lambda one: one.id)}):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
