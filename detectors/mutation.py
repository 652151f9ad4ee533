"""A rule and its cases become a score: how many of its conditions the cases hold in place.

Each condition is turned round in turn; if no case then comes out otherwise than it says, nothing
would be noticed if somebody broke that condition. Turned round are each test as it stands in the
file and each group of tests (a named selection, its alternatives, several selections joined) below
the whole: that a rule with all of its condition turned round fails is no merit. The log source is
not counted either. A mutant that means the same as the rule survives and counts as a survivor.

The truth of each test is worked out once on the cases' events; a mutant is then arithmetic on bits
(detectors/bitset.py), so that the thousands of a pack take seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from detectors import bitset
from detectors.case_events import with_memory
from detectors.entities.recalled import RECALLED_DTYPES
from detectors.sigma.tree import And, Leaf, Not, expression, leaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import polars as pl

    from detectors.case_events import CaseEvents
    from detectors.sigma.pack import Detection
    from detectors.sigma.tree import Tree


class Turn(StrEnum):
    """What was changed."""

    TEST = "test"
    GROUP = "group"
    BOUND = "bound"
    BASE = "base"
    GROUP_BY = "group-by"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of a detection, and whether a case noticed it."""

    turn: Turn
    what: str
    noticed: bool


@dataclass(frozen=True, slots=True)
class Score:
    """What became of all mutants of one detection."""

    detection: Detection
    mutants: tuple[Mutant, ...]

    @property
    def noticed(self) -> int:
        """Return how many mutants a case noticed."""
        return sum(mutant.noticed for mutant in self.mutants)

    @property
    def survivors(self) -> tuple[Mutant, ...]:
        """Return the mutants that no case noticed."""
        return tuple(mutant for mutant in self.mutants if not mutant.noticed)


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """A part of a tree that can be turned round, and how it is called."""

    part: Tree
    turn: Turn
    what: str


def conditions(tree: Tree, words: Mapping[int, str]) -> Iterator[Condition]:
    """Yield the conditions of a rule's tree, each once however often it is named.

    Parameters
        tree: of a rule, its first part being the log source.
        words: how parts are called, by ``id``; of others the column is told.

    A ``not`` is none: turned round, it is the same as its part turned round.
    """
    parts = tree.parts[1:] if isinstance(tree, And) else (tree,)
    seen: set[int] = set()
    for part in parts:
        # The log source and the condition are joined; where the condition is one part, that part
        # turned round is the whole turned round.
        alone = len(parts) == 1 and not isinstance(part, Leaf)
        yield from _conditions(part, words, seen, counted=not alone)


def _conditions(
    tree: Tree, words: Mapping[int, str], seen: set[int], *, counted: bool = True
) -> Iterator[Condition]:
    if id(tree) in seen:
        return
    seen.add(id(tree))
    if isinstance(tree, Leaf):
        yield Condition(tree, Turn.TEST, words.get(id(tree), tree.column))
    elif isinstance(tree, Not):
        yield from _conditions(tree.part, words, seen, counted=counted)
    else:
        if counted:
            yield Condition(tree, Turn.GROUP, words.get(id(tree), _members(tree, words)))
        for part in tree.parts:
            yield from _conditions(part, words, seen)


def _members(tree: Tree, words: Mapping[int, str]) -> str:
    """Say a group without a name by what is in it."""
    names = [words.get(id(leaf), leaf.column) for leaf, _ in leaves(tree)]
    return f"{'all' if isinstance(tree, And) else 'one'} of {len(names)}: {names[0]} ..."


def as_known(trees: Iterable[Tree], cases: CaseEvents) -> CaseEvents:
    """Return cases with what is remembered at each event, if any of these trees asks that."""
    read = {column for tree in trees for leaf, _ in leaves(tree) for column in leaf.columns}
    return cases if read.isdisjoint(RECALLED_DTYPES) else with_memory(cases)


def truths_of(tree: Tree, events: pl.DataFrame) -> dict[str, int]:
    """Return for each test of a tree, by its key, for which rows of ``events`` it holds, as bits.

    By the expression of each: the engine's other ways give the same, as its own tests show.
    """
    distinct = {leaf.key: leaf for leaf, _ in leaves(tree)}
    found = events.select(
        expression(leaf).alias(str(number)) for number, leaf in enumerate(distinct.values())
    )
    return {key: bitset.from_series(found[str(number)]) for number, key in enumerate(distinct)}


def holds(tree: Tree, truths: Mapping[str, int], every: int, turned: Tree | None = None) -> int:
    """Return for which rows a tree holds, as bits, with the part ``turned`` turned round."""
    if isinstance(tree, Leaf):
        found = truths[tree.key]
    elif isinstance(tree, Not):
        found = every & ~holds(tree.part, truths, every, turned)
    else:
        found = every if isinstance(tree, And) else 0
        for part in tree.parts:
            below = holds(part, truths, every, turned)
            found = found & below if isinstance(tree, And) else found | below
    return every & ~found if tree is turned else found


def mutants_of(tree: Tree, words: Mapping[int, str], cases: CaseEvents) -> tuple[Mutant, ...]:
    """Return each condition of a rule's tree, and whether one of its cases holds it in place.

    The rule itself must decide all ``cases`` as expected; else every mutant would be noticed.
    """
    cases = as_known([tree], cases)
    truths = truths_of(tree, cases.events)
    every = bitset.all_ones(cases.events.height)
    masks = [sum(1 << row for row in rows) for rows in cases.rows]
    return tuple(
        Mutant(one.turn, one.what, _is_noticed(holds(tree, truths, every, one.part), masks, cases))
        for one in conditions(tree, words)
    )


def _is_noticed(found: int, masks: Sequence[int], cases: CaseEvents) -> bool:
    return any(
        bool(found & mask) is not case.expected
        for mask, case in zip(masks, cases.cases, strict=True)
    )
