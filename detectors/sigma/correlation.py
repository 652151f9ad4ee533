"""A correlation as the rest of the program sees it: which rules it joins, over which time, by whom.

Separate from reading one, so that what folds events over time does not depend on YAML. Types and
words are those of the Sigma correlation rules specification 2.1
(https://github.com/SigmaHQ/sigma-specification), with two of our own: ``first_seen`` and
``absence`` (docs/correlations.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from detectors.sigma.rule import Category, Level, Message, Related, Status


class CorrelationType(StrEnum):
    """How events are joined."""

    EVENT_COUNT = "event_count"
    VALUE_COUNT = "value_count"
    VALUE_SUM = "value_sum"
    VALUE_AVG = "value_avg"
    VALUE_PERCENTILE = "value_percentile"
    TEMPORAL = "temporal"
    TEMPORAL_ORDERED = "temporal_ordered"
    FIRST_SEEN = "first_seen"
    ABSENCE = "absence"


class Comparison(StrEnum):
    """How the number of a condition is compared."""

    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    EQ = "eq"
    NEQ = "neq"


OF_CORRELATIONS: Final = ("count", "values", "window", "history")
"""What a correlation's message may name besides columns: how many events or values, the values,
the timespan in words, and how much was known before (first_seen)."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One comparison of a condition; several must all hold."""

    comparison: Comparison
    number: float


@dataclass(frozen=True, slots=True)
class Learning:
    """How much of an entity must have been seen before something new of it counts."""

    events: int = 200
    time_us: int = 86_400_000_000
    """From its first event on; not asked for in a scan, whose log may be shorter than a day."""


@dataclass(frozen=True, slots=True)
class Base:
    """A rule or correlation that a correlation joins, with the columns of its events that count."""

    id: str
    """``id`` of the rule or correlation."""
    name: str
    group_by: tuple[str, ...]
    """Columns whose values make the group, in the order of the correlation's ``group-by``, aliases
    resolved for this base."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Correlation:
    """One rule over time; two are equal only if they are the same object.

    What it says about itself has the same names as in `detectors.sigma.rule.Rule`.
    """

    file: Path
    title: str
    id: str
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
    tactics: tuple[str, ...]
    falsepositives: tuple[str, ...]
    level: Level
    category: Category
    catalogue: tuple[str, ...]
    message: Message | None
    """Columns are those of the event that completes the match, and `OF_CORRELATIONS`."""
    next_steps: tuple[str, ...]
    blind_spots: tuple[str, ...]

    type: CorrelationType
    bases: tuple[Base, ...]
    """In the order of ``rules``."""
    group_by: tuple[str, ...]
    """As written: columns, and names of aliases. Empty: the cluster is the group."""
    timespan_us: int
    """The window; of ``first_seen`` the memory."""
    bounds: tuple[Bound, ...] = ()
    """Of counts and values; empty for the others."""
    expression: tuple[frozenset[int], ...] = ()
    """Of ``temporal``: each set of bases, by their index, is enough (disjunctive normal form)."""
    fields: tuple[str, ...] = ()
    """Columns whose value (several: the combination) is counted, added up or seen first."""
    percentile: float | None = None
    learning: Learning = field(default_factory=Learning)
    peers: tuple[str, ...] = ()
    """Of ``first_seen``: columns that make the peer group, which is asked while the entity itself
    is not known well enough."""
    generate: bool = False
    """Whether the rules that it joins report by themselves as well."""
    across_clusters: bool = False
    """Whether groups reach over clusters; else each cluster is on its own."""
    requires: tuple[str, ...] = ()
    """Site lists without which it would fire on everything or on nothing."""
    attempts: bool = False
    """Whether it is about attempts, so that a refusal makes a match no less serious."""
    ours: bool = True
    """Whether it is installed with the program or was written for it, and not for all of Sigma."""
    ruleset: str = "trailwarden"
    """What it is of: this program's rules, or the folder that it came from."""
    recalled: frozenset[str] = frozenset()
    """What the rules that it joins ask the entity memory; empty unless each of them asks."""
    content_hash: str = ""
    """16 hex digits over all that decides its matches, its bases included: state is kept by it."""

    def __repr__(self) -> str:
        """Return the id and the title: a test that fails shows rules by the dozen."""
        return f"Correlation({self.id}, {self.title!r})"
