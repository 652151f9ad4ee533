"""A rule as the rest of the program sees it: what it is about, and its compiled condition.

Separate from reading one, so that what uses rules does not depend on YAML.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    import polars as pl

    from detectors.sigma.tree import Tree


class Level(StrEnum):
    """How serious a hit is, from least to most. Source: Sigma rules specification, "Level"."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Status(StrEnum):
    """How far a rule is tried. Source: Sigma rules specification, "Status"."""

    STABLE = "stable"
    TEST = "test"
    EXPERIMENTAL = "experimental"
    DEPRECATED = "deprecated"
    UNSUPPORTED = "unsupported"


class Category(StrEnum):
    """What a finding of the rule counts as; also the name of the folder the rule is in."""

    ABNORMAL_LOGIN = "abnormal-login"
    UNAUTHORIZED_INSTALL = "unauthorized-install"
    KEY_FILE_CHANGE = "key-file-change"
    CLUSTER_CONTROL = "cluster-control"


class Relation(StrEnum):
    """What another rule is to this one. Source: Sigma rules specification, "Identification"."""

    DERIVED = "derived"
    OBSOLETE = "obsolete"
    MERGED = "merged"
    RENAMED = "renamed"
    SIMILAR = "similar"


@dataclass(frozen=True, slots=True)
class Related:
    """A reference to another rule."""

    id: str
    type: Relation


@dataclass(frozen=True, slots=True)
class LogSource:
    """Which log the rule is about (detectors/sigma/logsource.py)."""

    product: str
    category: str | None = None
    service: str | None = None


COMPUTED: Final = ("file", "origin", "place", "program", "what")
"""What a message may name besides columns: worked out of several (detectors/circumstances.py)."""


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence about one event: ``literals[0]``, ``columns[0]``, ``literals[1]`` and so on.

    There is one more literal than columns; a literal may be empty. A column may be of `COMPUTED`.
    """

    text: str
    literals: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class MatchedValues:
    """Which values of a column made one positive test of a rule true."""

    column: str
    values: pl.Expr
    """List of strings, one per event; empty where the test is false. Depends on the row alone."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Rule:
    """One detection rule; two rules are equal only if they are the same object."""

    file: Path
    title: str
    id: str
    """A UUID in its canonical lower-case form."""
    name: str | None
    related: tuple[Related, ...]
    status: Status | None
    description: str
    license: str | None
    references: tuple[str, ...]
    author: str | None
    date: dt.date | None
    modified: dt.date | None
    tags: tuple[str, ...]
    techniques: tuple[str, ...]
    """ATT&CK ids from the tags, e.g. ``T1611`` and ``T1059.004``."""
    tactics: tuple[str, ...]
    """ATT&CK tactics from the tags, e.g. ``privilege-escalation``."""
    logsource: LogSource
    fields: tuple[str, ...]
    falsepositives: tuple[str, ...]
    level: Level
    scope: tuple[str, ...]
    taxonomy: str
    category: Category
    catalogue: tuple[str, ...]
    """Ids in the catalogue of detections, e.g. ``B01``."""
    message: Message | None
    next_steps: tuple[str, ...]
    blind_spots: tuple[str, ...]
    tree: Tree
    condition: pl.Expr
    """Boolean, one per event, never null."""
    columns: frozenset[str]
    """All event columns that the condition reads."""
    matched: tuple[MatchedValues, ...]
    """One for each test that stands under an even number of nots."""
    requires: tuple[str, ...] = ()
    """Site lists without which the rule would fire on everything or on nothing."""
    attempts: bool = False
    """Whether the rule is about attempts, so that a refusal makes a hit no less serious."""
    ours: bool = True
    """Whether it is installed with the program or was written for it, and not for all of Sigma."""
    ruleset: str = "trailwarden"
    """What it is of: this program's rules, or the folder that it came from."""

    def __repr__(self) -> str:
        """Return the id and the title: a test that fails shows rules by the dozen."""
        return f"Rule({self.id}, {self.title!r})"
