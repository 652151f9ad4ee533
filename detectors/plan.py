"""Rules become a plan: all that can be worked out about evaluating them before an event is seen.

Separate, because it is made once for a set of rules and used for each batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.known_columns import KNOWN_DTYPES
from detectors.lanes import Lanes, NamedTest
from detectors.precedents import Precedents
from detectors.sigma.tree import leaves
from detectors.value_truth import REMEMBERED, ValueTruth
from ingest.schema import FACETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from polars._typing import PolarsDataType

    from detectors.sigma.rule import Rule
    from detectors.sigma.tree import Leaf, Tree

KEYS: Final = frozenset(
    {
        "event.action",
        "event.dataset",
        "event.outcome",
        "http.response.status_code",
        "kubernetes.audit.impersonatedUser.groups",
        "kubernetes.audit.objectRef.apiGroup",
        "kubernetes.audit.objectRef.subresource",
        "kubernetes.audit.stage",
        "kubernetes.audit.user.groups",
        "kubernetes.audit.verb",
        "orchestrator.namespace",
        "orchestrator.resource.type",
        "source.ip",
        "trailwarden.authorization.decision",
        "trailwarden.dry_run",
        "trailwarden.identity.type",
        "trailwarden.session.service",
        "user.effective.name",
        "user.name",
        "user_agent.name",
        "user_agent.original",
    }
)
"""Columns whose combinations are few: 920 to 1,460 of them in 10,000 recorded events, measured
2026-11-21. A column with many values here would cost time, never a hit."""

SELDOM: Final = frozenset(
    {
        "kubernetes.audit.requestObject",
        "kubernetes.audit.responseObject",
        "kubernetes.audit.responseStatus.message",
        "trailwarden.pod_security.audit_violations",
    }
)
"""Columns besides the facets that few events have (under 5 of 100 recorded ones, 2026-11-21):
whether there is a value is as good as a key column."""

PRESENT: Final = "#present:"


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How rules are evaluated."""

    trees: tuple[Tree, ...]
    leaves: tuple[tuple[Leaf, ...], ...]
    """Of each tree."""
    keys: tuple[str, ...]
    """The key columns that the rules read."""
    columns: tuple[str, ...]
    """All columns that the rules read."""
    present: tuple[pl.Expr, ...]
    """For each family of facets, and each of SELDOM: does the event have any of it?"""
    families: dict[str, tuple[str, ...]]
    """Name of each column of ``present`` -> the facets that it asks for."""
    needed: dict[str, str]
    """Facet -> the column of ``present`` that is true wherever the facet has a value."""
    key_leaves: tuple[Leaf, ...]
    """The distinct leaves that read key columns alone."""
    tests: dict[str, tuple[NamedTest, ...]]
    """Key of a leaf -> its tests: of its elements if it has such, else of the row."""
    lanes: Lanes
    by_value: dict[str, ValueTruth]
    """Column -> its tests of one value, element or not, and the values that they were made of."""
    precedents: Precedents = field(default_factory=Precedents)
    """What was worked out for earlier batches."""


def plan_for(rules: Sequence[Rule]) -> Plan:
    """Return the plan for ``rules``."""
    columns = columns_of(rules)
    families = _families(columns)
    distinct = {leaf.key: leaf for rule in rules for leaf, _ in leaves(rule.tree)}
    tests = {key: _tests(leaf, str(index)) for index, (key, leaf) in enumerate(distinct.items())}
    return Plan(
        trees=tuple(rule.tree for rule in rules),
        leaves=tuple(tuple(leaf for leaf, _ in leaves(rule.tree)) for rule in rules),
        keys=tuple(column for column in columns if column in KEYS),
        columns=tuple(columns),
        present=tuple(
            pl.any_horizontal(pl.col(facet).is_not_null() for facet in facets).alias(family)
            for family, facets in families.items()
        ),
        families={family: tuple(facets) for family, facets in families.items()},
        needed={facet: family for family, facets in families.items() for facet in facets},
        key_leaves=tuple(leaf for leaf in distinct.values() if leaf.columns <= KEYS),
        tests=tests,
        lanes=Lanes([test for several in tests.values() for test in several]),
        by_value=_by_value(distinct.values(), tests),
    )


def _by_value(
    leaves: Iterable[Leaf], tests: Mapping[str, tuple[NamedTest, ...]]
) -> dict[str, ValueTruth]:
    of_column: dict[str, list[NamedTest]] = {}
    for leaf in leaves:
        if tests_one_value(leaf):
            of_column.setdefault(leaf.column, []).extend(tests[leaf.key])
    return {column: ValueTruth(value_type(column), own) for column, own in of_column.items()}


def tests_one_value(leaf: Leaf) -> bool:
    """Return whether a leaf asks nothing of a row but one value, or one element of a list."""
    is_list = isinstance(KNOWN_DTYPES[leaf.column], pl.List)
    return (
        len(leaf.columns) == 1
        and leaf.needs_value
        and bool(leaf.elements) == is_list
        and value_type(leaf.column) in REMEMBERED
    )


def value_type(column: str) -> PolarsDataType:
    """Return the type of the values of a column, the elements of a list each."""
    dtype = KNOWN_DTYPES[column]
    return dtype.inner if isinstance(dtype, pl.List) else dtype


def columns_of(rules: Iterable[Rule]) -> list[str]:
    """Return the columns that ``rules`` read, in the order of the schema."""
    read = frozenset().union(*(rule.columns for rule in rules))
    return [column for column in KNOWN_DTYPES if column in read]


def _families(columns: Iterable[str]) -> dict[str, list[str]]:
    """Return the facets among ``columns`` by their name before the last dot: filled together.

    Each of SELDOM is a family of its own.
    """
    families: dict[str, list[str]] = {}
    for column in columns:
        if column in SELDOM:
            families[PRESENT + column] = [column]
        elif column in FACETS:
            families.setdefault(PRESENT + column.rpartition(".")[0], []).append(column)
    return families


def _tests(leaf: Leaf, name: str) -> tuple[NamedTest, ...]:
    named = ((f"{name} {part}", test) for part, test in enumerate(leaf.elements or (leaf.test,)))
    return tuple(NamedTest(own, test.alias(own), leaf.regexes) for own, test in named)
