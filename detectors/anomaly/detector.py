"""What a learned detector says about itself in its findings.

Separate because it is all that a finding needs to know of the detector, as a rule's file is of a
rule's findings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from detectors.attack import TECHNIQUES
from detectors.sigma.rule import Category, Level

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Detector:
    """A learned detector; its id never changes."""

    id: str
    title: str
    description: str
    category: Category
    level: Level
    techniques: tuple[str, ...]
    next_steps: tuple[str, ...] = ()
    falsepositives: tuple[str, ...] = ()
    references: tuple[str, ...] = field(default=())
    catalogue: tuple[str, ...] = ()
    """Detections of the catalogue (detectors/catalogue.py) that it stands for."""
    attempts: bool = True
    """That an act was refused lowers nothing by itself: what came of all of them is looked at."""

    @property
    def name(self) -> str:
        """Return what exceptions and announced work may call it by."""
        return self.title.lower().replace(" ", "-")

    @property
    def file(self) -> Path:
        """Return a file name that no rule has: it is not made of one."""
        return Path(self.name)

    def fields(self) -> Iterator[tuple[str, object]]:
        """Yield what a finding says about its detector, under the names that rules use."""
        techniques = [TECHNIQUES[one] for one in self.techniques]
        tactics = sorted({tactic for one in techniques for tactic in one.tactics})
        yield "rule.id", self.id
        yield "rule.name", self.title
        yield "rule.description", self.description
        yield "rule.category", self.category.value
        yield "rule.ruleset", "trailwarden"
        yield "rule.author", ["The Trailwarden authors"]
        yield "rule.license", "Apache-2.0"
        yield "rule.reference", list(self.references)
        yield "threat.framework", "MITRE ATT&CK"
        yield "threat.technique.id", list(self.techniques)
        yield "threat.technique.name", [one.name for one in techniques]
        yield "threat.tactic.name", [tactic.replace("-", " ").title() for tactic in tactics]
        yield "trailwarden.next_steps", list(self.next_steps)
        yield "trailwarden.false_positives", list(self.falsepositives)


UNUSUAL_IDENTITY: Final = Detector(
    id="5f0c6f5e-7a0d-4b7b-9d35-0f6f6b1c4e21",
    title="Unusual behaviour of an identity",
    description=(
        "In one minute an identity did things, or came from places, that are rare for itself, for "
        "its peers and for the cluster, judged by what was learned from its earlier minutes."
    ),
    category=Category.CLUSTER_CONTROL,
    level=Level.MEDIUM,
    techniques=("T1078",),
    next_steps=(
        "Read the reasons: what is new, for how long it was not seen, and who else does it.",
        "Ask the owner of the identity whether the work was theirs, and from this address.",
        "Look at the identity's credential: where else it was used in the same hour.",
    ),
    falsepositives=(
        "A new version or a new task of a workload, a person's new role or new network.",
    ),
    catalogue=("A12", "A28"),
)

DETECTORS: Final = (UNUSUAL_IDENTITY,)
"""All learned detectors."""
